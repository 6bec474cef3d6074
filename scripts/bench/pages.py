#!/usr/bin/env python
"""How long the server takes for each page, in a warehouse of many tasks and jobs.

    ./scripts/bench/run pages [--tasks 10000] [--jobs 1000000] [--runs 20]

It fills a registry with tasks of which a hundredth failed and a tenth waits, with ended jobs and an
event each, and 700 tasks whose SQL reads each other's tables, and asks a server on loopback for
every page, one after the other. It prints the milliseconds from the request to the last byte: of
the first request after a server of its own was started, then the median and the slowest of others,
and the size; at the end what the first requests take when nobody asked for a minute.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import requests
import uvicorn

from dapu.agents.installed import definition_reader, known_agents
from dapu.components.registrar import register
from dapu.lineage.kept_graph import read_graph
from dapu.server.api import make_app
from dapu.server.desk import Desk
from dapu.server.settings import read_server_settings
from dapu.warehouse.warehouse import Warehouse
from scripts.bench.jobs import warehouse_of
from scripts.bench.lineage_project import write_tasks
from scripts.bench.status import FILL

_GOAL = 100  # milliseconds
_MODELS_RAN = """
update meta.registry set last_status = case when mod(length(hash) + ascii(hash), 9) = 0
    then 'failed' else 'done' end, last_started_at = now() - interval '1 hour',
    last_ended_at = now() - interval '50 minutes', last_done_at = now() - interval '50 minutes';
"""
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
_MODELS = 700
LARGE = "r.mart.model_0020"  # most of the others are made of it
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
    f"/lineage/{LARGE}",
    f"/catalogue/{LARGE}",
)
_IDLE = 61  # seconds
_AFTER_IDLE = ("/", "/tasks", f"/lineage/{LARGE}", f"/tasks/{TASK}")


def fill(warehouse: Warehouse, tasks: int, jobs: int) -> None:
    """Makes the registry, and the tasks that have files."""
    write_tasks(warehouse.folder, _MODELS)
    reader = known_agents(warehouse.settings).reader(warehouse.settings)
    register(warehouse, reader, lambda _: None)
    with warehouse.session("bench") as session:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute(_MODELS_RAN)
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
        read_graph(warehouse, definition_reader)  # what it keeps of SQL is there on any other day
        print(f"{'page':<52} {'first':>6} {'median ms':>9} {'slowest':>8} {'KB':>6}")
        with listening(warehouse) as url, requests.Session() as browser:
            for page in PAGES:
                _measure(browser, url, page, given.runs, _first(warehouse, page))
            time.sleep(_IDLE)
            for page in _AFTER_IDLE:
                print(f"{page + ' after a minute':<52} {_asked(browser, url, page)[0]:>6.0f}")


def _first(warehouse: Warehouse, page: str) -> float:
    """The milliseconds of the first request to a server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dapu", "server", str(warehouse.folder), "--port", str(port)]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen([*command, "--processes", "0"], stdout=quiet, stderr=quiet)
    try:
        while True:
            time.sleep(0.05)
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
        with requests.Session() as browser:
            return _asked(browser, f"http://127.0.0.1:{port}", page)[0]
    finally:
        server.terminate()
        server.wait()


def _asked(browser: requests.Session, url: str, page: str) -> tuple[float, int]:
    """The milliseconds that a page takes, and its size in bytes."""
    started = time.perf_counter()
    answer = browser.get(url + page, headers={"Accept": "text/html"}, timeout=60)
    took = 1000 * (time.perf_counter() - started)
    answer.raise_for_status()
    return took, len(answer.content)


def _measure(browser: requests.Session, url: str, page: str, runs: int, first: float) -> None:
    asked = [_asked(browser, url, page) for _ in range(runs)]
    times, size = [took for took, _ in asked], asked[-1][1] / 1000
    middle, slowest = statistics.median(times), max(times)
    print(f"{page:<52} {first:>6.0f} {middle:>9.0f} {slowest:>8.0f} {size:>6.0f}", flush=True)


if __name__ == "__main__":
    main()
