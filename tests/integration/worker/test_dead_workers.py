"""Workers that are killed: nothing of their jobs stays, and the jobs run again at once."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.registry import agenda, workers
from dapu.registry.store import Registry
from dapu.warehouse.warehouse import open_warehouse
from dapu.worker.worker import Worker
from tests.conftest import MakeWarehouse
from tests.support.command import running, wait_until
from tests.support.components import ROUTE, a_task, manager, one, rows
from tests.support.rounds import Seen, prepare

TASK = "r.s.t"
REGISTRY = Registry()
# Slow as long as the table `slow` has a row, and more than a buffer full.
SLOW_QUERY = """
    select i as id, repeat('x', 20000) as text from generate_series(1, 200) i
    where not exists (select from public.slow) or pg_sleep(0.1) is not null
"""
SLOW_SQL = "create table public.made (id int); select pg_sleep(60) from public.slow"


@pytest.fixture
def slow(connection: PgSession) -> PgSession:
    """Makes the tests' queries slow until the row is deleted."""
    rows(connection, "create table public.slow as select 1 as one")
    return connection


def loading(make_warehouse: MakeWarehouse) -> Path:
    """A warehouse with a job in the queue that loads for a long time."""
    task = "actions: [{do: database, query: q.sql, load: append, watermark: {column: id}}]\n"
    files = {"routes/r/s/t/task.yaml": task, "routes/r/s/t/q.sql": SLOW_QUERY}
    return queued(make_warehouse, files)


def queued(make_warehouse: MakeWarehouse, files: dict[str, str]) -> Path:
    folder = make_warehouse({**ROUTE, **files})
    prepare(folder)
    manager(folder)
    return folder


def status(connection: PgSession) -> str:
    return str(one(connection, "select status from meta.agenda where job = 1"))


def wait_for_start(connection: PgSession) -> None:
    """Waits until the job is in the middle of its load."""
    busy = "select count(*) from pg_stat_activity where query ~ 'pg_sleep' and state = 'active'"
    wait_until(lambda: one(connection, busy + " and pid <> pg_backend_pid()"))


def kill(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_a_worker_killed_in_the_middle_of_a_load_leaves_no_row_and_its_job_runs_again(
    make_warehouse: MakeWarehouse, slow: PgSession
) -> None:
    folder = loading(make_warehouse)
    with running("worker", folder) as process:
        wait_for_start(slow)
        kill(process)
    killed = time.monotonic()
    assert status(slow) == "running"
    rows(slow, "delete from public.slow")
    seen = Seen()
    Worker(open_warehouse(folder), seen, minutes=1).run()
    assert time.monotonic() - killed < 30
    assert seen.notes == ["its worker died; the job is waiting"]
    assert seen.outcomes[TASK].status == "done"
    assert rows(slow, "select count(*), count(distinct id) from s.t") == [(200, 200)]
    assert rows(slow, "select tries, status from meta.agenda") == [(2, "done")]
    assert rows(slow, "select ending from meta.worker order by worker") == [("died",), ("done",)]


def test_the_manager_frees_the_job_of_a_killed_worker(
    make_warehouse: MakeWarehouse, slow: PgSession
) -> None:
    folder = queued(make_warehouse, a_task(TASK, {"run.sql": SLOW_SQL}))
    with running("worker", folder) as process:
        wait_for_start(slow)
        kill(process)
    wait_until(lambda: manager(folder).freed, 30)
    assert rows(slow, "select status, message from meta.agenda") == [("waiting", "its worker died")]
    wait_until(lambda: one(slow, "select count(*) from pg_stat_activity where query ~ 'slow'") <= 1)
    assert one(slow, "select to_regclass('public.made')") is None


def test_a_job_that_kills_its_worker_each_time_fails_in_the_end(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = queued(make_warehouse, a_task(TASK, run="{retries: 2, retry_wait: 10 minutes}"))
    wait = "select not_before > now() + interval '9 minutes' from meta.agenda"
    for tries, status in ((1, "waiting"), (2, "waiting"), (3, "failed")):
        with connection, connection.cursor() as cursor:
            claim = agenda.claim_job(cursor, REGISTRY, worker=77, backend=0, job=1)
            assert claim is not None
            assert claim.job.tries == tries
        assert [(task, how) for _, task, how in manager(folder).freed] == [(TASK, status)]
        assert one(connection, wait) == (tries > 1), "the first time it may be chance"
    assert rows(connection, "select status, message from meta.agenda") == [
        ("failed", "its worker died; no tries left")
    ]
    assert rows(connection, "select last_status from meta.registry") == [("failed",)]
    assert rows(connection, "select level, message from meta.event order by event") == [
        ("warning", "its worker died"),
        ("warning", "its worker died"),
        ("error", "its worker died; no tries left"),
    ]


def test_the_job_of_a_dead_worker_gives_way_to_one_that_waits(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = queued(make_warehouse, a_task(TASK))
    with connection, connection.cursor() as cursor:
        agenda.claim(cursor, REGISTRY, worker=77, backend=0)
        cursor.execute("update meta.agenda set full_load = true")
        agenda.add(cursor, REGISTRY, TASK, "run", full=False)
    manager(folder)
    found = rows(connection, "select status, message, full_load from meta.agenda order by job")
    assert found == [
        ("cancelled", "its worker died; another job of the task is waiting", True),
        ("waiting", None, True),
    ]


def test_a_live_worker_keeps_its_job(make_warehouse: MakeWarehouse, connection: PgSession) -> None:
    folder = queued(make_warehouse, a_task(TASK))
    with open_warehouse(folder).session("test") as session, session.cursor() as cursor:
        number = workers.enrol(cursor, REGISTRY)
        assert agenda.claim(cursor, REGISTRY, number, backend=0)
        session.commit()
        assert manager(folder).freed == []
    wait_until(lambda: manager(folder).freed, 5)
    assert status(connection) == "waiting"


def test_jobs_are_freed_even_when_whoever_found_the_worker_dead_died_too(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = queued(make_warehouse, a_task(TASK))
    rows(
        connection,
        "insert into meta.worker (host, pid, version, ended_at, ending)"
        " values ('h', 1, '0', now(), 'died')",
    )
    with connection, connection.cursor() as cursor:
        assert agenda.claim(cursor, REGISTRY, worker=1, backend=0)
    assert [task for _, task, _ in manager(folder).freed] == [TASK]


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGTERM] * 2, [signal.SIGINT]])
def test_a_stopped_worker_ends_or_gives_back_the_job_in_hand(
    make_warehouse: MakeWarehouse, slow: PgSession, signals: list[signal.Signals]
) -> None:
    quick = "select pg_sleep(1.5) from public.slow"
    at_once = signals != [signal.SIGTERM]
    folder = queued(
        make_warehouse,
        {
            **a_task(TASK, {"run.sql": SLOW_SQL if at_once else quick}, run="{retries: 0}"),
            **a_task("r.s.u", run="{priority: 9}"),
        },
    )
    with running("worker", folder) as process:
        wait_for_start(slow)
        for number in signals:
            process.send_signal(number)
            time.sleep(0.2)
        out, _ = process.communicate(timeout=15)
    assert process.returncode == 0, out
    assert "Traceback" not in out
    expected = ("waiting", 0) if at_once else ("done", 1)
    assert rows(slow, "select status, tries from meta.agenda order by job") == [
        expected,
        ("waiting", 0),
    ]
    told = "job 1 given back: the worker was asked to stop" if at_once else "done: "
    assert told in out
    assert one(slow, "select to_regclass('public.made')") is None
    assert rows(slow, "select ending, jobs from meta.worker") == [("stopped", 1)]
