#!/usr/bin/env python
"""How many jobs a second the Worker runs: jobs that do nothing, with all their bookkeeping.

    ./scripts/bench/run jobs [--jobs 3000] [--processes 1 2 4] [--profile]

It makes a warehouse directory of tasks that run `select 1`, on an embedded PostgreSQL with the
durability that it has by default, and prints a table. Each job is a commit of its own, waited
for until it is on the disk; so the disk sets the limit, and its speed is printed too.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from dapu.agents.installed import known_agents
from dapu.components.manager import queue_due_tasks
from dapu.components.registrar import register
from dapu.components.versioner import bring_up_to_date
from dapu.registry.agenda import Job
from dapu.registry.events import Level
from dapu.warehouse.warehouse import Warehouse, open_warehouse
from dapu.worker.job import Outcome
from dapu.worker.processes import run_processes
from dapu.worker.worker import JobCounts, Worker

_FILES = {
    "warehouse.yaml": "",
    "connections.yaml": "- {name: main, driver: embedded, path: postgres}\n",
    "routes/none/route.yaml": "",
}
_TASK = {"task.yaml": "actions: [{do: sql, file: one.sql}]\n", "one.sql": "select 1\n"}


class Silent:
    """A reporter that shows nothing."""

    def started(self, job: Job) -> None:
        """See `dapu.worker.worker.Reporter`."""

    def progress(self, job: Job, rows: int) -> None:
        """See `dapu.worker.worker.Reporter`."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """See `dapu.worker.worker.Reporter`."""

    def note(self, level: Level, task: str, message: str) -> None:
        """See `dapu.worker.worker.Reporter`."""


@contextmanager
def warehouse_of(jobs: int) -> Iterator[Warehouse]:
    """A warehouse with so many tasks, ready to run."""
    folder = Path(tempfile.mkdtemp(prefix="dapu-bench-"))
    try:
        for name, text in _FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        for number in range(jobs):
            task = folder / f"routes/none/s/t{number}"
            task.mkdir(parents=True)
            for name, text in _TASK.items():
                (task / name).write_text(text, encoding="utf-8")
        warehouse = open_warehouse(folder)
        bring_up_to_date(warehouse, lambda _: None)
        reader = known_agents(warehouse.settings).reader(warehouse.settings)
        register(warehouse, reader, lambda _: None)
        yield warehouse
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def queue_all(warehouse: Warehouse) -> None:
    """Makes every task due, and queues it."""
    with warehouse.session("bench") as session, session, session.cursor() as cursor:
        cursor.execute("update meta.registry set last_ended_at = null")
    queue_due_tasks(warehouse)
    with warehouse.session("bench") as session:
        session.autocommit = True
        session.cursor().execute("vacuum analyze")


def run(warehouse: Warehouse, processes: int) -> JobCounts:
    """Runs what is queued."""
    if processes == 1:
        return Worker(warehouse, Silent(), minutes=10).run()
    return run_processes(warehouse.folder, processes, 10, Silent())


def syncs_a_second() -> float:
    """How often this machine's disk stores a block of 8 kB for good."""
    with tempfile.NamedTemporaryFile() as file:
        started, count = time.perf_counter(), 0
        while time.perf_counter() - started < 1:
            os.pwrite(file.fileno(), bytes(8192), 0)
            os.fdatasync(file.fileno())
            count += 1
        return count / (time.perf_counter() - started)


def processor_seconds(warehouse: Warehouse) -> float:
    """The processor's time of this process, its children, and the server until now."""
    total = time.process_time()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    total += children.ru_utime + children.ru_stime
    pid = (warehouse.folder / "postgres/postmaster.pid").read_text("utf-8").split()[0]
    postmaster = psutil.Process(int(pid))
    for process in postmaster.children():
        with suppress(psutil.NoSuchProcess):  # then its time is the postmaster's
            times = process.cpu_times()
            total += times.user + times.system
    times = postmaster.cpu_times()
    return total + times.user + times.system + times.children_user + times.children_system


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, default=3000)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--profile", action="store_true", help="show where one process spends it")
    given = parser.parse_args()
    print(f"the disk: {syncs_a_second():,.0f} synchronous writes a second")
    print(f"{'processes':>9} {'jobs':>6} {'seconds':>8} {'jobs a second':>14} {'cpu ms a job':>13}")
    with warehouse_of(given.jobs) as warehouse:
        for processes in given.processes:
            queue_all(warehouse)
            profile = cProfile.Profile()
            if given.profile:
                profile.enable()
            busy, started = processor_seconds(warehouse), time.perf_counter()
            counts = run(warehouse, processes)
            seconds = time.perf_counter() - started
            busy = processor_seconds(warehouse) - busy
            profile.disable()
            print(
                f"{processes:>9} {counts.jobs:>6} {seconds:>8.2f} {counts.jobs / seconds:>14,.0f}"
                f" {1000 * busy / counts.jobs:>13.2f}"
            )
            assert counts.endings == {"done": given.jobs}, counts.endings
            if given.profile:
                pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
