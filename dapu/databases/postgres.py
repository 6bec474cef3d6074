"""PostgreSQL as a source: rows leave it as COPY bytes and are not looked into on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, BinaryIO

import psycopg2
from psycopg2 import extensions, sql

from dapu.definitions.templates import Statement
from dapu.errors import JobError
from dapu.loading.rows import Column, CopyFormat, CopyRows
from dapu.loading.watermark import without_end
from dapu.named_sql import compose, statement
from dapu.secrets import redact

_FIRST_OWN = 16384  # types with an oid below it are the same in every PostgreSQL
_NUMERIC = 1700
_SIZED = (1042, 1043)  # char(n), varchar(n)
_NO_PRECISION = 65535  # what psycopg2 says of a numeric without one
_MODIFIER = re.compile(r"\([^)]*\)")


class PostgresSource:
    """A PostgreSQL database, read in one snapshot."""

    description = "PostgreSQL"

    def __init__(self, name: str, libpq: dict[str, Any]) -> None:
        self._name = name
        try:
            self._session = psycopg2.connect(**{"application_name": "dapu", **libpq})
        except psycopg2.Error as error:
            raise JobError(
                f"the connection `{name}` is refused: {redact(str(error)).strip()}"
            ) from None
        self._session.set_client_encoding("UTF8")
        self._session.set_session(
            isolation_level=extensions.ISOLATION_LEVEL_REPEATABLE_READ, readonly=True
        )

    def quote(self, identifier: str) -> str:
        """See `Source.quote`."""
        return extensions.quote_ident(identifier, self._session)

    def value(self, query: Statement) -> Any:
        """See `Source.value`."""
        with self._session.cursor() as cursor:
            self._execute(cursor, query.composed())
            row = cursor.fetchone()
            return row[0] if row else None

    def rows(self, query: Statement) -> list[tuple[Any, ...]]:
        """See `Source.rows`."""
        with self._session.cursor() as cursor:
            self._execute(cursor, query.composed())
            return list(cursor.fetchall())

    def read(self, query: Statement, into: Mapping[str, str] | None) -> CopyRows:
        """See `Source.read`. Binary where all types agree on both sides, else text."""
        bare = without_end(query).composed()
        described = self._columns(bare)
        columns = [column for column, _ in described]
        agree = into is None or all(_base(into.get(c.name, "")) == _base(c.type) for c in columns)
        foreign = any(own for _, own in described)
        form: CopyFormat = "binary" if agree and not foreign else "text"
        copy = compose("copy.to_stdout", query=bare, format=sql.SQL(form)).as_string(self._session)

        def write(file: BinaryIO) -> None:
            with self._session.cursor() as cursor:
                try:
                    cursor.copy_expert(copy, file)
                except psycopg2.Error as error:
                    raise self._failure(error) from error

        self.description = f"PostgreSQL, COPY {form}"
        return CopyRows(columns, form, write, self.stop)

    def stop(self) -> None:
        """See `Source.stop`."""
        with suppress(psycopg2.Error):
            self._session.cancel()

    def close(self) -> None:
        """See `Source.close`."""
        self._session.close()

    def _columns(self, query: sql.Composed) -> list[tuple[Column, bool]]:
        """The columns of a query, and whether each has a type of this database's own."""
        with self._session.cursor() as cursor:
            self._execute(cursor, compose("source.describe", query=query))
            return [
                (Column(column.name, _type_name(cursor, column)), column.type_code >= _FIRST_OWN)
                for column in cursor.description or ()
            ]

    def _execute(self, cursor: extensions.cursor, query: sql.Composable) -> None:
        try:
            cursor.execute(query)
        except psycopg2.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: psycopg2.Error) -> JobError:
        reason = (error.diag.message_primary or redact(str(error))).strip()
        return JobError(f"the source `{self._name}` refuses the query: {reason}")


def _base(type_name: str) -> str:
    """A type without its modifier: `numeric` of `numeric(15,2)`."""
    return _MODIFIER.sub("", type_name)


def _type_name(cursor: extensions.cursor, column: extensions.Column) -> str:
    if column.type_code >= _FIRST_OWN:  # an enum, a type of an extension: its text form travels
        return "text"
    values = {"oid": column.type_code, "modifier": _modifier(column)}
    cursor.execute(statement("source.type_name"), values)
    row = cursor.fetchone()
    return str(row[0]) if row else "text"


def _modifier(column: extensions.Column) -> int:
    """The type modifier as pg_attribute.atttypmod has it, from what psycopg2 tells of it.

    -1 is none, which PostgreSQL shows by another name where none would mean 1 (`bpchar`).
    """
    if column.type_code == _NUMERIC and (column.precision or _NO_PRECISION) != _NO_PRECISION:
        return (int(column.precision or 0) << 16 | int(column.scale or 0)) + 4
    if column.type_code in _SIZED and (column.internal_size or -1) > 0:
        return int(column.internal_size or 0) + 4
    return -1
