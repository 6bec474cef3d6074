"""PostgreSQL as a source: rows leave it as COPY bytes and are not looked into on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

import psycopg2
from psycopg2 import extensions, sql

from dapu.errors import JobError
from dapu.named_sql import compose, statement
from dapu.rows.exactness import Length, exactness
from dapu.rows.rows import Column, CopyFormat, CopyRows, RowOrigin
from dapu.rows.types import holds
from dapu.secrets import redact
from dapu.sources.databases.expected_type import base, declared_type, is_refused
from dapu.sources.databases.postgres.values import EXACT_TYPES
from dapu.sources.databases.source import NO_SLACK
from dapu.statement import Statement
from dapu.warehouse.postgres_session import connect, set_up_here

_TEXTS = ("text", "character varying")
_NUMERIC = 1700
_SIZED = (1042, 1043)  # char(n), varchar(n)
_NO_PRECISION = 65535  # what psycopg2 says of a numeric without one
_UNCHECKED = "encoding 'SQL_ASCII'"
_INFINITE_INTERVALS = 170000  # from here on; an older target would read their bytes as others


@dataclass(frozen=True)
class _Field:
    """A column of a query's result.

    own: its type in the source. kind: see `source.types`.
    length: how long a text the target takes, when spaces behind it would be cut in silence.
    """

    column: Column
    own: str
    kind: str
    length: Length | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the column goes as it is."""
        return self.kind != "money" and self.length is None

    def value(self) -> sql.Composable:
        """The column in a form that means the same in every database."""
        name = sql.Identifier(self.column.name)
        if self.length is not None:
            return compose("postgres.uncut", column=name, kept=self.length.is_kept(name))
        if self.kind != "money":  # an amount whose meaning hangs on the database's locale
            return name
        several = self.own.endswith("[]")
        return compose("postgres.as_numerics" if several else "postgres.as_numeric", column=name)


