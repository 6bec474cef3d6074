"""The SQL files that ship with dapu: `sql/` of the repository.

A file in `sql/queries` holds statements, each under a line `-- name: …` and a comment that says
what it is for. Identifiers stand in braces and are quoted when the statement is composed; values
are bound by the driver as `%(name)s`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from psycopg2 import sql

from dapu.shipped import shipped_folder

_NAME = re.compile(r"^-- name: *(\w+) *$", re.MULTILINE)


def sql_folder(name: str) -> Path:
    """A folder below `sql/`."""
    return shipped_folder("sql") / name


@dataclass(frozen=True)
class Script:
    """A numbered SQL file: `007_add_column.sql` is number 7."""

    number: int
    name: str
    text: str


def registry_scripts() -> list[Script]:
    """The registry's own migrations, in order."""
    entries = sorted(sql_folder("registry").glob("*.sql"))
    return [Script(int(entry.name[:3]), entry.name, entry.read_text("utf-8")) for entry in entries]


@cache
def statement(name: str) -> str:
    """The text of the statement `file.name`, for example `agenda.claim`."""
    file, _, label = name.partition(".")
    return _statements(file)[label]


@cache
def _statements(file: str) -> dict[str, str]:
    text = sql_folder("queries").joinpath(f"{file}.sql").read_text("utf-8")
    _, *parts = _NAME.split(text)
    return {
        label: body.strip().rstrip(";") for label, body in zip(parts[::2], parts[1::2], strict=True)
    }


def compose(name: str, /, **identifiers: sql.Composable) -> sql.Composed:
    """A named statement with its identifiers filled in."""
    return sql.SQL(statement(name)).format(**identifiers)
