#!/usr/bin/env python
"""How long the server takes for each page, in a warehouse of many tasks and jobs.

    ./scripts/bench/run pages [--tasks 10000] [--jobs 1000000] [--runs 20]

It fills a registry with tasks of which a hundredth failed and a tenth waits, with ended jobs and an
event each, and asks a server on loopback for every page, one after the other. It prints the median
and the slowest of the milliseconds from the request to the last byte, and the size.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests
import uvicorn

from dapu.server.api import make_app
from dapu.server.desk import Desk
from dapu.server.settings import read_server_settings
from dapu.warehouse.warehouse import Warehouse
from scripts.bench.jobs import warehouse_of
from scripts.bench.status import FILL

_GOAL = 100  # milliseconds
_HISTORY = """
insert into meta.agenda (task, route, status, priority, cause, queued_at, started_at, ended_at,
    rows, message, worker)
select t.task, t.route,
    case when mod(n + length(t.task) * 7, 97) = 0 then 'failed' else 'done' end, 5, 'manager',
    at, at, at + (1 + mod(n, 9)) * interval '1 second', 1000 * mod(n, 50),
    'database: ' || n || ' rows in 1.0 s', 1
from generate_series(%(rounds)s, 1, -1) n
cross join lateral (select now() - interval '1 hour' - n * interval '7 hours' as at) as times
cross join meta.registry t;
insert into meta.event (job, task, at, level, message)
select job, task, ended_at, case when status = 'failed' then 'error' else 'info' end, message
from meta.agenda where ended_at is not null;
"""
TASK = "r1.staging.table_number_1"
PAGES = (
    "/",
    "/tasks",
    "/tasks?state=failed",
    "/tasks?q=table_number_77",
    "/tasks?q=route:r1",
    f"/tasks/{TASK}",
    "/jobs",
    "/jobs?status=failed",
    "/jobs?status=lost",
    f"/jobs?task={TASK}",
    "/jobs?before=500000",
    "/jobs?since=yesterday&status=failed",
    "/jobs/100",
    "/events",
    "/events?status=error",
    f"/events?task={TASK}",
    "/lineage",
    "/catalogue",
    f"/catalogue/{TASK}",
)


def fill(warehouse: Warehouse, tasks: int, jobs: int) -> None:
    """Makes the registry."""
    with warehouse.session("bench") as session:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute(FILL, {"tasks": tasks})
            cursor.execute(_HISTORY, {"rounds": max(jobs // tasks - 10, 0)})
            cursor.execute("vacuum analyze")


@contextmanager
def listening(warehouse: Warehouse) -> Iterator[str]:
    """The address of a server for the warehouse, in a thread of this process."""
    settings = read_server_settings({}, None, None, "staging")
    app = make_app(Desk(warehouse, settings), settings.tokens, lambda: None)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=20)
    given = parser.parse_args()
    with warehouse_of(0) as warehouse:
        fill(warehouse, given.tasks, given.jobs)
        print(f"{given.tasks:,} tasks, {given.jobs:,} jobs; the goal is {_GOAL} ms")
        print(f"{'page':<52} {'median ms':>9} {'slowest':>8} {'KB':>6}")
        with listening(warehouse) as url, requests.Session() as browser:
            for page in PAGES:
                _measure(browser, url, page, given.runs)


def _measure(browser: requests.Session, url: str, page: str, runs: int) -> None:
    times, size = [], 0
    for _ in range(runs + 1):
        started = time.perf_counter()
        answer = browser.get(url + page, headers={"Accept": "text/html"}, timeout=60)
        times.append(1000 * (time.perf_counter() - started))
        answer.raise_for_status()
        size = len(answer.content)
    known = times[1:]  # the first reads what is in no memory yet
    print(f"{page:<52} {statistics.median(known):>9.0f} {max(known):>8.0f} {size / 1000:>6.0f}")


if __name__ == "__main__":
    main()
