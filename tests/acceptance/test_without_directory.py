"""DIR may be left out within a warehouse directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeWarehouse
from tests.support.command import here
from tests.support.components import ROUTE, a_task
from tests.support.rounds import prepare


@pytest.fixture
def folder(make_warehouse: MakeWarehouse) -> Path:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t")})
    prepare(folder)
    return folder


@pytest.mark.parametrize("below", [".", "routes/r/s/t"])
def test_it_is_the_nearest_above(
    folder: Path, below: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder / below)
    for arguments in (["validate"], ["run", "r.s.t"], ["status", "--json"], ["query", "select 1"]):
        done = here(capsys, *arguments)
        assert done.status == 0, done.text


def test_one_that_is_given_counts(
    folder: Path,
    make_warehouse: MakeWarehouse,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(make_warehouse({}, name="other"))
    assert "r.s.t" in here(capsys, "status", folder).out
    done = here(capsys, "validate", folder.parent / "nothing")
    assert done.status == 2
    assert "nothing" in done.err


def test_elsewhere_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = here(capsys, "status")
    assert done.status == 2
    assert "DIR" in done.err
