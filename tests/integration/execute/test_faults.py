"""Pushes that are killed: some rounds of scripts/faults/execute.py, which has all of them."""

from __future__ import annotations

import pytest

from scripts.faults.execute import TARGETS, run


@pytest.mark.slow
@pytest.mark.parametrize("kind", TARGETS)
def test_a_killed_push_loses_and_doubles_nothing(kind: str) -> None:
    tally = run(kind, rounds=2, seed=7)
    assert tally.killed
    assert not tally.found
