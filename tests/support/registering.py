"""What the tests of the Registrar ask the registry, and put into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as PgSession

from dapu.components.registrar import Registration
from tests.support.components import rows

MakeRoute = Callable[[dict[str, str]], Path]
T = "routes/r/s/t"
MAKE_T = "create table s.t (a int)"


def state(connection: PgSession, task: str = "r.s.t") -> tuple[Any, ...]:
    found = rows(connection, "select state, fault from meta.registry where task = %s", [task])
    return found[0] if found else ()


def waiting(connection: PgSession) -> list[str]:
    found = rows(connection, "select task from meta.agenda where status = 'waiting' order by task")
    return [task for (task,) in found]


def result(done: Registration) -> dict[str, Any]:
    parts = {
        "new": done.new, "changed": done.changed, "unregistered": done.unregistered,
        "postponed": done.postponed, "unchanged": done.unchanged,
    }  # fmt: skip
    return {name: value for name, value in parts.items() if value}


def a_watermark(connection: PgSession, task: str = "r.s.t") -> None:
    rows(connection, """
        insert into meta.watermark (task, source, column_name, kind, value, job)
        values (%(task)s, 'database q.sql from main', 'id', 'integer', '7', 1);
        insert into meta.seen (task, source, item, state, job)
        values (%(task)s, 'file *.csv from main', 'a.csv', '{}', 1)
    """, {"task": task})  # fmt: skip


def remembers(connection: PgSession) -> bool:
    counts = "select (select count(*) from meta.watermark), (select count(*) from meta.seen)"
    [(watermarks, seen)] = rows(connection, counts)
    assert watermarks == seen
    return bool(watermarks)


def a_running_job(connection: PgSession, task: str = "r.s.t") -> None:
    rows(connection, """
        insert into meta.agenda (task, route, priority, cause, status, worker, started_at)
        values (%s, 'r', 5, 'run', 'running', 1, now())
    """, [task])  # fmt: skip
