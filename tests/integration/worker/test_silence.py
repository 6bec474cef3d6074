"""Connections whose other side vanishes without a word: no job, no lock and no worker hangs."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as PgSession

from dapu.registry.store import Registry
from dapu.warehouse.warehouse import open_warehouse
from dapu.worker import job_watch
from dapu.worker.job_watch import Watch
from tests.conftest import Database, MakeWarehouse
from tests.services.mariadb import MariaDB
from tests.services.relay import Relay, running_relay
from tests.support.command import dapu, wait_until
from tests.support.components import manager, one, rows
from tests.support.rounds import prepare

# The worker with its patience in tenths of seconds.
_HASTY = """
import dapu.worker.job_watch as watch
from dapu.worker import worker
watch._INTERVAL, watch._SILENT, watch._CUT_SOURCES, watch._CUT_ALL = 0.1, 0.5, 0.5, 9.0
worker.GRACE, worker._RECONNECT = 0.5, 0.1
from dapu.cli.main import main
main()
"""
_SLEEPS = (
    "select count(*) from pg_stat_activity where state = 'active' and query ~ 'pg_sleep' "
    "and pid <> pg_backend_pid()"
)


@pytest.fixture
def relay(database: Database) -> Iterator[Relay]:
    """A relay to the test's server."""
    server = database.server
    with running_relay(server.socket_directory / f".s.PGSQL.{server.port}") as relay:
        yield relay


def through(relay: Relay, database: Database) -> str:
    """The connection `main`, led through the relay."""
    return f"""\
- name: main
  driver: pg
  host: 127.0.0.1
  port: {relay.port}
  database: {database.name}
  username: {database.server.username}
"""


@contextmanager
def hasty_worker(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A worker that loses its patience soon; ends it when the test has not."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HASTY, "worker", str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def slow_source(make: MakeWarehouse, relay: Relay, database: Database, run: str) -> Path:
    """A task whose query at a source behind the relay takes its time."""
    source = through(relay, database).replace("name: main", "name: source")
    folder = make(
        {
            "connections.yaml": database.connections_yaml() + source,
            "routes/r/route.yaml": "connection: source",
            "routes/r/s/t/task.yaml": f"run: {run}\nactions: [{{do: database, query: q.sql}}]",
            "routes/r/s/t/q.sql": "select 1 as a from pg_sleep(600)",
        }
    )
    prepare(folder)
    manager(folder)
    return folder


def test_a_source_that_fell_silent_does_not_outlive_the_timeout(
    make_warehouse: MakeWarehouse, relay: Relay, database: Database, connection: PgSession
) -> None:
    folder = slow_source(make_warehouse, relay, database, "{timeout: 1 s, retries: 0}")
    with hasty_worker(folder) as worker:
        wait_until(lambda: one(connection, _SLEEPS))
        relay.silence()
        worker.wait(30)
    [(status, message)] = rows(connection, "select status, message from meta.agenda")
    assert status == "failed"
    assert message.startswith("timed out")


def test_between_jobs_a_session_is_cut_in_which_both_sides_wait(
    make_warehouse: MakeWarehouse,
    relay: Relay,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job_watch, "_INTERVAL", 0.05)
    monkeypatch.setattr(job_watch, "_SILENT", 0.2)
    warehouse = open_warehouse(make_warehouse({"connections.yaml": through(relay, database)}))
    session = warehouse.connect("worker")
    watch = Watch(Registry(), session, 1, lambda: warehouse.connect("watch"), lambda *_: None)
    with closing(session), closing(watch), session.cursor() as cursor:
        with watch.awaits(session):
            cursor.execute("select pg_sleep(0.6)")  # it works on that, however long it takes
        relay.silence(relay.clients[0])
        with pytest.raises(psycopg2.OperationalError), watch.awaits(session):
            cursor.execute("select 1")


def test_a_mariadb_that_fell_silent_does_not_outlive_the_timeout(
    make_warehouse: MakeWarehouse, mariadb: MariaDB, database: Database, connection: PgSession
) -> None:
    with running_relay(mariadb.socket) as relay, closing(mariadb.connect()) as shop:
        shop_entry = f"- {{name: shop, url: '{replace(mariadb, port=relay.port).url()}'}}\n"
        folder = make_warehouse(
            {
                "connections.yaml": f"{database.connections_yaml()}{shop_entry}",
                "routes/r/route.yaml": "connection: shop",
                "routes/r/s/t/task.yaml": "run: {timeout: 1 s, retries: 0}\n"
                "actions: [{do: database, query: q.sql}]",
                "routes/r/s/t/q.sql": "select sleep(20) as a",
            }
        )
        prepare(folder)
        manager(folder)
        with hasty_worker(folder) as worker, shop.cursor() as cursor:
            found = (
                "select 1 from information_schema.processlist where info like 'select%sleep(20)%'"
            )
            wait_until(lambda: cursor.execute(f"{found} and id <> connection_id()"))
            relay.silence()
            worker.wait(15)
    [(status, message)] = rows(connection, "select status, message from meta.agenda")
    assert status == "failed"
    assert message.startswith("timed out")


def test_a_worker_that_is_told_to_stop_ends_though_its_source_fell_silent(
    make_warehouse: MakeWarehouse, relay: Relay, database: Database, connection: PgSession
) -> None:
    folder = slow_source(make_warehouse, relay, database, "{timeout: 1 hour}")
    with hasty_worker(folder) as worker:
        wait_until(lambda: one(connection, _SLEEPS))
        relay.silence()
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)
    assert one(connection, "select status from meta.agenda") == "waiting"


def test_a_worker_whose_lock_fell_in_silence_holds_no_other_up(
    make_warehouse: MakeWarehouse, relay: Relay, database: Database, connection: PgSession
) -> None:
    folder = make_warehouse(
        {
            "connections.yaml": database.connections_yaml(),
            "routes/r/route.yaml": "",
            "routes/r/s/t/task.yaml": "run: {retries: 2, retry_wait: 0 s}\n"
            "actions: [{do: sql, file: a.sql}, {do: sql, file: b.sql}]",
            "routes/r/s/t/a.sql": "insert into public.taken values (1); select pg_sleep(600)",
            "routes/r/s/t/b.sql": "select 1",
        }
    )
    rows(connection, "create table public.taken (id int primary key)")
    prepare(folder)
    manager(folder)
    direct = (folder / "connections.yaml").read_text()
    (folder / "connections.yaml").write_text(through(relay, database))
    with hasty_worker(folder) as first:
        wait_until(lambda: one(connection, _SLEEPS))
        found = "select pid from pg_stat_activity where application_name = 'dapu worker'"
        pid, held = one(connection, found), one(connection, "select backend from meta.agenda")
        relay.silence(relay.clients[0])  # a worker's first connection is that with its lock
        rows(connection, "select pg_terminate_backend(%s)", [pid])
        (folder / "connections.yaml").write_text(direct)
        (folder / "routes/r/s/t/a.sql").write_text("insert into public.taken values (1)")
        done = dapu("worker", folder, "--minutes", "0.3")
        assert done.status in (0, 1), done
        gone = "select count(*) from pg_stat_activity where pid = %s"
        wait_until(lambda: one(connection, gone, [held]) == 0)
        first.wait(60)
    assert one(connection, "select status from meta.agenda order by job limit 1") != "running"
