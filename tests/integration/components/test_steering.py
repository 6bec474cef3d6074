"""What operators do to jobs and tasks, one or many at once, and the events that say who did it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.components import steering
from dapu.components.steering import JobFilter, Operator
from dapu.registry.store import Registry
from tests.conftest import MakeWarehouse
from tests.support.components import ROUTE, a_task, queued, registrar, versioner

ANN = Operator("ann", "login")
REGISTRY = Registry()


@pytest.fixture
def folder(make_warehouse: MakeWarehouse) -> Path:
    above = a_task("r.s.b", depends="[r.s.a]")
    folder = make_warehouse({**ROUTE, **a_task("r.s.a"), **above, **a_task("r.s.c")})
    versioner(folder)
    registrar(folder)
    return folder


def rows(connection: PgSession, query: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_many_jobs_at_once_and_who_did_it(folder: Path, connection: PgSession) -> None:
    with connection.cursor() as cursor:
        one, two = steering.run(cursor, REGISTRY, ["r.s.a", "r.s.b"], ANN)
        after = "select task, after from meta.agenda order by job"
        assert rows(connection, after) == [("r.s.a", []), ("r.s.b", [one.job])]
        waiting = JobFilter(statuses=["waiting"])
        assert steering.count(cursor, REGISTRY, waiting) == (2, two.job)
        later = JobFilter(statuses=["waiting"], upto=one.job)  # what came since the preview stays
        assert [done[1:] for done in steering.cancel(cursor, REGISTRY, later, ANN)] == [
            ("r.s.a", "waiting")
        ]
        ended = JobFilter(statuses=["cancelled"], tasks=["r.s.a"])
        (new,) = steering.retry(cursor, REGISTRY, ended, ANN)
        assert new.job > two.job  # a new attempt, and the old one is kept
    assert rows(connection, "select job, status from meta.agenda order by job") == [
        (one.job, "cancelled"), (two.job, "waiting"), (new.job, "waiting")]  # fmt: skip
    found = rows(
        connection, "select job, message, data from meta.event where job is not null order by event"
    )
    assert {data["by"] for _, _, data in found} == {"ann"}
    assert (one.job, "cancelled by ann (login)") in [event[:2] for event in found]


def test_a_blacklist_ends_by_itself(folder: Path, connection: PgSession) -> None:
    with connection.cursor() as cursor:
        steering.blacklist(cursor, REGISTRY, ["r.s.c"], ANN, timedelta(hours=2), "moving house")
    connection.commit()
    assert queued(folder) == ["r.s.a"]
    with connection.cursor() as cursor:
        cursor.execute("update meta.override set blacklisted_until = now() - interval '1 s'")
    connection.commit()
    assert queued(folder) == ["r.s.c"]
    with connection.cursor() as cursor:
        steering.blacklist(cursor, REGISTRY, ["r.s.c"], ANN, None)
        assert steering.unblacklist(cursor, REGISTRY, ["r.s.c", "r.s.a"], ANN) == ["r.s.c"]


def test_a_task_forgets_how_far_it_has_read(folder: Path, connection: PgSession) -> None:
    with connection.cursor() as cursor:
        cursor.execute("""insert into meta.watermark (task, source, column_name, kind, value)
            values ('r.s.a', 'x', 'id', 'integer', '7'), ('r.s.c', 'x', 'id', 'integer', '7')""")
        steering.clear_watermarks(cursor, REGISTRY, ["r.s.a"], ANN)
    assert rows(connection, "select task from meta.watermark") == [("r.s.c",)]
    event = "select message from meta.event where task = 'r.s.a' order by event desc limit 1"
    assert rows(connection, event) == [("watermark cleared by ann (login): it was id 7",)]
