"""Which job a worker takes next, and when it stops looking for one."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as PgSession

from dapu.errors import ConfigurationError
from dapu.registry import agenda, control
from dapu.registry.agenda import Job
from dapu.registry.store import Registry
from dapu.warehouse.warehouse import open_warehouse
from dapu.worker.job import Outcome
from dapu.worker.worker import JobCounts, Worker, _Connection
from tests.conftest import MakeWarehouse
from tests.support.command import wait_until
from tests.support.components import ROUTE, a_task, manager, one, rows, write
from tests.support.rounds import Seen, prepare, run_due

REGISTRY = Registry()


def work(folder: Path, minutes: float = 1) -> Seen:
    """A worker without a manager before it."""
    seen = Seen()
    Worker(open_warehouse(folder), seen, minutes).run()
    return seen


def claim(connection: PgSession) -> str | None:
    """Claims a job as worker 1 does; returns its task."""
    with connection, connection.cursor() as cursor:
        claimed = agenda.claim(cursor, REGISTRY, worker=1, backend=0)
        return claimed.job.task if claimed else None


def test_the_most_urgent_job_runs_first_and_among_equals_the_oldest(
    make_warehouse: MakeWarehouse,
) -> None:
    folder = make_warehouse(
        {
            **ROUTE,
            **a_task("r.s.second", run="{priority: 2}"),
            **a_task("r.s.last", run="{priority: 9}"),
            **a_task("r.s.first", run="{priority: 1}"),
            **a_task("r.s.third", run="{priority: 2}"),
        }
    )
    prepare(folder)
    assert run_due(folder).order == ["r.s.first", "r.s.second", "r.s.third", "r.s.last"]


def test_a_second_round_finds_nothing_due(make_warehouse: MakeWarehouse) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t")})
    prepare(folder)
    assert run_due(folder).order == ["r.s.t"]
    assert run_due(folder).order == []


def test_never_two_jobs_of_one_task(make_warehouse: MakeWarehouse, connection: PgSession) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t")})
    prepare(folder)
    manager(folder)
    assert claim(connection) == "r.s.t"
    with connection, connection.cursor() as cursor:
        assert agenda.add(cursor, REGISTRY, "r.s.t", "run", full=False) == 2
    assert claim(connection) is None
    rows(connection, "update meta.agenda set status = 'done', ended_at = now() where job = 1")
    assert claim(connection) == "r.s.t"


def test_two_waiting_jobs_of_one_task_are_impossible(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    prepare(make_warehouse({**ROUTE, **a_task("r.s.t")}))
    insert = (
        "insert into meta.agenda (task, route, priority, cause) values ('r.s.t', 'r', 1, 'run')"
    )
    rows(connection, insert)
    with pytest.raises(psycopg2.errors.UniqueViolation):
        rows(connection, insert)


def test_two_running_jobs_of_one_task_are_impossible(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    prepare(make_warehouse({**ROUTE, **a_task("r.s.t")}))
    insert = """insert into meta.agenda (task, route, priority, cause, status, worker, started_at)
        values ('r.s.t', 'r', 1, 'run', 'running', 1, now())"""
    rows(connection, insert)
    with pytest.raises(psycopg2.errors.UniqueViolation):
        rows(connection, insert)


def test_a_route_runs_no_more_jobs_at_once_than_it_allows(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    files = {"routes/narrow/route.yaml": "concurrency: 2", "routes/wide/route.yaml": ""}
    for number in range(3):
        files |= a_task(f"narrow.s.n{number}", run="{priority: 1}")
        files |= a_task(f"wide.s.w{number}")
    folder = make_warehouse(files)
    prepare(folder)
    manager(folder)
    claimed = [claim(connection) for _ in range(6)]
    assert claimed[:2] == ["narrow.s.n0", "narrow.s.n1"]
    assert claimed[2:5] == ["wide.s.w0", "wide.s.w1", "wide.s.w2"]
    assert claimed[5] is None


def test_a_disabled_route_is_left_alone(make_warehouse: MakeWarehouse) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t")})
    prepare(folder)
    manager(folder)
    write(folder, {"routes/r/route.yaml": "disabled: [worker]"})
    prepare(folder)
    assert work(folder).order == []


@pytest.mark.parametrize("status", ["waiting", "running"])
def test_no_task_starts_while_a_master_of_it_is_waiting_or_running(
    make_warehouse: MakeWarehouse, connection: PgSession, status: str
) -> None:
    folder = make_warehouse(
        {
            **ROUTE,
            **a_task("r.s.master", run="{priority: 9, retry_wait: 1 hour}"),
            **a_task("r.s.slave", depends="[r.s.master]", run="{priority: 1}"),
        }
    )
    prepare(folder)
    with connection, connection.cursor() as cursor:
        agenda.add(cursor, REGISTRY, "r.s.master", "run", full=False)
        if status == "running":
            assert agenda.claim(cursor, REGISTRY, worker=1, backend=0)
        else:  # it waits for its next try
            cursor.execute("update meta.agenda set not_before = now() + interval '1 hour'")
        agenda.add(cursor, REGISTRY, "r.s.slave", "run", full=False)
    assert claim(connection) is None


def test_a_paused_warehouse_starts_nothing(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t")})
    prepare(folder)
    manager(folder)
    with connection, connection.cursor() as cursor:
        control.pause(cursor, REGISTRY, "somebody")
    assert work(folder).order == []
    with connection, connection.cursor() as cursor:
        control.resume(cursor, REGISTRY)
    assert work(folder).order == ["r.s.t"]


def test_a_job_that_is_cancelled_while_it_is_claimed_stays_cancelled(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t")})
    prepare(folder)
    manager(folder)
    claimed: list[str | None] = []
    with open_warehouse(folder).session("other") as other:
        with connection.cursor() as cursor:
            assert agenda.cancel(cursor, REGISTRY, 1) == ("r.s.t", "waiting")
            claimer = threading.Thread(target=lambda: claimed.append(claim(other)))
            claimer.start()
            time.sleep(0.2)  # now it waits for the row
            connection.commit()
        claimer.join()
    assert claimed == [None]
    assert one(connection, "select status from meta.agenda") == "cancelled"


def test_a_worker_waits_for_the_next_try_of_a_job(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    rows(connection, "create table public.door (open boolean)")
    folder = make_warehouse(
        {
            **ROUTE,
            **a_task(
                "r.s.t",
                {"run.sql": "select 1 / count(*) from public.door"},
                run="{retry_wait: 1 second}",
            ),
        }
    )
    prepare(folder)
    manager(folder)
    opens = threading.Timer(0.3, lambda: rows(connection, "insert into public.door values (true)"))
    opens.start()
    started = time.monotonic()
    seen = work(folder)
    opens.join()
    assert seen.order == ["r.s.t", "r.s.t"]
    assert seen.outcomes["r.s.t"].status == "done"
    assert 1 <= time.monotonic() - started < 5
    assert sum(note.startswith("waits for its next try at ") for note in seen.notes) == 1


def test_a_worker_whose_minutes_end_before_the_next_try_does_not_wait(
    make_warehouse: MakeWarehouse,
) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t", {"run.sql": "select 1 / 0"})})
    prepare(folder)
    started = time.monotonic()
    seen = Seen()
    manager(folder)
    counts = Worker(open_warehouse(folder), seen, minutes=0.5).run()
    assert time.monotonic() - started < 5
    assert counts.failing == {"r.s.t": "waiting"}


def test_a_worker_takes_no_job_when_its_minutes_are_over(make_warehouse: MakeWarehouse) -> None:
    slow = {"run.sql": "select pg_sleep(0.4)"}
    files = {**ROUTE}
    for number in range(5):
        files |= a_task(f"r.s.t{number}", slow)
    folder = make_warehouse(files)
    prepare(folder)
    manager(folder)
    assert len(work(folder, minutes=0.9 / 60).order) in (2, 3)


def test_a_worker_stays_while_others_run_jobs_that_may_wake_more(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse(
        {
            **ROUTE,
            **a_task("r.s.master", {"run.sql": "select pg_sleep(0.7)"}),
            **a_task("r.s.slave_1", {"run.sql": "select pg_sleep(0.7)"}, depends="[r.s.master]"),
            **a_task("r.s.slave_2", {"run.sql": "select pg_sleep(0.7)"}, depends="[r.s.master]"),
        }
    )
    prepare(folder)
    manager(folder)
    first = threading.Thread(target=work, args=(folder,))
    first.start()
    time.sleep(0.4)
    second = work(folder)
    first.join()
    assert second.order  # it was there when the two were woken
    assert rows(connection, "select distinct status from meta.agenda") == [("done",)]
    assert one(connection, "select count(*) from meta.agenda") == 3


def test_a_worker_that_waits_is_woken_by_one_that_found_nothing_left(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t")})
    prepare(folder)
    warehouse, stopping = open_warehouse(folder), threading.Event()
    with _Connection(warehouse, Seen()) as waits, _Connection(warehouse, Seen()) as other:
        thread = threading.Thread(target=waits.wait, args=(600, stopping))
        thread.start()
        for _ in range(500):  # the first may come before it listens
            other.wake_others()
            thread.join(0.02)
            if not thread.is_alive():
                break
        was_woken = not thread.is_alive()
        stopping.set()
        thread.join()
        # One that connects anew ends what it had before, which the server may take to be alive.
        other.end_former(waits.former)
        left = "select count(*) from pg_stat_activity where pid = %s"
        wait_until(lambda: one(connection, left, [waits.former.backend]) == 0)
    assert was_woken


def test_a_worker_in_a_pause_ends_though_another_job_runs(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t"), **a_task("r.s.u")})
    prepare(folder)
    manager(folder)
    rows(
        connection,
        "update meta.agenda set status = 'running', worker = 1, started_at = now()",
    )
    with connection, connection.cursor() as cursor:
        control.pause(cursor, REGISTRY, "somebody")
        assert not agenda.outlook(cursor, REGISTRY).running
        control.resume(cursor, REGISTRY)
        assert agenda.outlook(cursor, REGISTRY).running


def test_a_retry_of_a_master_is_waited_for_though_its_dependent_waits_already(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse(
        {
            **ROUTE,
            **a_task("r.s.master", run="{retry_wait: 1 second}"),
            **a_task("r.s.slave", depends="[r.s.master]"),
        }
    )
    prepare(folder)
    with connection, connection.cursor() as cursor:
        agenda.add(cursor, REGISTRY, "r.s.slave", "run", full=False)
        agenda.add(cursor, REGISTRY, "r.s.master", "run", full=False)
        cursor.execute(
            "update meta.agenda set not_before = now() + interval '1 s' where task ~ 'master'"
        )
    assert work(folder).order == ["r.s.master", "r.s.slave"]


@pytest.mark.without_registry
def test_a_worker_started_before_the_versioner_says_what_to_do(
    make_warehouse: MakeWarehouse,
) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t")})
    with pytest.raises(ConfigurationError, match="run `dapu versioner` on this warehouse first"):
        work(folder)


def test_what_one_job_sets_in_its_session_is_not_in_the_next(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    rows(connection, "create role nobody_much")
    leaves = """
        select 1 / (current_setting('work_mem') <> '77MB')::int;
        create temporary table notes (n int);
        set work_mem to '77MB';
        set role nobody_much;
    """
    folder = make_warehouse(
        {
            **ROUTE,
            **a_task("r.s.first", {"run.sql": leaves}, run="{retries: 0, priority: 1}"),
            **a_task("r.s.second", {"run.sql": leaves}, run="{retries: 0, priority: 2}"),
        }
    )
    prepare(folder)
    seen = run_due(folder)
    assert {outcome.status for outcome in seen.outcomes.values()} == {"done"}, seen.outcomes


def test_a_task_that_throws_away_prepared_statements_harms_no_later_job(
    make_warehouse: MakeWarehouse,
) -> None:
    folder = make_warehouse(
        {
            **ROUTE,
            **a_task("r.s.a"),
            **a_task("r.s.b", {"run.sql": "deallocate all"}, run="{retry_wait: 0 s}"),
            **a_task("r.s.c"),
        }
    )
    prepare(folder)
    seen = run_due(folder)
    assert {outcome.status for outcome in seen.outcomes.values()} == {"done"}, seen.outcomes


def test_the_tally_forgets_what_a_later_try_mended() -> None:
    job = Job(1, "r.s.t", 1, 5, False, "manager", timedelta(hours=1))
    counts = JobCounts()
    counts.add(job, Outcome("waiting", 0, "no such table"))
    counts.add(job._replace(number=2, task="r.s.u"), Outcome("failed", 0, "no such table"))
    assert counts.failing == {"r.s.t": "waiting", "r.s.u": "failed"}
    counts.add(job, Outcome("done", 3, "3 rows"))
    assert counts.failing == {"r.s.u": "failed"}
    assert counts.jobs == 3


def test_a_watch_that_looks_all_the_time_disturbs_no_job(
    make_warehouse: MakeWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dapu.worker.job_watch._INTERVAL", 0.001)
    files = {**ROUTE}
    for number in range(150):
        files |= a_task(f"r.s.t{number}")
    folder = make_warehouse(files)
    prepare(folder)
    manager(folder)
    counts = Worker(open_warehouse(folder), Seen(), minutes=1).run()
    assert counts.endings == {"done": 150}
