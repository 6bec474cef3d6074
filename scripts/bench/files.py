r"""Files beside the tools that read them alone: CSV beside psql's \copy, workbooks beside calamine.

    ./scripts/bench/run files [--rows 1000000] [--cells 200000] [--runs 3]

CSV: the rows of the bench `load`, into a table with a primary key that is there already, and into
one that is made from the file. Workbook: 7 columns of whole numbers, texts, dates, amounts and
truth values, with calamine's parsing alone (to Python's values) as the measure.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import openpyxl

from scripts.bench.load.dapu_ways import Warehouse
from scripts.bench.measure import BenchError, Table, megabytes, run, show, verdict
from scripts.bench.servers import (
    TABLE,
    Postgres,
    clean_environment,
    definition,
    make_csv,
    running_postgres,
    with_header,
)

_DATABASE = "files"
_CSV, _CSV_NEW, _EXCEL, _EXCEL_NEW = "csv", "csv_new", "excel", "excel_new"
_COPY, _PARSE = "psql \\copy of CSV", "calamine alone"
_NAMES = {
    _CSV: "dapu: CSV, table with a key",
    _CSV_NEW: "dapu: CSV, table made new",
    _EXCEL: "dapu: workbook, table there",
    _EXCEL_NEW: "dapu: workbook, table made new",
}
_PARSING = """
import sys, time
import python_calamine
began = time.perf_counter()
sheet = python_calamine.CalamineWorkbook.from_path(sys.argv[1]).get_sheet_by_index(0)
rows = sheet.to_python(skip_empty_area=False)
print(time.perf_counter() - began, len(rows))
"""


@dataclass(frozen=True)
class Bench:
    """Files in a folder, and a warehouse with a task for each way."""

    server: Postgres
    warehouse: Warehouse
    csv: Path
    book: Path
    rows: int
    cells: int

    def measure(self, runs: int) -> Table:
        """All ways in turn, so many times."""
        table = Table()
        for _ in range(runs):
            self._empty(f"bench.{TABLE}")
            copy = f"\\copy bench.{TABLE} from '{self.csv}' (format csv)"
            table.add(_COPY, run(self.server.psql(_DATABASE, copy)).seconds)
            self._job(table, _CSV, self.rows)
            self._job(table, _CSV_NEW, self.rows)
            parsed = run((sys.executable, "-c", _PARSING, self.book))
            table.add(_PARSE, float(parsed.lines[0][1].split()[0]), parsed.memory)
            self._job(table, _EXCEL, self.cells)
            self._job(table, _EXCEL_NEW, self.cells)
        return table

    def _job(self, table: Table, way: str, rows: int) -> None:
        target = f"staging.{way}"
        if way in (_CSV_NEW, _EXCEL_NEW):
            self.server.execute(_DATABASE, f"drop table if exists {target}")
        self.server.settle(_DATABASE)
        job = self.warehouse.run(f"files.{target}", "--full")
        table.add(_NAMES[way], job.seconds, job.memory)
        count = self.server.execute(_DATABASE, f"select count(*) from {target}")[0][0]
        if count != rows:
            raise BenchError(f"{target} has {count} rows; it must be {rows}")

    def _empty(self, table: str) -> None:
        self.server.execute(_DATABASE, f"truncate {table}")
        self.server.settle(_DATABASE)


@contextmanager
def prepared(rows: int, cells: int) -> Iterator[Bench]:
    """Makes the files, starts a server, and registers the tasks."""
    folder = Path(tempfile.mkdtemp(prefix="dapu-bench-"))
    share = folder / "share"
    share.mkdir()
    try:
        plain = make_csv(folder, rows)
        with_header(plain).rename(share / "rows.csv")
        make_book(share / "rows.xlsx", cells)
        with running_postgres(_DATABASE) as server:
            source = {"driver": "files", "path": str(share)}
            warehouse = Warehouse(folder / "warehouse", server, _DATABASE, {"files": source})
            server.execute(_DATABASE, "create schema bench; create schema staging")
            server.execute(_DATABASE, definition(f"bench.{TABLE}"))
            server.execute(_DATABASE, definition(f"staging.{_CSV}"))
            for way in (_CSV, _CSV_NEW):
                warehouse.define(f"files.staging.{way}", {"do": "file", "file": "rows.csv"})
            for way in (_EXCEL, _EXCEL_NEW):
                warehouse.define(f"files.staging.{way}", {"do": "excel", "workbook": "rows.xlsx"})
            warehouse.run(f"files.staging.{_EXCEL}")
            yield Bench(server, warehouse, plain, share / "rows.xlsx", rows, cells)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_book(path: Path, rows: int) -> None:
    """A workbook of 7 columns, the same for the same number of rows."""
    chance = random.Random(1)
    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet("Costs")
    sheet.append(["id", "account", "cost centre", "invoice date", "amount", "note", "paid"])
    for number in range(rows):
        sheet.append(
            [
                number,
                f"{chance.randint(1000, 9999)}",
                chance.choice(["IT", "HR", "Sales"]),
                date(2024, 1, 1) + timedelta(days=chance.randint(0, 700)),
                chance.randint(1, 1_000_000) / 100,
                f"note number {chance.randint(1, 50_000)}",
                chance.random() < 0.5,
            ]
        )
    workbook.save(path)


def report(table: Table) -> str:
    """The ways beside their measures and goals."""
    lines = [("way", "s", "each run", "ratio", "memory", "goal")]
    for name, series in table.items():
        measure = _PARSE if name in (_PARSE, _NAMES[_EXCEL], _NAMES[_EXCEL_NEW]) else _COPY
        ratio = series.median / table[measure].median
        goals = {_NAMES[_CSV]: 1.15, _NAMES[_EXCEL]: 2, _NAMES[_EXCEL_NEW]: 2}
        goal = f"{verdict(ratio, goals[name])} (x {measure})" if name in goals else ""
        lines.append((name, *series.shown(), f"{ratio:.2f}", megabytes(series.memory), goal))
    return show(lines)


def main() -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--cells", type=int, default=200_000, help="rows of the workbook")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    clean_environment()
    try:
        with prepared(given.rows, given.cells) as bench:
            table = bench.measure(given.runs)
            version = bench.server.version()
    except BenchError as error:
        sys.exit(f"bench files: {error}")
    print(
        f"CSV of {given.rows:,} rows of 16 columns, workbook of {given.cells:,} rows of 7 columns"
    )
    print(f"into PostgreSQL {version}; {given.runs} runs, the middle one counts\n")
    print(report(table))


if __name__ == "__main__":
    main()
