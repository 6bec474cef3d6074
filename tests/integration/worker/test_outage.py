"""The warehouse's database goes away in the middle of a run, and comes back."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from dapu.errors import DatabaseUnreachable
from dapu.warehouse.warehouse import open_warehouse
from dapu.worker.worker import JobCounts, Worker
from tests.conftest import Database, MakeWarehouse
from tests.services.postgres import StoppablePostgres, running_stoppable
from tests.support.command import wait_until
from tests.support.components import a_task, manager, one, rows
from tests.support.rounds import Seen, prepare

LOAD = "r.s.t"
GATED_QUERY = """
    select i as id, repeat('x', 20000) as text from generate_series(1, 200) i
    where not exists (select from public.gate) or pg_sleep(0.1) is not null
"""
LOADING = """
run: {retry_wait: 0 s}
actions: [{do: database, query: q.sql, load: append, watermark: {column: id}}]
"""


@pytest.fixture(scope="module")
def main() -> Iterator[StoppablePostgres]:
    with running_stoppable() as main:
        yield main


def ask(main: StoppablePostgres, query: str) -> Any:
    """The one value of a query in the warehouse."""
    with closing(psycopg2.connect(main.postgres.uri())) as connection:
        return one(connection, query)


@pytest.fixture
def folder(
    make_warehouse: MakeWarehouse, database: Database, main: StoppablePostgres
) -> Iterator[Path]:
    """A warehouse in the server that can be stopped; its source is in the one that stays."""
    connections = Database(main.postgres, "postgres").connections_yaml()
    connections += database.connections_yaml().replace("name: main", "name: source")
    with closing(database.connect()) as connection:
        rows(connection, "create table public.gate as select 1 as one")
    yield make_warehouse(
        {
            "connections.yaml": connections,
            "warehouse.yaml": f"registry: {{schema: {database.name}}}",
            "routes/r/route.yaml": "connection: source",
            "routes/r/s/t/task.yaml": LOADING,
            "routes/r/s/t/q.sql": GATED_QUERY,
            **a_task("r.s.slave", depends=f"[{LOAD}]"),
            **a_task("r.s.other", run="{priority: 9}"),
        }
    )
    with closing(psycopg2.connect(main.postgres.uri())) as connection:
        rows(connection, "drop schema if exists s cascade")


class Working:
    """A worker in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self.seen, self.counts = Seen(), JobCounts()
        self._worker = Worker(open_warehouse(folder), self.seen, minutes=2)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.counts = self._worker.run()

    def join(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture(autouse=True)
def quick_return(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dapu.worker.worker._RECONNECT", 0.1)


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGINT])
def test_a_worker_waits_for_the_database_and_loads_everything_once(
    folder: Path, database: Database, main: StoppablePostgres, how: signal.Signals
) -> None:
    prepare(folder)
    manager(folder)
    working = Working(folder)
    with closing(database.connect()) as source:
        busy = "select count(*) from pg_stat_activity where query ~ 'pg_sleep' and state = 'active'"
        wait_until(lambda: one(source, busy + " and pid <> pg_backend_pid()"))
        main.stop(how)
        rows(source, "delete from public.gate")
    time.sleep(0.5)
    main.start()
    working.join()
    assert [note for note in working.seen.notes if "away" in note or "back" in note] == [
        working.seen.notes[0],  # told once, however long it takes
        "the warehouse's database is back",
    ]
    assert working.seen.order == [LOAD, LOAD, "r.s.slave", "r.s.other"]
    assert working.counts.endings == {"waiting": 1, "done": 3}
    assert not working.counts.failing
    assert ask(main, "select count(*) || ' ' || count(distinct id) from s.t") == "200 200"
    assert ask(main, f"select max(value) from {database.name}.watermark") == "200"


def test_a_worker_that_waits_for_a_try_goes_on_after_a_restart(
    folder: Path, database: Database, main: StoppablePostgres
) -> None:
    (folder / "routes/r/s/t/q.sql").write_text("select 1 / (select 0) as id")
    text = LOADING.replace("retry_wait: 0 s", "retries: 1, retry_wait: 2 s")
    (folder / "routes/r/s/t/task.yaml").write_text(text)
    prepare(folder)
    manager(folder)
    working = Working(folder)
    wait_until(lambda: "r.s.other" in working.seen.outcomes)
    main.stop(signal.SIGINT)
    main.start()
    working.join()
    assert working.seen.order == [LOAD, "r.s.other", LOAD]
    assert working.counts.failing == {LOAD: "failed"}


def test_a_worker_whose_minutes_end_while_the_database_is_away_ends(
    folder: Path, main: StoppablePostgres
) -> None:
    prepare(folder)
    manager(folder)
    seen = Seen()
    worker = Worker(open_warehouse(folder), seen, minutes=2 / 60)
    thread = threading.Thread(target=worker.run)
    thread.start()
    wait_until(lambda: seen.order)
    main.stop(signal.SIGINT)
    try:
        thread.join(15)
        assert not thread.is_alive()
    finally:
        main.start()


def test_a_worker_that_finds_no_database_says_which_and_where(
    folder: Path, main: StoppablePostgres
) -> None:
    main.stop(signal.SIGINT)
    try:
        with pytest.raises(DatabaseUnreachable) as error:
            Worker(open_warehouse(folder), Seen(), minutes=1).run()
    finally:
        main.start()
    assert "the warehouse's database does not answer (main in connections.yaml: " in str(
        error.value
    )
