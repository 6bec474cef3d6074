"""A query of the warehouse, its columns, and its rows as PostgreSQL itself writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import psycopg2
from psycopg2 import extensions, sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.named_sql import compose, statement

BOOL, BYTEA, INT8, INT2, INT4, FLOAT4, FLOAT8 = 16, 17, 20, 21, 23, 700, 701
DATE, TIME, TIMESTAMP, TIMESTAMPTZ, NUMERIC = 1082, 1083, 1114, 1184, 1700

_MOST_DIGITS = 1000  # what may stand in numeric(…)
_AT_ONCE = 5_000  # rows
# What psycopg2 would make of a value may be less than it is (infinity) or nothing (a year BC).
_AS_TEXT = extensions.new_type(
    tuple(extensions.string_types), "DAPU_TEXT", lambda text, _cursor: text
)

Row = tuple[str | None, ...]


@dataclass(frozen=True)
class ResultColumn:
    """A column of a query.

    type: oid of its type, that of the base type for a domain.
    precision, scale: of a numeric that has them.
    """

    name: str
    type: int
    precision: int | None = None
    scale: int | None = None


@dataclass(frozen=True)
class Query:
    """A query of the warehouse.

    label: what people call it: its file.
    check: raises JobError when the job is to end.
    explain: what to say when PostgreSQL refuses a text that the query is part of.
    """

    cursor: Cursor
    text: sql.Composable
    label: str
    check: Callable[[], None]
    explain: Callable[[str, psycopg2.Error], str]

    def fields(self) -> list[ResultColumn]:
        """Its columns. Raises JobError when it has none, or two of one name."""
        with self._translated_errors(compose("export.no_rows", query=self.text)) as text:
            self.cursor.execute(text)
        fields = [
            ResultColumn(column.name, column.type_code, *_digits(column))
            for column in self.cursor.description or ()
        ]
        names = [field.name for field in fields]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or not names:
            what = f"gives two columns `{twice[0]}`; rename one" if twice else "gives no column"
            raise JobError(f"{self.label} {what}")
        return fields

    def rows(self) -> Iterator[list[Row]]:
        """Its rows, some thousand at a time; every value is a text."""
        declare = compose("export.declare", query=self.text)
        with self._translated_errors(declare) as text, self.cursor.connection.cursor() as fetching:
            extensions.register_type(_AS_TEXT, fetching)
            fetching.execute(text)
            while rows := self._fetch(fetching):
                yield rows
                self.check()
            fetching.execute(statement("export.close"))

    def _fetch(self, cursor: Cursor) -> list[Row]:
        cursor.execute(statement("export.fetch"), {"rows": _AT_ONCE})
        return cursor.fetchall()

    def copy(self, file: BinaryIO, options: str) -> int:
        """Its rows as the bytes of COPY; returns how many there were."""
        return self._copy(self.text, file, sql.SQL(options))

    def copy_json(self, file: BinaryIO) -> int:
        """Its rows as JSON, a line each; returns how many there were."""
        # No JSON has these two characters in it, so that nothing is ever quoted.
        options = sql.SQL("format csv, quote E'\\x01', delimiter E'\\x02'")
        return self._copy(compose("export.json_lines", query=self.text), file, options)

    def _copy(self, query: sql.Composable, file: BinaryIO, options: sql.SQL) -> int:
        with self._translated_errors(
            compose("copy.to_stdout", query=query, options=options)
        ) as text:
            self.cursor.copy_expert(text, file)
        return self.cursor.rowcount

    @contextmanager
    def _translated_errors(self, composed: sql.Composed) -> Iterator[str]:
        """The text to run; what PostgreSQL refuses of it in the block becomes a JobError."""
        text = composed.as_string(self.cursor)
        try:
            yield text
        except (psycopg2.errors.QueryCanceled, psycopg2.OperationalError):
            raise
        except psycopg2.Error as error:
            raise JobError(self.explain(text, error)) from error


def _digits(column: extensions.Column) -> Sequence[int | None]:
    if column.type_code != NUMERIC or column.precision is None or column.scale is None:
        return None, None
    known = 0 < column.precision <= _MOST_DIGITS and 0 <= column.scale <= column.precision
    return (column.precision, column.scale) if known else (None, None)
