"""What grows with what: rows, columns, and tasks; a table of each, and one picture.

    ./scripts/bench/run growth [--only rows columns tasks] [--runs 3] [--plot FILE]

Rows and columns: `dapu run` as a whole replaces a table that is there, beside the plainest pipe.
Tasks: what a round of each component takes. matplotlib draws the picture: pip install matplotlib
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from scripts.bench.growth_plot import Curve, Panel, draw
from scripts.bench.load.dapu_ways import Warehouse, dapu, postgres_connection, write_connections
from scripts.bench.measure import BenchError, run_pipe, show
from scripts.bench.servers import Postgres, clean_environment, running_postgres
from scripts.bench.shape_tables import Shape, numbered

_SOURCE, _WAREHOUSE, _TASKS = "source", "warehouse", "tasks"
_ROWS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 50_000_000)
_COLUMNS = (1, 3, 10, 30, 100, 300)
_COLUMNS_ROWS = 100_000
_TASK_COUNTS = (1, 10, 100, 1_000)
_SLOW = 20.0  # seconds; what takes so long runs once
_PIPE, _WHOLE, _JOB = "the pipe", "`dapu run` as a whole", "… the job"
_ROUNDS = ("registrar", "registrar again", "manager", "worker", "status")


@dataclass(frozen=True)
class Sweep:
    """Seconds of each way by what grows. memory: the most bytes of `dapu run`, by the same."""

    grows: str
    seconds: Mapping[str, Mapping[int, float]]
    memory: Mapping[int, int]

    def report(self) -> str:
        """As a table."""
        counts = [f"{count:,}" for count in next(iter(self.seconds.values()))]
        lines = [(self.grows, *counts)]
        lines += [(name, *map("{:.2f}".format, way.values())) for name, way in self.seconds.items()]
        if _PIPE in self.seconds:
            pipe = self.seconds[_PIPE]
            whole = self.seconds[_WHOLE]
            lines.append(("x pipe", *(f"{whole[n] / pipe[n]:.2f}" for n in pipe)))
        if self.memory:
            lines.append(("memory, MB", *(f"{held / 1e6:,.0f}" for held in self.memory.values())))
        return show(lines)

    def panel(self) -> Panel:
        """As a picture."""
        curves = [Curve(name.replace("`", ""), way) for name, way in self.seconds.items()]
        return Panel(self.grows, curves)


@dataclass(frozen=True)
class Loads:
    """Tables of all sizes, from one database of a server into another."""

    server: Postgres
    warehouse: Warehouse
    runs: int

    def sweep(self, grows: str, shapes: Mapping[int, Shape]) -> Sweep:
        """Each shape by each way in turn."""
        seconds: dict[str, dict[int, float]] = {_PIPE: {}, _WHOLE: {}, _JOB: {}}
        memory: dict[int, int] = {}
        for count, shape in shapes.items():
            taken, memory[count] = self._measure(shape)
            for name, each in taken.items():
                seconds[name][count] = median(each)
            shown = ", ".join(f"{name} {median(each):.2f} s" for name, each in taken.items())
            print(f"{count:,} {grows}: {shown}", file=sys.stderr, flush=True)
        return Sweep(grows, seconds, memory)

    def _measure(self, shape: Shape) -> tuple[dict[str, list[float]], int]:
        for statement in (*shape.source(shape.rows), f"vacuum analyze {shape.name}"):
            self.server.execute(_SOURCE, statement)
        for table in (f"raw_{shape.name}", f"dapu.{shape.name}"):
            for statement in shape.target(table):
                self.server.execute(_WAREHOUSE, statement)
        taken: dict[str, list[float]] = {_PIPE: [], _WHOLE: [], _JOB: []}
        memory = 0
        action = {"load": "replace", "key": ["id"]}
        task = self.warehouse.define(f"postgres.dapu.{shape.name}", action, f"table {shape.name}")
        try:
            for _ in range(self.runs):
                self.server.execute(_WAREHOUSE, f"truncate raw_{shape.name}")
                self.server.settle(_WAREHOUSE)
                taken[_PIPE].append(self._pipe(shape.name))
                self.server.settle(_WAREHOUSE)
                job = self.warehouse.run(task, "--full")
                taken[_WHOLE].append(job.process.seconds)
                taken[_JOB].append(job.seconds)
                memory = max(memory, job.memory)
                if job.seconds > _SLOW:
                    break
        finally:
            for place, table in (
                (_SOURCE, shape.name),
                (_WAREHOUSE, f"raw_{shape.name}"),
                (_WAREHOUSE, f"dapu.{shape.name}"),
            ):
                self.server.execute(place, f"drop table if exists {table}")
        return taken, memory

    def _pipe(self, table: str) -> float:
        copy = f"copy {table} to stdout (format binary)"
        into = f"copy raw_{table} from stdin (format binary)"
        return run_pipe(self.server.psql(_SOURCE, copy), self.server.psql(_WAREHOUSE, into)).seconds


def _by_rows(most: int) -> dict[int, Shape]:
    columns = ["id bigint", "customer int", "amount numeric(15,2)", "sold_on date", "region text"]
    values = [
        "i",
        "i * 7919 % 100000",
        "(i * 31 % 1000000) / 100.0",
        "date '2020-01-01' + (i % 2000)::int",
        "'region ' || i % 50",
    ]
    counts = [count for count in _ROWS if count <= most]
    return {n: Shape(f"rows_{n}", "", n, columns, values) for n in counts}


def _by_columns() -> dict[int, Shape]:
    """A third of the columns each are integers, numbers and texts; the key is one of them."""
    kinds = (
        ("int", "(i + {n}) % 100000"),
        ("numeric(15,2)", "(i * {n} % 1000000) / 100.0"),
        ("text", "'text ' || (i * {n} % 5000)"),
    )
    found = {}
    for count in _COLUMNS:
        columns, values = ["id bigint"], ["i"]
        for place, (declared, value) in enumerate(kinds):
            more = (count - 1) // 3 + ((count - 1) % 3 > place)
            names, given = numbered(declared, value, more)
            columns += names
            values += given
        found[count] = Shape(f"columns_{count}", "", _COLUMNS_ROWS, columns, values)
    return found


def _by_tasks(server: Postgres, folder: Path) -> Sweep:
    """Tasks that do nothing, from the first one on: only new ones are made for each count."""
    write_connections(folder, {"main": postgres_connection(server, _TASKS)})
    (folder / "warehouse.yaml").write_text("{}\n", encoding="utf-8")
    route = folder / "routes/none"
    route.mkdir(parents=True)
    (route / "route.yaml").write_text("", encoding="utf-8")
    seconds: dict[str, dict[int, float]] = {name: {} for name in _ROUNDS}
    for count in _TASK_COUNTS:
        server.execute("postgres", f"drop database if exists {_TASKS}")
        server.execute("postgres", f"create database {_TASKS}")
        for number in range(count):
            task = route / f"s/t{number}"
            task.mkdir(parents=True, exist_ok=True)
            (task / "task.yaml").write_text("actions: [{do: sql, file: one.sql}]\n", "utf-8")
            (task / "one.sql").write_text("select 1\n", "utf-8")
        dapu("versioner", folder)
        for name in _ROUNDS:
            seconds[name][count] = dapu(name.split()[0], folder).seconds
        print(f"{count:,} tasks", file=sys.stderr, flush=True)
    return Sweep("tasks", seconds, {})


@contextmanager
def _prepared() -> Iterator[tuple[Postgres, Path]]:
    folder = Path(tempfile.mkdtemp(prefix="dapu-bench-"))
    folder.chmod(0o755)  # psql may run as another user
    try:
        with running_postgres(_SOURCE, _WAREHOUSE) as server:
            server.execute(_WAREHOUSE, "create schema dapu")
            yield server, folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweeps(server: Postgres, folder: Path, given: argparse.Namespace) -> Iterator[Sweep]:
    source = {"postgres": postgres_connection(server, _SOURCE)}
    warehouse = Warehouse(folder / "loads", server, _WAREHOUSE, source)
    loads = Loads(server, warehouse, given.runs)
    if "rows" in given.only:
        yield loads.sweep("rows", _by_rows(given.rows))
    if "columns" in given.only:
        yield loads.sweep("columns", _by_columns())
    if "tasks" in given.only:
        yield _by_tasks(server, folder / "tasks")


def _parsed() -> argparse.Namespace:
    sweeps = ("rows", "columns", "tasks")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", nargs="+", choices=sweeps, default=list(sweeps))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rows", type=int, default=_ROWS[-1], help="at most so many")
    parser.add_argument("--plot", type=Path, help="write the picture to this file, an SVG")
    return parser.parse_args()


def main() -> None:
    """Measures, and prints a table for each sweep."""
    given = _parsed()
    clean_environment()
    try:
        with _prepared() as (server, folder):
            print(
                f"PostgreSQL {server.version()}; seconds, {given.runs} runs, the middle one counts"
            )
            sweeps = []
            for sweep in _sweeps(server, folder, given):
                sweeps.append(sweep)
                print(f"\n{sweep.report()}", flush=True)
        if given.plot:
            draw([sweep.panel() for sweep in sweeps], given.plot)
    except BenchError as error:
        sys.exit(f"bench growth: {error}")


if __name__ == "__main__":
    main()
