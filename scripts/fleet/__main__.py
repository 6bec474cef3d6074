"""See `run` beside this file.

Each job writes a row with its task into one table, in its own transaction: so a job that ran twice
shows as two rows, and one that was lost as none.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from scripts.bench.environments import dapu_program
from scripts.bench.load.dapu_ways import dapu, postgres_connection, write_connections
from scripts.bench.measure import BenchError
from scripts.bench.servers import Postgres, clean_environment, running_postgres
from scripts.fleet.hosts import HUB, NETWORK, Host, running_hosts

_DATABASE = "warehouse"
_TASK = "actions: [{do: sql, file: one.sql}]\n"
_LOOK = 0.2  # seconds
_START_WITHIN, _END_WITHIN = 300.0, 600.0
_DONE = "select count(*) from meta.agenda where status = 'done' and job > {after}"
_RATE = """
select count(*), count(distinct worker),
    extract(epoch from max(ended_at) - min(started_at))::float8
from meta.agenda where job > {after} and status = 'done'
"""
_RUNS = "select count(*), count(distinct task) from public.runs"
_OVER = "update meta.registry set last_ended_at = null, last_done_at = null"
_ALIVE = "select count(*) from meta.worker where ended_at is null"


@dataclass(frozen=True)
class Fleet:
    """A warehouse of tasks that write a row, and its server."""

    folder: Path
    server: Postgres
    jobs: int

    def number(self, query: str) -> int:
        """The one number that a query returns."""
        return int(self.server.execute(_DATABASE, query)[0][0] or 0)

    def queue(self) -> int:
        """Makes every task due, queues it, and pauses; returns the last job before."""
        self.server.execute(_DATABASE, "truncate public.runs")
        self.server.execute(_DATABASE, _OVER)
        before = self.number("select max(job) from meta.agenda")
        dapu("manager", self.folder)  # in a pause it queues nothing
        dapu("pause", self.folder)
        return before

    def start(self) -> None:
        """Lets the workers begin. The command itself takes as long as Python's start."""
        self.server.execute(_DATABASE, "delete from meta.control where name = 'paused'")

    def until(self, is_so: Callable[[], bool], what: str, seconds: float) -> None:
        """Waits. Raises BenchError when it does not become so."""
        end = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > end:
                raise BenchError(f"{what} did not happen within {seconds:.0f} s")
            time.sleep(_LOOK)

    def done(self, after: int) -> int:
        """How many jobs are done of those that were queued after one."""
        return self.number(_DONE.format(after=after))

    def check(self) -> None:
        """Raises BenchError unless each job ran once."""
        rows, tasks = self.server.execute(_DATABASE, _RUNS)[0]
        if (rows, tasks) != (self.jobs, self.jobs):
            raise BenchError(f"{rows} rows of {tasks} tasks; it must be {self.jobs} of each")


@contextmanager
def _prepared(given: argparse.Namespace) -> Iterator[Fleet]:
    folder = Path(tempfile.mkdtemp(prefix="dapu-fleet-"))
    sessions = 3 * given.hosts * given.workers + 20
    listening = {"host": HUB, "network": NETWORK, "options": f"-c max_connections={sessions}"}
    try:
        with running_postgres(_DATABASE, **listening) as server:
            write_connections(folder, {"main": postgres_connection(server, _DATABASE)})
            (folder / "warehouse.yaml").write_text("{}\n", encoding="utf-8")
            (folder / "routes/none").mkdir(parents=True)
            (folder / "routes/none/route.yaml").write_text("", encoding="utf-8")
            for number in range(given.jobs):
                task = folder / f"routes/none/s/t{number}"
                task.mkdir(parents=True)
                (task / "task.yaml").write_text(_TASK, encoding="utf-8")
                insert = f"insert into public.runs values ('t{number}')\n"
                (task / "one.sql").write_text(insert, encoding="utf-8")
            server.execute(_DATABASE, "create table public.runs (task text)")
            dapu("versioner", folder)
            dapu("registrar", folder)
            yield Fleet(folder, server, given.jobs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _workers(fleet: Fleet, hosts: list[Host], each: int) -> Iterator[None]:
    """Workers on all hosts, each waiting for jobs."""
    words = (dapu_program(), "worker", fleet.folder, "--processes", str(each), "--stay")
    log = (fleet.folder / "workers.log").open("wb")
    started = [
        subprocess.Popen(host.command(*words), stdout=log, stderr=log, start_new_session=True)
        for host in hosts
    ]
    try:
        count = each * len(hosts)
        fleet.until(lambda: fleet.number(_ALIVE) >= count, f"{count} workers", _START_WITHIN)
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(120)
        log.close()


def _measure(fleet: Fleet, hosts: list[Host], each: int) -> None:
    before = fleet.queue()
    with _workers(fleet, hosts, each):
        busy = _busy()
        fleet.start()
        fleet.until(lambda: fleet.done(before) >= fleet.jobs, "the end of all jobs", _END_WITHIN)
        busy = _busy() - busy
    jobs, workers, seconds = fleet.server.execute(_DATABASE, _RATE.format(after=before))[0]
    fleet.check()
    print(
        f"{len(hosts)} x {each:>2} workers: {jobs:,} jobs by {workers} of them in {seconds:.1f} s, "
        f"{jobs / seconds:,.0f} a second, {1000 * busy / jobs:.2f} ms of a processor each",
        flush=True,
    )


def _busy() -> float:
    """Seconds that this machine's processors have worked."""
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice)


def _cut(fleet: Fleet, hosts: list[Host], each: int) -> None:
    """Cuts hosts off when a fifth is done, and puts them back when the others have ended all."""
    before = fleet.queue()
    gone = hosts[: max(len(hosts) * 3 // 10, 1)]
    with _workers(fleet, hosts, each):
        fleet.start()
        fifth = fleet.jobs // 5
        fleet.until(lambda: fleet.done(before) >= fifth, "a fifth of the jobs", _END_WITHIN)
        began = time.monotonic()
        for host in gone:
            host.cut()
        fleet.until(lambda: fleet.done(before) >= fleet.jobs, "the end of all jobs", _END_WITHIN)
        ended = time.monotonic() - began
        tries = "select count(*) from meta.agenda where tries > 1 and job > {after}"
        again = fleet.number(tries.format(after=before))
        for host in gone:
            host.mend()
        count = each * len(hosts)
        fleet.until(lambda: fleet.number(_ALIVE) >= count, "the return of the cut", _START_WITHIN)
        back = time.monotonic() - began - ended
    fleet.check()
    print(
        f"{len(gone)} of {len(hosts)} hosts cut off: all jobs ended {ended:.0f} s later, each "
        f"once, {again} by a second try; the cut workers were back {back:.0f} s after the cable",
        flush=True,
    )


def main() -> None:
    """Measures, then cuts."""
    parser = argparse.ArgumentParser(description="Workers on many hosts with one agenda.")
    parser.add_argument("--hub", required=True, help="the namespace that this runs in")
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--workers", type=int, default=10, help="on each host")
    parser.add_argument("--jobs", type=int, default=5000)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("fleet: ended by a signal"))
    clean_environment()
    try:
        with running_hosts(given.hub, given.hosts) as hosts, _prepared(given) as fleet:
            _measure(fleet, hosts[:1], 1)
            _measure(fleet, hosts[:1], 2)
            _measure(fleet, hosts, given.workers)
            _cut(fleet, hosts, given.workers)
    except BenchError as error:
        sys.exit(f"fleet: {error}")


if __name__ == "__main__":
    main()
