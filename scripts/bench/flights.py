r"""The demo's largest load beside psql: every flight of a year from SQLite into PostgreSQL.

    ./scripts/bench/run flights [--runs 5]

The task is the demo's own, operations.staging.flights, with its two indexes and its checks. The
other way is psql's \copy of the same rows as a CSV file into the same table.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.load.dapu_ways import dapu, postgres_connection, run_task, write_connections
from scripts.bench.measure import BenchError, Table, megabytes, run, show, verdict
from scripts.bench.servers import Postgres, clean_environment, running_postgres

_ROOT = Path(__file__).resolve().parents[2]
_DATABASE = "flights"
_TASK, _TARGET = "operations.staging.flights", "staging.flights"
_COPY, _JOB, _PROCESS = "psql \\copy of CSV", "dapu: the job", "dapu: `dapu run` as a whole"


@dataclass(frozen=True)
class Bench:
    """The demo's warehouse on a server of the bench, and the rows as CSV."""

    server: Postgres
    folder: Path
    csv: Path
    rows: int

    def measure(self, runs: int) -> Table:
        """Both ways in turn, so many times, each into an empty table."""
        table = Table()
        copy = self.server.psql(_DATABASE, f"\\copy {_TARGET} from '{self.csv}' (format csv)")
        for _ in range(runs):
            self._empty()
            table.add(_COPY, run(copy).seconds)
            self._check()
            self._empty()
            job = run_task(self.folder, _TASK, "--full")
            table.add(_JOB, job.seconds, job.memory)
            table.add(_PROCESS, job.process.seconds, job.memory)
            self._check()
        return table

    def _empty(self) -> None:
        self.server.execute(_DATABASE, f"truncate {_TARGET}")
        self.server.settle(_DATABASE)

    def _check(self) -> None:
        count = self.server.execute(_DATABASE, f"select count(*) from {_TARGET}")[0][0]
        if count != self.rows:
            raise BenchError(f"{_TARGET} has {count} rows; it must be {self.rows}")


@contextmanager
def prepared() -> Iterator[Bench]:
    """Makes the sources, starts a server, and registers the demo's tasks with it."""
    folder = Path(tempfile.mkdtemp(prefix="dapu-bench-"))
    warehouse, sources = folder / "flights", folder / "sources"
    try:
        shutil.copytree(
            _ROOT / "definitions" / "flights",
            warehouse,
            ignore=shutil.ignore_patterns("data", "out", ".dapu"),
        )
        run((sys.executable, _ROOT / "scripts" / "demo_data.py", sources))
        with running_postgres(_DATABASE) as server:
            _connect(warehouse, sources, server)
            for command in ("versioner", "registrar"):
                dapu(command, warehouse)
            file = folder / "flights.csv"
            rows = _write_csv(server, sources / "operations.db", file)
            yield Bench(server, warehouse, file, rows)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _connect(warehouse: Path, sources: Path, server: Postgres) -> None:
    urls = {name: {"url": f"sqlite:///{sources / name}.db"} for name in ("operations", "reference")}
    folders = {"office": sources / "office", "reports": warehouse / "out"}
    files = {name: {"driver": "files", "path": str(path)} for name, path in folders.items()}
    main = postgres_connection(server, _DATABASE)
    write_connections(warehouse, {"main": main, **urls, **files})


def _write_csv(server: Postgres, source: Path, file: Path) -> int:
    """The rows in the order of the table's columns; returns how many there are."""
    query = f"select attname from pg_attribute where attrelid = '{_TARGET}'::regclass"
    names = server.execute(_DATABASE, f"{query} and attnum > 0 order by attnum")
    columns = ", ".join(row[0] for row in names)
    with closing(sqlite3.connect(source)) as session, file.open("w", newline="") as target:
        cursor = session.execute(f"select {columns} from flights")
        csv.writer(target).writerows(cursor)
        return int(session.execute("select count(*) from flights").fetchone()[0])


def main() -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    clean_environment()
    try:
        with prepared() as bench:
            table = bench.measure(given.runs)
            version = bench.server.version()
    except BenchError as error:
        sys.exit(f"bench flights: {error}")
    databases = f"SQLite {sqlite3.sqlite_version} to PostgreSQL {version}"
    print(f"{bench.rows:,} rows of 19 columns, {databases}")
    print(f"{given.runs} runs, the middle one counts\n")
    print(report(table))


def report(table: Table) -> str:
    """The table beside the goals."""
    lines = [("way", "s", "each run", "x \\copy", "memory", "goal")]
    for name, series in table.items():
        ratio = series.median / table[_COPY].median
        goal = f"{verdict(ratio, 1.5)} (x \\copy)" if name == _JOB else ""
        lines.append((name, *series.shown(), f"{ratio:.2f}", megabytes(series.memory), goal))
    goal = f"{verdict(table[_JOB].memory / 1e6, 200)} (MB)"
    lines.append(("  its memory", "", "", "", megabytes(table[_JOB].memory), goal))
    return show(lines)


if __name__ == "__main__":
    main()
