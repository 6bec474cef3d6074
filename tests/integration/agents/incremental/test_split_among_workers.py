"""`split`: workers without a job read parts of another's load, and any of them may die."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from dapu.registry.activity import activity
from dapu.registry.store import Registry
from dapu.warehouse.warehouse import open_warehouse
from dapu.worker.part_help import PartHelp
from dapu.worker.worker import Worker
from tests.conftest import Database, MakeWarehouse
from tests.support.command import running, wait_until
from tests.support.components import manager
from tests.support.rounds import Seen, prepare
from tests.support.sales import TASK, make

# Each part of five rows takes a quarter of a second.
SLOW = "select id, at, amount, shop.slow(id) as one from shop.sale"
ALL = [(100, 100, 5050)]
FOUND = "select count(*), count(distinct id), sum(amount)::int from staging.sale"


@pytest.fixture
def source(source: Any) -> Any:
    """The source, with 100 rows that come slowly."""
    source(
        "insert into shop.sale select n, timestamp '2024-01-15' + n * interval '1 day', n "
        "from generate_series(1, 100) n;"
        "create function shop.slow(int) returns int stable language sql as "
        "'select 1 from pg_sleep(0.05 + $1 * 0)'"
    )
    return source


def queued(make_warehouse: MakeWarehouse, options: str) -> Path:
    """A warehouse with the job of a load in 20 parts in the queue."""
    folder = make(make_warehouse, options, SLOW)
    prepare(folder)
    manager(folder)
    return folder


def work(folder: Path, count: int) -> list[Seen]:
    """Runs workers side by side until nothing is left."""
    seen = [Seen() for _ in range(count)]
    workers = [Worker(open_warehouse(folder), one, minutes=1) for one in seen]
    threads = [Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def the_end(seen: list[Seen]) -> str:
    """What the job said in the end, whichever worker had it."""
    (outcome,) = [one.outcomes[TASK] for one in seen if TASK in one.outcomes]
    assert outcome.status == "done", outcome.message
    return outcome.message


def nothing_is_left(source: Any) -> None:
    assert source("select count(*) from meta.part") == [(0,)]
    assert source("select count(*) from meta.part_offer") == [(0,)]
    assert source("select to_regclass('staging.sale__parts')::text") == [(None,)]


def test_workers_without_a_job_read_parts_of_another_ones_load(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    folder = queued(make_warehouse, "split: {column: id, parts: 20, at_once: 3}")
    seen = work(folder, 3)
    message = the_end(seen)
    assert ", 20 parts, " in message
    assert "of them by other workers" in message
    notes = [note for one in seen for note in one.notes if note.startswith("read part ")]
    assert f", {len(notes)} of them by other workers" in message
    assert source(FOUND) == ALL
    said = source("select message from meta.event where message like '%reads parts of it too'")
    assert 1 <= len(said) <= 2
    nothing_is_left(source)


def test_no_more_parts_are_read_at_once_than_the_source_may_serve(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    readers = "select count(*) from pg_stat_activity where state = 'active' and query ~ 'shop.slow'"
    folder = make(
        make_warehouse,
        "split: {column: id, parts: 10, at_once: 2}",
        f"select id, amount, shop.slow(id) as one, ({readers}) as readers from shop.sale",
    )
    prepare(folder)
    manager(folder)
    message = the_end(work(folder, 4))
    assert "of them by other workers" in message
    assert source("select max(readers) from staging.sale")[0][0] <= 2


def test_a_part_that_fails_elsewhere_is_read_by_the_job(
    make_warehouse: MakeWarehouse, source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: PartHelp, offer: Any) -> Any:
        raise OSError("the source is not to be had from here")

    monkeypatch.setattr(PartHelp, "_reader", broken)
    message = the_end(work(queued(make_warehouse, "split: {column: id, parts: 20}"), 2))
    assert message.startswith("100 rows, table made, 20 parts in "), message
    warnings = source("select message from meta.event where level = 'warning'")
    assert len(warnings) == 1
    assert "gave a part back: " in warnings[0][0]
    assert "the source is not to be had from here" in warnings[0][0]


@contextmanager
def workers(folder: Path, count: int) -> Iterator[list[subprocess.Popen[str]]]:
    with ExitStack() as stack:
        yield [stack.enter_context(running("worker", folder)) for _ in range(count)]


def process_of(source: Any, worker: str) -> int:
    """The process of a worker that the query gives."""
    return int(source(f"select pid from meta.worker where worker = ({worker})")[0][0])


OWNER = "select worker from meta.agenda where status = 'running'"
HELPER = "select max(worker) from meta.part where worker is not null"


def rows_until_now(database: Database) -> int | None:
    """As `dapu status` and the pages show it of the job that runs."""
    with database.connect() as session, session.cursor() as cursor:
        return activity(cursor, Registry()).running[0].rows


@pytest.mark.parametrize("victim", [OWNER, HELPER])
def test_a_worker_that_dies_loses_nothing(
    make_warehouse: MakeWarehouse, source: Any, database: Database, victim: str
) -> None:
    folder = queued(make_warehouse, "split: {column: id, parts: 20, at_once: 2}")
    with workers(folder, 2) as processes:
        wait_until(lambda: source(f"select ({HELPER}) is not null") == [(True,)])
        brought = rows_until_now(database)
        assert brought is not None
        assert brought % 5 == 0
        os.kill(process_of(source, victim), signal.SIGKILL)
        assert source("select to_regclass('staging.sale')::text") == [(None,)]
        for process in processes:
            process.wait()
    assert source(FOUND) == ALL
    tries = 2 if victim == OWNER else 1
    assert source("select tries, status from meta.agenda") == [(tries, "done")]
    nothing_is_left(source)


def test_who_reads_a_part_stops_when_the_job_is_cancelled(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    folder = queued(make_warehouse, "split: {column: id, parts: 2, at_once: 2}")
    reading = "select count(*) from pg_stat_activity where query like '%shop.slow%' and state = "
    reading += "'active' and pid <> pg_backend_pid()"
    source("update shop.sale set id = id")
    with workers(folder, 2):
        wait_until(lambda: source("select count(*) from meta.part_offer") == [(1,)])
        wait_until(lambda: source(reading) == [(2,)])
        source("update meta.agenda set status = 'cancelled', ended_at = now()")
        wait_until(lambda: source(reading) == [(0,)])
    assert source("select to_regclass('staging.sale')::text") == [(None,)]
    assert source("select count(*) from meta.part where rows is not null") == [(0,)]


@pytest.mark.parametrize("seed", [1])
def test_workers_that_die_at_any_moment_lose_nothing_and_double_nothing(
    make_warehouse: MakeWarehouse, source: Any, seed: int
) -> None:
    chance = random.Random(seed)
    folder = queued(make_warehouse, "split: {column: id, parts: 20, at_once: 2}")
    source("update meta.registry set retries = 20, retry_wait = interval '0'")
    done = "select count(*) from meta.agenda where status = 'done'"
    with ExitStack() as stack:
        alive = [stack.enter_context(running("worker", folder)) for _ in range(3)]
        for _ in range(4):
            time.sleep(chance.uniform(0.3, 1.5))
            chance.shuffle(alive)
            os.kill(alive[0].pid, signal.SIGKILL)
            alive[0].wait()
            if source(done) == [(1,)]:
                break
            alive[0] = stack.enter_context(running("worker", folder))
        wait_until(lambda: source(done) == [(1,)], 60)
    assert source(FOUND) == ALL
    nothing_is_left(source)
