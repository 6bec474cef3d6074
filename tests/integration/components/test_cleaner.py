"""The Cleaner: what has ended goes when it is past its age; what lives stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.components.cleaner import clean
from dapu.errors import ConfigurationError
from dapu.warehouse.warehouse import open_warehouse
from tests.conftest import MakeWarehouse
from tests.support.components import one, rows, versioner, write

YEARS_AGO = "now() - interval '9 years'"


@pytest.fixture
def folder(make_warehouse: MakeWarehouse) -> Path:
    folder = make_warehouse()
    versioner(folder)
    return folder


def job(connection: PgSession, status: str, ended: str = "null", task: str = "r.s.t") -> int:
    return int(one(connection, f"""
        insert into meta.agenda (task, route, priority, cause, status, worker, queued_at,
            started_at, ended_at)
        values (%s, 'r', 5, 'run', %s, 1, {YEARS_AGO}, {YEARS_AGO}, {ended}) returning job
    """, [task, status]))  # fmt: skip


def event(connection: PgSession, job: int | None, at: str = YEARS_AGO) -> None:
    rows(connection, f"""
        insert into meta.event (job, task, level, message, at)
        values (%s, 'r.s.t', 'info', 'x', {at})
    """, [job])  # fmt: skip


def test_what_ended_goes_after_its_time(folder: Path, connection: PgSession) -> None:
    write(folder, {"warehouse.yaml": "keep: {agenda: 3 days, events: 2 days, workers: 1 day}"})
    old = job(connection, "done", "now() - interval '4 days'")
    job(connection, "failed", "now() - interval '73 hours'")
    kept = job(connection, "done", "now() - interval '2 days'")
    for age in ("47 hours", "49 hours"):
        event(connection, old, f"now() - interval '{age}'")
    rows(
        connection,
        """
        insert into meta.worker (host, pid, version, ended_at, ending) values
            ('h', 1, '1', now() - interval '23 hours', 'done'),
            ('h', 1, '1', now() - interval '25 hours', 'died')
    """,
    )
    assert clean(open_warehouse(folder)) == (1, 2, 1)
    assert rows(connection, "select job from meta.agenda") == [(kept,)]
    assert one(connection, "select count(*) from meta.event") == 1
    assert one(connection, "select ending from meta.worker") == "done"
    assert clean(open_warehouse(folder)) == (0, 0, 0)


def test_live_jobs_and_workers_stay_however_old(folder: Path, connection: PgSession) -> None:
    live = [job(connection, "waiting"), job(connection, "running")]
    ended = job(connection, "done", YEARS_AGO)
    for number in (*live, ended, None):
        event(connection, number)
    rows(
        connection,
        f"""
        insert into meta.worker (host, pid, version, started_at) values ('h', 1, '1', {YEARS_AGO})
    """,
    )
    assert clean(open_warehouse(folder)) == (2, 1, 0)
    assert rows(connection, "select job from meta.agenda order by job") == [(n,) for n in live]
    assert rows(connection, "select job from meta.event order by job") == [(n,) for n in live]
    assert one(connection, "select count(*) from meta.worker") == 1


def test_what_a_task_remembers_is_not_history(folder: Path, connection: PgSession) -> None:
    rows(
        connection,
        f"""
        insert into meta.watermark (task, source, column_name, kind, value, job, moved_at)
        values ('r.s.t', 'database q.sql from main', 'id', 'integer', '7', 1, {YEARS_AGO});
        insert into meta.seen (task, source, item, state, job, seen_at)
        values ('r.s.t', 'file *.csv from main', 'a.csv', '{{}}', 1, {YEARS_AGO});
        insert into meta.override (task, changed_at) values ('r.s.t', {YEARS_AGO});
    """,
    )
    clean(open_warehouse(folder))
    for table in ("watermark", "seen", "override"):
        assert one(connection, f"select count(*) from meta.{table}") == 1


@pytest.mark.without_registry
def test_before_the_versioner_ran_it_says_so(make_warehouse: MakeWarehouse) -> None:
    with pytest.raises(ConfigurationError, match="run `dapu versioner` on this warehouse first"):
        clean(open_warehouse(make_warehouse()))
