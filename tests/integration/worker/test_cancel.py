"""Jobs that an operator cancels: nothing of them is kept, and nobody is woken."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as PgSession
from psycopg2.extensions import cursor as PgCursor

from dapu.registry import agenda
from dapu.registry.store import Registry
from dapu.warehouse.warehouse import open_warehouse
from dapu.worker.job import Outcome
from dapu.worker.job_watch import Watch
from dapu.worker.worker import Worker
from tests.conftest import MakeWarehouse
from tests.support.components import a_task, manager, one, rows
from tests.support.rounds import Seen, prepare

TASK = "r.s.t"
SLOW = 60  # seconds, if nothing stopped it
REGISTRY = Registry()


class _Started(Seen):
    """Says when a job has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()

    def started(self, job: agenda.Job) -> None:
        super().started(job)
        self.begun.set()


def test_cancel_stops_a_running_job_and_keeps_nothing(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    files = {"run.sql": f"create table public.made (id int); select pg_sleep({SLOW})"}
    folder = make_warehouse(
        {
            "routes/r/route.yaml": "",
            **a_task(TASK, files),
            **a_task("r.s.slave", depends=f"[{TASK}]"),
        }
    )
    prepare(folder)
    manager(folder)
    seen = _Started()
    worker = threading.Thread(target=Worker(open_warehouse(folder), seen, minutes=1).run)
    worker.start()
    assert seen.begun.wait(10)
    time.sleep(0.2)
    with connection, connection.cursor() as cursor:
        assert agenda.cancel(cursor, REGISTRY, 1) == (TASK, "running")
    worker.join(5)
    assert not worker.is_alive()
    assert seen.outcomes[TASK] == Outcome("cancelled", 0, "it was cancelled")
    assert one(connection, "select to_regclass('public.made')") is None
    assert rows(connection, "select status, message from meta.agenda") == [
        ("cancelled", "cancelled by an operator")
    ]


def test_cancel_of_a_job_at_its_very_end_keeps_nothing(
    make_warehouse: MakeWarehouse, connection: PgSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_warehouse(
        {
            "routes/r/route.yaml": "",
            **a_task(TASK, {"run.sql": "create table public.made (id int)"}),
        }
    )
    prepare(folder)
    manager(folder)
    monkeypatch.setattr("dapu.worker.job_watch._INTERVAL", 60)  # it does not see it

    def cancel_then_check(watch: Watch) -> None:
        with connection, connection.cursor() as cursor:
            agenda.cancel(cursor, REGISTRY, 1)

    monkeypatch.setattr(Watch, "check", cancel_then_check)
    seen = Seen()
    Worker(open_warehouse(folder), seen, minutes=1).run()
    assert seen.outcomes[TASK].status == "cancelled"
    assert one(connection, "select to_regclass('public.made')") is None


def test_a_stop_that_comes_after_the_commit_changes_nothing(
    make_warehouse: MakeWarehouse, connection: PgSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"run.sql": "create table public.made (id int)"}
    folder = make_warehouse({"routes/r/route.yaml": "", **a_task(TASK, files)})
    prepare(folder)
    manager(folder)
    finish = agenda.finish

    def finish_and_be_stopped(cursor: PgCursor, *values: Any) -> bool:
        owned = finish(cursor, *values)
        if "done" not in values:
            return owned
        cursor.connection.commit()
        assert agenda.is_owner(cursor, REGISTRY, 1, 1)  # so the watch does not take it for lost
        raise psycopg2.errors.QueryCanceled("canceling statement due to user request")

    monkeypatch.setattr(agenda, "finish", finish_and_be_stopped)
    seen = Seen()
    Worker(open_warehouse(folder), seen, minutes=1).run()
    assert seen.outcomes[TASK] == Outcome("done", 0, "0 rows")
    assert one(connection, "select status from meta.agenda") == "done"


def test_cancel_of_a_waiting_job(make_warehouse: MakeWarehouse, connection: PgSession) -> None:
    folder = make_warehouse({"routes/r/route.yaml": "", **a_task(TASK)})
    prepare(folder)
    manager(folder)
    with connection, connection.cursor() as cursor:
        assert agenda.cancel(cursor, REGISTRY, 1) == (TASK, "waiting")
        assert agenda.cancel(cursor, REGISTRY, 1) is None
    seen = Seen()
    Worker(open_warehouse(folder), seen, minutes=1).run()
    assert seen.order == []
