"""A job that fails is tried again, each time after twice the wait, until its tries are used up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from psycopg2.extensions import connection as PgSession
from psycopg2.extensions import cursor as Cursor

from dapu.registry import agenda
from dapu.registry.agenda import Job
from dapu.registry.store import Registry
from dapu.warehouse.postgres_session import connect
from dapu.warehouse.warehouse import open_warehouse
from dapu.worker.job import Outcome
from dapu.worker.worker import Worker
from tests.conftest import MakeWarehouse
from tests.support.components import a_task, manager, one, rows
from tests.support.rounds import Seen, prepare

TASK = "r.s.t"
REGISTRY = Registry()


def failing(make_warehouse: MakeWarehouse, run: str) -> Path:
    """A warehouse with one task that fails, queued as job 1."""
    folder = make_warehouse(
        {"routes/r/route.yaml": "", **a_task(TASK, {"run.sql": "select 1 / 0"}, run=run)}
    )
    prepare(folder)
    manager(folder)
    return folder


def try_once(folder: Path) -> Outcome:
    """Tries job 1 now, whatever it waits for."""
    seen = Seen()
    Worker(open_warehouse(folder), seen, minutes=1).run(only=[1])
    return seen.outcomes[TASK]


@contextmanager
def claimed(connection: PgSession) -> Iterator[tuple[Cursor, Job]]:
    """A transaction in which worker 1 has claimed the job that waits."""
    with connection, connection.cursor() as cursor:
        claim = agenda.claim(cursor, REGISTRY, worker=1, backend=0)
        assert claim is not None
        yield cursor, claim.job


def test_the_wait_doubles_with_each_try_and_then_the_job_has_failed(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = failing(make_warehouse, "{retries: 2, retry_wait: 10 minutes}")
    waits = "select not_before - now() from meta.agenda where status = 'waiting'"
    for minutes in (10, 20):
        outcome = try_once(folder)
        assert outcome.status == "waiting"
        assert outcome.message.endswith(f"division by zero; next try in {minutes} min 0 s")
        wait = one(connection, waits)
        assert timedelta(minutes=minutes - 1) < wait <= timedelta(minutes=minutes)
    assert try_once(folder).status == "failed"
    assert rows(connection, "select status, tries from meta.agenda") == [("failed", 3)]
    assert one(connection, "select last_status from meta.registry") == "failed"


def test_a_task_without_retries_fails_at_once(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    assert try_once(failing(make_warehouse, "{retries: 0}")).status == "failed"


def test_each_failed_try_is_reported_as_an_error(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = failing(make_warehouse, "{retries: 1}")
    try_once(folder)
    try_once(folder)
    told = rows(connection, "select level, message from meta.event order by event")
    file = folder / "routes/r/s/t/run.sql"
    assert told == [
        ("error", f"{file}:1: division by zero; next try in 1 min 0 s"),
        ("error", f"{file}:1: division by zero"),
    ]


def test_a_job_that_waits_for_its_next_try_is_not_queued_again(
    make_warehouse: MakeWarehouse,
) -> None:
    folder = failing(make_warehouse, "{retries: 1}")
    try_once(folder)
    assert manager(folder).queued == []


def test_a_failed_try_gives_way_to_another_job_of_the_task(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = failing(make_warehouse, "{retries: 3}")
    worker = Worker(open_warehouse(folder), _QueuesAnother(connection), minutes=1)
    assert worker.run(only=[1]).failing == {TASK: "failed"}
    assert rows(connection, "select job, status from meta.agenda order by job") == [
        (1, "failed"),
        (2, "waiting"),
    ]


class _QueuesAnother(Seen):
    """Queues the task again when its job has started."""

    def __init__(self, connection: PgSession) -> None:
        super().__init__()
        self._connection = connection

    def started(self, job: Job) -> None:
        with self._connection, self._connection.cursor() as cursor:
            agenda.add(cursor, REGISTRY, job.task, "run", full=False)


@pytest.mark.parametrize("way", ["try_again", "give_back"])
def test_no_job_goes_back_to_the_queue_where_another_of_its_task_waits(
    make_warehouse: MakeWarehouse, connection: PgSession, way: str
) -> None:
    failing(make_warehouse, "{retries: 3}")
    with claimed(connection) as (cursor, job):
        cursor.execute("update meta.agenda set full_load = true")
        agenda.add(cursor, REGISTRY, TASK, "run", full=False)
        assert not getattr(agenda, way)(cursor, REGISTRY, job, 1, "it failed")
    # The one that waits stands for both: it reads everything too.
    assert rows(connection, "select job, status, full_load from meta.agenda order by job") == [
        (1, "running", True),
        (2, "waiting", True),
    ]


def test_a_try_that_is_given_back_does_not_count(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    failing(make_warehouse, "{retries: 0}")
    with claimed(connection) as (cursor, job):
        assert job.tries == 1
        assert agenda.give_back(cursor, REGISTRY, job, 1, "the worker stops")
    assert rows(connection, "select status, tries from meta.agenda") == [("waiting", 0)]


@pytest.mark.parametrize("way", ["try_again", "give_back", "finish"])
def test_a_worker_cannot_end_a_job_that_is_no_longer_its_own(
    make_warehouse: MakeWarehouse, connection: PgSession, way: str
) -> None:
    failing(make_warehouse, "{retries: 3}")
    session = connect({"dsn": connection.dsn}, {})
    with closing(session), claimed(session) as (cursor, job):
        stranger = 2
        if way == "finish":
            assert not agenda.finish(cursor, REGISTRY, job, stranger, "done", 1, "")
        else:
            assert not getattr(agenda, way)(cursor, REGISTRY, job, stranger, "")
    assert one(connection, "select status from meta.agenda") == "running"


def test_a_retry_by_hand_waits_no_longer_and_has_all_its_tries_again(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = failing(make_warehouse, "{retries: 1}")
    try_once(folder)
    with connection, connection.cursor() as cursor:
        assert agenda.add(cursor, REGISTRY, TASK, "retry", full=False) == 1
    assert rows(
        connection, "select status, tries, priority, not_before <= now() from meta.agenda"
    ) == [("waiting", 0, 1, True)]


def test_a_waiting_job_that_reads_everything_goes_on_to_do_so(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    failing(make_warehouse, "{retries: 1}")
    with connection, connection.cursor() as cursor:
        for full in (False, True, False):
            assert agenda.add(cursor, REGISTRY, TASK, "run", full) == 1
    assert one(connection, "select full_load from meta.agenda") is True


@pytest.mark.parametrize(
    ("query", "status"),
    [("select nothing_like_it", "failed"), ("select * from s.late", "waiting")],
)
def test_a_query_that_no_later_try_can_mend_has_failed_at_once(
    make_warehouse: MakeWarehouse, connection: PgSession, query: str, status: str
) -> None:
    folder = make_warehouse({"routes/r/route.yaml": "", **a_task(TASK, {"run.sql": query})})
    prepare(folder)
    manager(folder)
    outcome = try_once(folder)
    assert outcome.status == status
    assert ("it is not tried again" in outcome.message) == (status == "failed")
    assert (outcome.message,) in rows(connection, "select message from meta.event")
