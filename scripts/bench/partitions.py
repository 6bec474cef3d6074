"""One load over several workers: a partitioned table, beside the raw pipe and pgcopydb.

    ./scripts/bench/run partitions [--rows 1000000] [--runs 3] [--at-once 2]

A PostgreSQL is source and warehouse. The target has a primary key, and as many partitions as are
read at once. The pipe is `psql COPY binary | psql COPY` into a table that has its key. dapu's
workers wait for jobs (`dapu worker --stay`) and have done the same load once. CPU is of the server
and of all programs together: it says more than the seconds where others use the machine too.
pgcopydb is measured where it is installed (Debian has it), with the server's own pg_dump, into a
database of its own: it copies the table in as many parts, makes the key after that, and analyzes,
as dapu does.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from dapu.text import counted
from scripts.bench.environments import dapu_program
from scripts.bench.load.dapu_ways import Warehouse, dapu, postgres_connection
from scripts.bench.measure import BenchError, run, run_pipe, show
from scripts.bench.servers import (
    TABLE,
    Postgres,
    clean_environment,
    definition,
    fill_postgres,
    make_csv,
    running_postgres,
)

SOURCE, WAREHOUSE, COPY = "source", "warehouse", "copy"
_TARGET = "dapu.lineitem"
_ACTION = {"load": "replace", "key": ["l_id"]}
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Way:
    """The runs of one way: seconds, and seconds of CPU."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, seconds: float, cpu: float) -> None:
        """One more run."""
        self.seconds.append(seconds)
        self.cpu.append(cpu)


@dataclass(frozen=True)
class Bench:
    """All that one measurement needs."""

    server: Postgres
    warehouse: Warehouse
    folder: Path
    rows: int
    at_once: int

    def plain_ways(self) -> dict[str, Callable[[], float]]:
        """Other ways than dapu by their name; each returns how long it took."""
        ways: dict[str, Callable[[], float]] = {
            "psql COPY binary | psql COPY": lambda: self._pipe("raw_lineitem"),
            "the same, into the partitions": lambda: self._pipe("raw_parts"),
        }
        if shutil.which("pgcopydb"):
            ways["pgcopydb clone"] = self._pgcopydb
        return ways

    def measure_all(self, ways: dict[str, Way]) -> None:
        """Each way once."""
        for name, what in self.plain_ways().items():
            ways.setdefault(name, Way()).add(*self._measure(what))
        by_partition = {"split": {"every": "partition", "at_once": self.at_once}}
        for count, options in ((1, {}), (1, by_partition), (self.at_once, by_partition)):
            how = "every: partition" if options else "no split"
            name = f"dapu, {how}, {counted(count, 'worker')}"
            task = self._define(options)
            with self._workers(count) as workers:
                self._load(task)
                measured = self._measure(partial(self._load, task, helped=count > 1), workers)
            ways.setdefault(name, Way()).add(*measured)

    def make_targets(self) -> None:
        """The tables that are loaded, empty."""
        execute = self.server.execute
        execute(WAREHOUSE, definition("raw_lineitem"))
        for name in ("raw_parts", _TARGET):
            plain = definition(name).rstrip().rstrip(";")
            execute(WAREHOUSE, f"{plain} partition by range (l_id)")
            width = self.rows // self.at_once
            for number in range(self.at_once):
                low = "minvalue" if number == 0 else str(number * width + 1)
                is_last = number == self.at_once - 1
                high = "maxvalue" if is_last else str((number + 1) * width + 1)
                part = f"create table {name}_{number} partition of {name} for values"
                execute(WAREHOUSE, f"{part} from ({low}) to ({high})")

    def _measure(
        self, what: Callable[[], float], workers: int | None = None
    ) -> tuple[float, float]:
        """Seconds, and those of CPU. workers: the process that has them as its children."""
        self.server.settle(WAREHOUSE)
        before = self._cpu(workers)
        seconds = what()
        return seconds, self._cpu(workers) - before

    def _pipe(self, table: str) -> float:
        self.server.execute(WAREHOUSE, f"truncate {table}")
        read = self.server.psql(SOURCE, f"copy {TABLE} to stdout (format binary)")
        write = self.server.psql(WAREHOUSE, f"copy {table} from stdin (format binary)")
        seconds = run_pipe(read, write).seconds
        self._check(WAREHOUSE, table)
        return seconds

    def _define(self, options: Mapping[str, object]) -> str:
        task = self.warehouse.define(f"postgres.{_TARGET}", {**_ACTION, **options})
        dapu("registrar", self.folder)
        return task

    def _load(self, task: str, *, helped: bool = False) -> float:
        """A job of dapu's, which a worker that waits takes. helped: others must have read parts."""
        execute = self.server.execute
        queue = "insert into meta.agenda (task, route, priority, cause, full_load) select task, "
        execute(
            WAREHOUSE, f"{queue} route, 1, 'run', true from meta.registry where task = '{task}'"
        )
        took = "select status, extract(epoch from ended_at - started_at)::float8, message "
        took += "from meta.agenda order by job desc limit 1"
        while (ended := execute(WAREHOUSE, took)[0])[0] in ("waiting", "running"):
            time.sleep(0.05)
        status, seconds, message = ended
        if status != "done" or (helped and "by other workers" not in message):
            raise BenchError(f"the job is {status}: {message}")
        self._check(WAREHOUSE, _TARGET)
        return float(seconds)

    @contextmanager
    def _workers(self, count: int) -> Iterator[int]:
        """The process of so many that wait for jobs."""
        words = ("worker", self.folder, "--stay", "--processes", str(count))
        process = subprocess.Popen([dapu_program(), *words], stdout=subprocess.DEVNULL)
        alive = "select count(*) from meta.worker where ended_at is null"
        try:
            while self.server.execute(WAREHOUSE, alive)[0][0] < count:
                time.sleep(0.1)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()

    def _pgcopydb(self) -> float:
        execute = self.server.execute
        execute("postgres", f"drop database if exists {COPY}")
        execute("postgres", f"create database {COPY}")
        size = execute(SOURCE, f"select pg_table_size('{TABLE}') / {self.at_once}")[0][0]
        jobs = str(self.at_once)
        with tempfile.TemporaryDirectory() as place:
            ends = ("--source", self.server.uri(SOURCE), "--target", self.server.uri(COPY))
            many = ("--table-jobs", jobs, "--index-jobs", jobs)
            split = ("--split-tables-larger-than", str(size - 1), "--dir", f"{place}/work")
            path = f"{self.server.programs}:{os.environ['PATH']}"
            command = ("pgcopydb", "clone", *ends, *many, *split)
            seconds = run(command, env={"PATH": path}).seconds
        self._check(COPY, TABLE)
        return seconds

    def _check(self, database: str, table: str) -> None:
        """No way may be fast because it left rows out, or did without the key."""
        count = self.server.execute(database, f"select count(*) from {table}")[0][0]
        keys = "select count(*) from pg_index where indisprimary and indisvalid and indrelid = "
        found = self.server.execute(database, f"{keys}'{table}'::regclass")[0][0]
        if (count, found) != (self.rows, 1):
            raise BenchError(f"{table} has {count} rows and {found} keys, not {self.rows} and 1")

    def _cpu(self, workers: int | None) -> float:
        """Seconds of the server, of the workers, and of the programs that ended."""
        data = self.server.execute("postgres", "show data_directory")[0][0]
        main = int(Path(data, "postmaster.pid").read_text(encoding="utf-8").split()[0])
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ended.ru_utime + ended.ru_stime + sum(map(_cpu_of, filter(None, (main, workers))))


