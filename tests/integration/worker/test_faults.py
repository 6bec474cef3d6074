"""A few rounds of scripts/faults/load.py: one of each kind of harm, whatever its moment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.faults.load import Rounds, on_stage
from scripts.faults.load_modes import MODES, differences, held
from scripts.faults.load_stage import rows

MODE = MODES["append_split"]
FAULTS = ["kill", "cut", "crash", "restart"]  # silence and poolers have tests of their own


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rounds]:
    with on_stage(tmp_path_factory.mktemp("faults"), [MODE], FAULTS, seed=1, count=3000) as rounds:
        yield rounds


def test_after_each_fault_source_and_target_agree(rounds: Rounds) -> None:
    rounds.run(len(FAULTS), print)  # of one mode: the faults take turns, a round each
    assert rounds.results.wrong == []
    assert {fault for _, fault in rounds.results.rounds} == set(FAULTS)


def test_rows_lost_and_doubled_are_found(rounds: Rounds) -> None:
    with rounds.stage.source_session() as source, rounds.stage.target_session() as target:
        assert differences(source, target, MODE, held(target, MODE)) == []
        rows(target, f"delete from {MODE.target} where id = 1")
        rows(target, f"insert into {MODE.target} select * from {MODE.target} where id = 2")
        rows(target, "update meta.watermark set value = '2023-01-01 00:00:00+00'")
        wrong = differences(source, target, MODE, held(target, MODE))
        target.rollback()
    assert wrong[0].startswith("1 row lost, 1 too many")
    assert wrong[-1].startswith("the watermark is ")
