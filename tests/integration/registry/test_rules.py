"""Rules that stand in the registry's schema: a wrong state is impossible, whoever writes it."""

from __future__ import annotations

from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as PgSession

from tests.conftest import MakeWarehouse
from tests.support.components import a_task, registrar, rows, versioner

ADD = "insert into meta.agenda (task, route, priority, cause{}) values ('r.s.t', 'r', 5, 'run'{})"
WAITING = ADD.format("", "")
RUNNING = ADD.format(", status, worker, started_at", ", 'running', 1, now()")
DONE = ADD.format(", status, ended_at", ", 'done', now()")


@pytest.fixture
def registry(make_warehouse: MakeWarehouse, connection: PgSession) -> PgSession:
    folder: Path = make_warehouse({"routes/r/route.yaml": "", **a_task("r.s.t")})
    versioner(folder)
    registrar(folder)
    return connection


def test_a_task_has_one_waiting_and_one_running_job_at_most(registry: PgSession) -> None:
    for statement in (WAITING, RUNNING, DONE, DONE):
        rows(registry, statement)
    for statement in (WAITING, RUNNING):
        with pytest.raises(psycopg2.errors.UniqueViolation):
            rows(registry, statement)
    with pytest.raises(psycopg2.errors.UniqueViolation):
        rows(registry, "update meta.agenda set status = 'waiting' where status = 'running'")


@pytest.mark.parametrize("statement", [
    ADD.format(", status, ended_at", ", 'finished', now()"),
    ADD.format(", status", ", 'done'"),
    ADD.format(", ended_at", ", now()"),
    ADD.format(", status", ", 'running'"),
    WAITING.replace("'run'", "'whim'"),
    "update meta.registry set state = 'odd'",
    "update meta.registry set state = 'faulty'",
    "update meta.registry set fault = 'x'",
    "update meta.registry set cron = '0 0 * * *'",
    "update meta.registry set task = 'r.s.other'",
    "update meta.registry set priority = 0",
    "update meta.route set concurrency = 0",
    "update meta.route set disabled = '{everything}'",
    "insert into meta.dependency values ('r.s.t', 'r.s.t')",
    "insert into meta.event (level, message) values ('loud', 'x')",
])  # fmt: skip
def test_a_value_that_makes_no_sense_is_refused(registry: PgSession, statement: str) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation):
        rows(registry, statement)


def test_two_tasks_cannot_fill_one_table(registry: PgSession) -> None:
    with pytest.raises(psycopg2.errors.UniqueViolation):
        rows(registry, """
            insert into meta.route (route, connection) values ('q', 'main');
            insert into meta.registry (task, route, schema_name, table_name, hash, definition,
                pause, priority, retries, retry_wait, timeout)
            select 'q.s.t', 'q', schema_name, table_name, hash, definition,
                pause, priority, retries, retry_wait, timeout from meta.registry
        """)  # fmt: skip


def test_a_task_cannot_depend_on_one_that_is_not_registered(registry: PgSession) -> None:
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        rows(registry, "insert into meta.dependency values ('r.s.t', 'r.s.none')")