class PostgresSource:
    """A PostgreSQL database, read in one snapshot."""

    description = "PostgreSQL"
    time_slack = NO_SLACK
    own_schema = "pg_catalog."
    typed_by_values = False

    def __init__(self, name: str, libpq: dict[str, Any]) -> None:
        self._name = name
        try:
            self._session = connect({"application_name": "dapu", **libpq}, None)
            self._session.set_session(
                isolation_level=extensions.ISOLATION_LEVEL_REPEATABLE_READ, readonly=True
            )
            self._begin()
        except psycopg2.Error as error:
            raise JobError(
                f"the connection `{name}` is refused: {redact(str(error)).strip()}"
            ) from None
        for exact in EXACT_TYPES:
            extensions.register_type(exact, self._session)

    def quote(self, identifier: str) -> str:
        """See `Source.quote`."""
        return extensions.quote_ident(identifier, self._session)

    def value(self, query: Statement) -> Any:
        """See `Source.value`."""
        rows = self.rows(query)
        return rows[0][0] if rows else None

    def rows(self, query: Statement) -> list[tuple[Any, ...]]:
        """See `Source.rows`."""
        with self._session.cursor() as cursor:
            self._execute(cursor, query.composed())
            return list(cursor.fetchall())

    def read(self, query: Statement, column_types: Mapping[str, str] | None) -> CopyRows:
        """See `Source.read`. Binary where all types agree on both sides, else text."""
        bare = query.without_end().composed()
        fields = self._fields(bare, column_types or {})
        form: CopyFormat = "binary" if self._agree(fields, column_types) else "text"
        if not all(field.is_plain for field in fields):
            columns = sql.SQL(", ").join(field.value() for field in fields)
            bare = compose("postgres.columns", columns=columns, query=bare)
        self.description = f"PostgreSQL, COPY {form}"
        return self._rows(fields, bare, form)

    def _rows(self, fields: Sequence[_Field], query: sql.Composed, form: CopyFormat) -> CopyRows:
        options = sql.SQL(
            f"format {form}, {_UNCHECKED}" if self._is_unchecked else f"format {form}"
        )
        copy = compose("copy.to_stdout", query=query, options=options).as_string(self._session)

        def write(file: BinaryIO) -> None:
            with self._session.cursor() as cursor:
                try:
                    cursor.execute(statement("postgres.before_read"))
                    cursor.copy_expert(copy, file)
                    cursor.execute(statement("postgres.after_read"))
                except psycopg2.Error as error:
                    raise self._failure(error) from error

        def again() -> CopyRows:
            self._undo_read()
            return self._rows(fields, query, "text")

        columns = [field.column for field in fields]
        origin = RowOrigin(again=again, is_ordered=lambda: self._is_ordered(query))
        return CopyRows(columns, form, write, self.stop, origin)

    def _undo_read(self) -> None:
        """After a reading that was stopped, takes up the same state of the database again."""
        if self._session.info.transaction_status != extensions.TRANSACTION_STATUS_INTRANS:
            with self._session.cursor() as cursor:
                self._execute(cursor, statement("postgres.undo_read"))

    def _is_ordered(self, query: sql.Composed) -> bool:
        """Whether no several processes read at once, whose rows come as they are there."""
        self._undo_read()
        with self._session.cursor() as cursor:
            self._execute(cursor, compose("postgres.plan", query=query))
            return not any("Gather" in str(line) for (line,) in cursor)

    def share(self) -> str | None:
        """See `SharesState.share`."""
        try:
            return str(self.value(Statement((statement("postgres.share"),))))
        except JobError:  # another kind of database that speaks PostgreSQL's protocol
            self._begin()
            return None

    def keep(self) -> None:
        """See `SharesState.keep`."""
        with suppress(psycopg2.Error), self._session.cursor() as cursor:
            cursor.execute("select 1")

    def adopt(self, state: str) -> bool:
        """See `SharesState.adopt`."""
        try:
            self._begin(state)
        except psycopg2.Error:
            self._begin()
            return False
        return True

    def columns(self, query: Statement) -> Sequence[Column]:
        """See `Source.columns`."""
        return self.read(query, None).columns

    def stop(self) -> None:
        """See `Source.stop`."""
        with suppress(psycopg2.Error):
            self._session.cancel()

    def close(self) -> None:
        """See `Source.close`."""
        self._session.close()

    def _begin(self, state: str | None = None) -> None:
        self._session.rollback()
        with self._session.cursor() as cursor:
            if state is not None:
                cursor.execute(compose("postgres.adopt", state=sql.Literal(state)))
            set_up_here(cursor)
            cursor.execute(statement("postgres.session"))

    @property
    def _is_unchecked(self) -> bool:
        """Whether text is bytes of any kind, which the target is to judge."""
        return bool(self._session.get_parameter_status("server_encoding") == "SQL_ASCII")

    def _agree(self, fields: Sequence[_Field], column_types: Mapping[str, str] | None) -> bool:
        """Whether the binary form of each value is the same value in the target."""
        if self._is_unchecked:
            return False
        common = {"common"}
        if self._session.server_version < _INFINITE_INTERVALS:
            common.add("interval")
        return all(
            field.kind in common
            and (
                column_types is None
                or base(column_types.get(field.column.name, "")) == base(field.own)
            )
            for field in fields
        )

    def _fields(self, query: sql.Composed, column_types: Mapping[str, str]) -> list[_Field]:
        with self._session.cursor() as cursor:
            self._execute(cursor, compose("postgres.describe", query=query))
            described = cursor.description or ()
            if not described:
                raise JobError(f"the query of `{self._name}` gives no column")
            values = {
                "types": [column.type_code for column in described],
                "modifiers": [_modifier(column) for column in described],
                "tables": [column.table_oid or 0 for column in described],
                "places": [column.table_column or 0 for column in described],
            }
            self._execute(cursor, statement("postgres.types"), values)
            return [
                _field(column.name, found, column_types.get(column.name))
                for column, found in zip(described, cursor, strict=True)
            ]

    def _execute(
        self, cursor: extensions.cursor, query: str | sql.Composable, values: Any = None
    ) -> None:
        try:
            cursor.execute(query, values)
        except psycopg2.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: psycopg2.Error) -> JobError:
        reason = error.diag.message_primary or redact(str(error)).partition("\n")[0]
        what = "broke off" if self._session.closed else "refuses the query"
        return JobError(f"the source `{self._name}` {what}: {reason}")


def _field(name: str, found: tuple[str, str, bool], target: str | None) -> _Field:
    own, kind, is_stored = found
    holding = own
    if kind in ("own", "text") or (kind == "money" and target == "money"):
        holding = target or "text"  # its text travels, and the target takes or refuses it
    elif kind == "money":
        holding = own.replace("money", "numeric")
    declared = declared_type(holding, target, computed=not is_stored)
    if target is not None and is_refused(target, holding):
        declared = target
    return _Field(
        Column(name, declared), own, kind, _length(own, declared) if not is_stored else None
    )


def _length(own: str, target: str) -> Length | None:
    exact = exactness(target) if base(own) in _TEXTS else None
    return exact if isinstance(exact, Length) and not holds(target, own) else None


def _modifier(column: extensions.Column) -> int:
    """The type modifier as pg_attribute.atttypmod has it, from what psycopg2 reports of it.

    -1 is none, which PostgreSQL shows by another name where none would mean 1 (`bpchar`).
    """
    if column.type_code == _NUMERIC and (column.precision or _NO_PRECISION) != _NO_PRECISION:
        return (int(column.precision or 0) << 16 | int(column.scale or 0)) + 4
    if column.type_code in _SIZED and (column.internal_size or -1) > 0:
        return int(column.internal_size or 0) + 4
    return -1