def _cpu_of(process: int) -> float:
    """Seconds of a process and its children, those that ended too, as Linux's /proc has them."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:  # it ended
            continue
        user, system, ended_user, ended_system = map(int, words[11:15])
        if int(stat.parent.name) == process:
            ticks += user + system + ended_user + ended_system
        elif int(words[1]) == process:
            ticks += user + system
    return ticks / _TICKS


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=2)
    given = parser.parse_args()
    clean_environment()
    with (
        tempfile.TemporaryDirectory(prefix="dapu-bench-") as place,
        running_postgres(SOURCE, WAREHOUSE) as server,
    ):
        folder = Path(place)
        fill_postgres(server, SOURCE, make_csv(folder, given.rows))
        connections = {"postgres": postgres_connection(server, SOURCE)}
        warehouse = Warehouse(folder / "warehouse", server, WAREHOUSE, connections)
        server.execute(WAREHOUSE, "create schema dapu")
        bench = Bench(server, warehouse, folder / "warehouse", given.rows, given.at_once)
        bench.make_targets()
        ways: dict[str, Way] = {}
        for _ in range(given.runs):
            bench.measure_all(ways)
        print(_report(ways))


def _report(ways: dict[str, Way]) -> str:
    first = next(iter(ways.values()))
    lines = [("way", "s", "each run", "x pipe", "CPU s", "x pipe")]
    for name, way in ways.items():
        seconds, cpu = median(way.seconds), median(way.cpu)
        lines.append(
            (
                name,
                f"{seconds:.2f}",
                " ".join(f"{one:.2f}" for one in way.seconds),
                f"{seconds / median(first.seconds):.2f}",
                f"{cpu:.2f}",
                f"{cpu / median(first.cpu):.2f}",
            )
        )
    return show(lines)


if __name__ == "__main__":
    main()
