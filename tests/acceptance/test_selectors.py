"""Several tasks at once, by selectors.

r.s.a --> r.s.b --> r.s.d
r.s.c (its SQL fails) --> r.s.e
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from psycopg2.extensions import connection as PgSession

from tests.conftest import MakeWarehouse
from tests.support.command import here
from tests.support.components import ROUTE, a_task, rows
from tests.support.rounds import prepare

_FAILS = {"run.sql": "select 1 / 0"}


@pytest.fixture
def folder(make_warehouse: MakeWarehouse) -> Path:
    folder = make_warehouse(
        {
            **ROUTE,
            **a_task("r.s.a"),
            **a_task("r.s.b", depends="[r.s.a]", tags="[nightly]"),
            **a_task("r.s.c", _FAILS, run="{retries: 0}"),
            **a_task("r.s.d", depends="[r.s.b]"),
            **a_task("r.s.e", depends="[r.s.c]"),
        }
    )
    prepare(folder)
    return folder


def endings(connection: PgSession) -> list[tuple[str, str]]:
    return rows(connection, "select task, status from meta.agenda order by started_at, job")


def test_they_run_in_the_order_of_what_depends_on_what(
    folder: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "run", folder, "r.s.d", "tag:nightly", "+s.b")
    assert done.status == 0, done.text
    assert endings(connection)[:3] == [("r.s.a", "done"), ("r.s.b", "done"), ("r.s.d", "done")]


def test_what_depends_on_one_that_fails_is_not_run_and_the_others_are(
    folder: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "run", folder, "s.*")
    assert done.status == 1
    assert "failed: r.s.c" in done.err
    ended = dict(endings(connection))
    assert ended.pop("r.s.e") == "waiting"
    assert ended == {"r.s.a": "done", "r.s.b": "done", "r.s.c": "failed", "r.s.d": "done"}
    shown = json.loads(here(capsys, "status", folder, "failed:", "--json").out)
    assert [task["task"] for task in shown["tasks"]] == ["r.s.c"]
    # Named alone, a task follows none.
    alone = here(capsys, "run", folder, "r.s.e")
    assert alone.status == 0, alone.text


def test_options_for_one_task(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "run", folder, "r.s.a", "r.s.b", "--rebuild")
    assert done.status == 2
    assert "--rebuild" in done.err
    done = here(capsys, "run", folder, "r.s.a", "s.x")
    assert done.status == 2
    assert "s.x" in done.err
    for options in (["--full"], ["--rebuild", "--dry-run"]):
        done = here(capsys, "run", folder, "s.e", *options)
        assert done.status == 0, done.text
        assert "r.s.e" in done.text
    for options in (["--rebuild"], ["--rebuild", "--dry-run"]):
        done = here(capsys, "run", folder, "s.*", *options)
        assert done.status == 2
        assert "are for one" in done.err
