"""Several worker processes: no job runs twice, and none outlives the command."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest
from psycopg2.extensions import connection as PgSession

from tests.conftest import MakeWarehouse
from tests.support.command import dapu, running, wait_until
from tests.support.components import ROUTE, a_task, manager, one, rows
from tests.support.rounds import prepare

OVERLAPS = """
    select max((
        select count(*) from meta.agenda b
        where b.route = a.route and b.started_at <= a.started_at and b.ended_at > a.started_at))
    from meta.agenda a where a.route = %s
"""


def queued(make_warehouse: MakeWarehouse, files: dict[str, str]) -> Path:
    folder = make_warehouse({**ROUTE, **files})
    prepare(folder)
    manager(folder)
    return folder


COPIES = """
    insert into meta.registry (
        task, route, schema_name, table_name, hash, definition, pause, priority, retries,
        retry_wait, timeout)
    select 'r.s.t' || i, route, schema_name, 't' || i, hash, definition, pause, priority, retries,
        retry_wait, timeout
    from meta.registry, generate_series(1, 999) i where task = 'r.s.t0'
"""


@pytest.mark.slow
def test_four_processes_run_a_thousand_jobs_once_each_by_the_rules_of_one(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    rows(connection, "create table public.ran (task text)")
    sql = {"run.sql": "insert into public.ran values ({{ task }})"}
    nap = {"run.sql": "select pg_sleep(0.05)"}
    files = {**ROUTE, **a_task("r.s.t0", sql), "routes/narrow/route.yaml": "concurrency: 2"}
    for number in range(12):
        files |= a_task(f"narrow.n.t{number}", nap, run="{priority: 4}")
    files |= a_task("r.s.last", depends=f"[{', '.join(f'narrow.n.t{n}' for n in range(12))}]")
    folder = make_warehouse(files)
    prepare(folder)
    # The same files, and so the same hash, a thousand times.
    rows(connection, COPIES)
    for number in range(1, 1000):
        shutil.copytree(folder / "routes/r/s/t0", folder / f"routes/r/s/t{number}")
    manager(folder)
    done = dapu("worker", folder, "--processes", "4")
    assert done.status == 0, done.text[-2000:]
    assert "worker: 1,013 jobs: 1,013 done" in done.out
    assert rows(connection, "select count(*), count(distinct task) from public.ran") == [
        (1000, 1000)
    ]
    assert rows(connection, "select status, tries, count(*) from meta.agenda group by 1, 2") == [
        ("done", 1, 1013)
    ]
    assert one(connection, "select count(*) from meta.worker where jobs > 10") == 4
    assert one(connection, OVERLAPS, ["narrow"]) == 2
    assert one(connection, OVERLAPS, ["r"]) > 2
    after = """select count(*) from meta.agenda a, meta.agenda b
        where a.task = 'r.s.last' and b.route = 'narrow' and a.started_at < b.ended_at"""
    assert one(connection, after) == 0


@pytest.mark.without_registry
def test_children_that_cannot_start_say_why_once(make_warehouse: MakeWarehouse) -> None:
    folder = make_warehouse(ROUTE)
    done = dapu("worker", folder, "--processes", "2")
    assert done.status == 2
    assert done.err.count("run `dapu versioner` on this warehouse first") == 1
    assert "Traceback" not in done.text


def children(process: int) -> list[psutil.Process]:
    """The worker processes of a command, once they are at work."""
    found = psutil.Process(process).children()
    return [child for child in found if "spawn_main" in " ".join(child.cmdline())]


# Goes on when the test has emptied the table.
GATED = """
    do $$ begin
        while exists (select from public.gate) loop perform pg_sleep(0.05); end loop;
    end $$
"""
WAITS = {"run.sql": GATED}


@pytest.fixture
def gate(connection: PgSession) -> PgSession:
    """Makes the tests' jobs wait until `opened`."""
    rows(connection, "create table public.gate as select 1 as one")
    return connection


def opened(connection: PgSession) -> None:
    rows(connection, "delete from public.gate")


def at_work(connection: PgSession) -> int:
    return int(one(connection, "select count(*) from meta.agenda where status = 'running'"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_each_child_once(
    make_warehouse: MakeWarehouse, gate: PgSession, number: signal.Signals
) -> None:
    folder = queued(make_warehouse, {**a_task("r.s.a", WAITS), **a_task("r.s.b", WAITS)})
    with running("worker", folder, "--processes", "2") as process:
        wait_until(lambda: at_work(gate) == 2)
        # As a terminal and systemd do: the command and its children get it.
        for child in children(process.pid):
            child.send_signal(number)
        process.send_signal(number)
        time.sleep(0.5)
        if number == signal.SIGTERM:  # then there is time to end
            opened(gate)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 0, out
    assert "Traceback" not in out
    ending = "waiting" if number == signal.SIGINT else "done"
    assert rows(gate, "select status from meta.agenda") == [(ending,)] * 2
    assert rows(gate, "select ending from meta.worker") == [("stopped",)] * 2


def test_a_child_that_is_killed_is_reported_and_its_job_runs_again(
    make_warehouse: MakeWarehouse, gate: PgSession
) -> None:
    folder = queued(make_warehouse, {**a_task("r.s.a", WAITS), **a_task("r.s.b", WAITS)})
    with running("worker", folder, "--processes", "2") as process:
        wait_until(lambda: at_work(gate) == 2)
        os.kill(children(process.pid)[0].pid, signal.SIGKILL)
        opened(gate)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "worker 1 died (SIGKILL); its job waits again" in out
    assert rows(gate, "select status, tries from meta.agenda order by tries") == [
        ("done", 1),
        ("done", 2),
    ]


def test_children_end_when_their_parent_is_killed(
    make_warehouse: MakeWarehouse, gate: PgSession
) -> None:
    last = a_task("r.s.c", run="{priority: 9}")
    folder = queued(make_warehouse, {**a_task("r.s.a", WAITS), **a_task("r.s.b", WAITS), **last})
    with running("worker", folder, "--processes", "2") as process:
        wait_until(lambda: at_work(gate) == 2)
        family = children(process.pid)
        assert len(family) == 2
        process.kill()
        time.sleep(0.5)
        opened(gate)
        psutil.wait_procs(family, timeout=15)
    assert not any(child.is_running() for child in family)
    assert rows(gate, "select status from meta.agenda order by job") == [
        ("done",),
        ("done",),
        ("waiting",),
    ]


def test_workers_that_stay_wait_for_jobs_and_show_that_they_live(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t", {"run.sql": "select 1"})})
    prepare(folder)
    assert dapu("alive", folder).status == 1
    done = "select count(*) from meta.agenda where status = 'done'"
    alive = "select count(*) from meta.worker where ended_at is null"
    with running("worker", folder, "--processes", "2", "--stay") as workers:
        wait_until(lambda: one(connection, alive) == 2)
        found = dapu("alive", folder)
        assert (found.status, found.out.split()[0]) == (0, "2")
        manager(folder)  # after they found nothing
        wait_until(lambda: one(connection, done) == 1)
        assert workers.poll() is None
        workers.send_signal(signal.SIGTERM)
        assert workers.wait(60) == 0
    assert dapu("alive", folder).status == 1
