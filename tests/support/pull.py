"""Brings a query of a source into the tests' database, and tells what arrived there."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import connection as PgSession

from dapu.loading.load import load
from dapu.loading.options import LoadOptions
from dapu.loading.table.relation import columns_of, describe
from dapu.sources.databases.source import Source
from dapu.statement import Statement, TableName

NAME = TableName("staging", "pulled")
NASTY = [
    "",
    " ",
    "NULL",
    "\\N",
    "\\.",
    "\\",
    "\\\\n",
    "a\tb",
    "line\nfeed\n",
    "carriage\rreturn\r\n",
    "\r\n",
    '"',
    '""',
    "'",
    ",",
    "50%",
    "e\u0301 \u200b \ufeff \u2028",
    "é😀 \U0001d518\U0001d52b \U00010000 \U0010fffd",
    "\x01\x1a\x1b\x7f",
]
"""Texts that mean something to COPY, CSV or SQL, or that are long in UTF-8."""


@dataclass(frozen=True)
class Pulled:
    """A table that was loaded. rows: its values in PostgreSQL's text form, in the order read.

    how: what the source says of its reader.
    """

    types: dict[str, str]
    rows: list[tuple[str | None, ...]]
    how: str

    def column(self, name: str) -> list[str | None]:
        """The values of a column."""
        at = list(self.types).index(name)
        return [row[at] for row in self.rows]

    def row(self) -> dict[str, str | None]:
        """The only row, by column."""
        (row,) = self.rows
        return dict(zip(self.types, row, strict=True))


def pull(target: PgSession, source: Source, query: str, **options: Any) -> Pulled:
    """Loads a query as the database agent does, in one transaction; closes the source."""
    wanted = LoadOptions.model_validate({"do": "database", **options})
    with closing(source), target, target.cursor() as cursor:
        relation = describe(cursor, NAME)
        into = {column.name: column.type for column in relation.columns} if relation else None
        load(cursor, NAME, source.read(Statement((query,)), into), wanted)
        return Pulled(*_arrived(cursor), source.description)


def _arrived(cursor: Any) -> tuple[dict[str, str], list[tuple[str | None, ...]]]:
    relation = describe(cursor, NAME)
    assert relation is not None
    types = {column.name: column.type for column in columns_of(cursor, relation.oid)}
    cursor.execute("set timezone = 'UTC'; set extra_float_digits = 1; set intervalstyle = postgres")
    cursor.execute(f"select {as_texts(types)} from staging.pulled")
    return types, cursor.fetchall()


def as_texts(columns: Iterable[str]) -> str:
    """SQL for the values of columns in PostgreSQL's text form."""
    return ", ".join('"{}"::text'.format(name.replace('"', '""')) for name in columns)


def make_target(target: PgSession, columns: str) -> None:
    """Makes the table that is loaded, with these columns."""
    with target, target.cursor() as cursor:
        cursor.execute(f"create schema staging; create table staging.pulled ({columns})")
