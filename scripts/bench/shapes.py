"""Tables of many shapes: `dapu run` as a whole beside the plainest pipe, and what is left to do.

    ./scripts/bench/run shapes [--only narrow wide …] [--runs 3] [--scale 1.0]

Each shape replaces a table that is there, with its key and its indexes. After each load the table
is settled: read once, then `vacuum (freeze, analyze)`; the WAL that these write is what the load
left for later. Autovacuum is on, as it is by default, and sleeps: it would come in between.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from scripts.bench.load.dapu_ways import Warehouse, postgres_connection
from scripts.bench.measure import BenchError, Measured, run_pipe, show, verdict
from scripts.bench.servers import Postgres, clean_environment, mariadb, running_postgres
from scripts.bench.settled import SETTLED_HEADING, Left, Settled, let_autovacuum_sleep, settle
from scripts.bench.shape_tables import SHAPES, Shape
from tests.services.mariadb import MariaDB, missing_programs, running_mariadb

_SOURCE, _WAREHOUSE = "source", "warehouse"
_GOAL = 1.2  # x pipe
_HEADING = ("way", "s", "each run", "x pipe", *SETTLED_HEADING, "goal")
_PIPE, _WHOLE, _JOB = "the pipe", "`dapu run` as a whole", "… the job"


@dataclass
class Way:
    """The runs of one way of loading a shape. left: empty for a part of another way."""

    seconds: list[float] = field(default_factory=list)
    left: Left = field(default_factory=Left)

    def add(self, seconds: float, settled: Settled | None = None) -> None:
        """One more run."""
        self.seconds.append(seconds)
        if settled is not None:
            self.left.add(seconds, settled)


@dataclass(frozen=True)
class Bench:
    """The servers, and the warehouse of dapu."""

    postgres: Postgres
    mariadb: MariaDB | None
    warehouse: Warehouse
    scale: float
    runs: int

    def measure(self, shape: Shape) -> str:
        """Loads a shape by each way in turn, so many times. Returns its part of the report."""
        rows = max(int(shape.rows * self.scale), 100)
        self._fill(shape, rows)
        for table in (f"raw_{shape.name}", f"dapu.{shape.name}"):
            for statement in shape.target(table):
                self.postgres.execute(_WAREHOUSE, statement)
        task = self._define(shape)
        self.warehouse.run(task, "--full")
        ways = {_PIPE: Way(), _WHOLE: Way(), _JOB: Way()}
        for number in range(self.runs):
            self._round(shape, task, rows, ways)
            taken = ", ".join(f"{name} {way.seconds[-1]:.2f} s" for name, way in ways.items())
            print(f"{shape.name}, run {number + 1}: {taken}", file=sys.stderr, flush=True)
        return f"{shape.name}: {rows:,} rows, {shape.title}\n{_report(ways)}"

    def _round(self, shape: Shape, task: str, rows: int, ways: dict[str, Way]) -> None:
        raw = f"raw_{shape.name}"
        self.postgres.execute(_WAREHOUSE, f"truncate {raw}")
        self.postgres.settle(_WAREHOUSE)
        ways[_PIPE].add(self._pipe(shape, raw).seconds, self._settle(raw, rows))
        self.postgres.settle(_WAREHOUSE)
        job = self.warehouse.run(task, "--full")
        ways[_WHOLE].add(job.process.seconds, self._settle(f"dapu.{shape.name}", rows))
        ways[_JOB].add(job.seconds)

    def _define(self, shape: Shape) -> str:
        name = f"{shape.server}.dapu.{shape.name}"
        action = {"load": "replace", "key": ["id"]}
        return self.warehouse.define(name, action, f"select * from {shape.name}")

    def _fill(self, shape: Shape, rows: int) -> None:
        if shape.server == "mariadb":
            assert self.mariadb is not None
            with self.mariadb.connect(_SOURCE) as session, session.cursor() as cursor:
                for statement in shape.source(rows):
                    cursor.execute(statement)
            return
        for statement in (*shape.source(rows), f"vacuum analyze {shape.name}"):
            self.postgres.execute(_SOURCE, statement)

    def _pipe(self, shape: Shape, target: str) -> Measured:
        if shape.server == "mariadb":
            assert self.mariadb is not None
            query = f"select * from {_SOURCE}.{shape.name}"
            read = (*mariadb(self.mariadb), "--quick", "-B", "-N", "-e", query)
            return run_pipe(read, self.postgres.psql(_WAREHOUSE, f"copy {target} from stdin"))
        copy = f"copy (select * from {shape.name}) to stdout (format binary)"
        into = f"copy {target} from stdin (format binary)"
        source, warehouse = self.postgres.psql(_SOURCE, copy), self.postgres.psql(_WAREHOUSE, into)
        return run_pipe(source, warehouse)

    def _settle(self, table: str, rows: int) -> Settled:
        return settle(self.postgres, _WAREHOUSE, table, rows)


def _report(ways: dict[str, Way]) -> str:
    pipe = ways[_PIPE]
    lines = [_HEADING]
    for name, way in ways.items():
        ratio = median(way.seconds) / median(pipe.seconds)
        runs = " ".join(f"{second:.2f}" for second in way.seconds)
        left = (*way.left.shown(pipe.left), _goal(way, pipe))
        lines.append((name, f"{median(way.seconds):.2f}", runs, f"{ratio:.2f}", *left))
    return show(lines)


def _goal(way: Way, pipe: Way) -> str:
    if way is pipe or not way.left.seconds:
        return ""
    whole = verdict(median(way.seconds) / median(pipe.seconds), _GOAL)
    return f"{whole}, {way.left.verdict(pipe.left)} (x pipe)"


@contextmanager
def _prepared(given: argparse.Namespace, shapes: list[Shape]) -> Iterator[Bench]:
    folder = Path(tempfile.mkdtemp(prefix="dapu-bench-"))
    folder.chmod(0o755)  # psql may run as another user
    try:
        with ExitStack() as stack:
            postgres = stack.enter_context(running_postgres(_SOURCE, _WAREHOUSE))
            let_autovacuum_sleep(postgres)
            connections = {"postgres": postgres_connection(postgres, _SOURCE)}
            other = None
            if any(shape.server == "mariadb" for shape in shapes):
                other = stack.enter_context(running_mariadb())
                with other.connect() as session, session.cursor() as cursor:
                    cursor.execute(f"create database {_SOURCE}")
                connections["mariadb"] = {"url": other.url(_SOURCE)}
            warehouse = Warehouse(folder / "warehouse", postgres, _WAREHOUSE, connections)
            postgres.execute(_WAREHOUSE, "create schema dapu")
            yield Bench(postgres, other, warehouse, given.scale, given.runs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Measures, and prints a table for each shape."""
    names = [shape.name for shape in SHAPES]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of rows")
    given = parser.parse_args()
    shapes = [shape for shape in SHAPES if shape.name in given.only]
    if missing := missing_programs():
        print(f"leaves out MariaDB: there is no {missing[0]}", file=sys.stderr)
        shapes = [shape for shape in shapes if shape.server != "mariadb"]
    clean_environment()
    try:
        with _prepared(given, shapes) as bench:
            print(
                f"PostgreSQL {bench.postgres.version()}; {given.runs} runs, the middle one counts"
            )
            for shape in shapes:
                print(f"\n{bench.measure(shape)}", flush=True)
    except BenchError as error:
        sys.exit(f"bench shapes: {error}")


if __name__ == "__main__":
    main()
