"""MySQL and MariaDB as sources: the server itself writes the lines that COPY reads.

Each row leaves the server as one value, which is a line of COPY's text format. It is passed on as
it comes from the wire: no row becomes Python objects, and what a value's exact text is, is asked
of the database that knows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import Any, BinaryIO

import pymysql
from pymysql.constants import ER, FIELD_TYPE

from dapu.errors import ConfigurationError, JobError, NotNative, RowTooLong
from dapu.named_sql import statement
from dapu.rows.python_text import from_utc, in_utc
from dapu.rows.rows import Column, CopyRows, RowOrigin
from dapu.secrets import redact
from dapu.sources.databases.fragments import fill_statement, fragment
from dapu.sources.databases.mysql.protocol import Described, columns_of, write_values
from dapu.sources.databases.mysql.types import MysqlField, field_of
from dapu.sources.databases.mysql.url import mysql_keywords
from dapu.sources.databases.pymysql_private import close_at_once, cut
from dapu.sources.databases.source import NO_SLACK
from dapu.sources.databases.subquery import only
from dapu.statement import Statement
from dapu.warehouse.database_url import DatabaseUrl

_CUT = {ER.CUT_VALUE_GROUP_CONCAT, ER.WARN_ALLOWED_PACKET_OVERFLOWED}
_SHOWN_AS_TEXT = (FIELD_TYPE.STRING, FIELD_TYPE.BLOB)
_STOP_WITHIN = 5  # seconds
_TAB = "x'09'"


class MySqlSource:
    """A MySQL or MariaDB database, read in one snapshot."""

    description = "MySQL, lines written by the server"
    time_slack = NO_SLACK
    own_schema = ""
    typed_by_values = False

    def __init__(self, name: str, url: DatabaseUrl, extra: Mapping[str, Any]) -> None:
        self._name = name
        self._is_asked = self._is_cut = False
        try:
            self._keywords = {**mysql_keywords(url), **extra, "charset": "utf8mb4"}
            self._connect()
        except pymysql.MySQLError as error:
            raise JobError(f"the connection `{name}` is refused: {_reason(error)}") from None
        except (TypeError, ValueError, AttributeError, NotImplementedError) as error:
            what = f"the connection `{name}`: PyMySQL does not take its url and extra: {error}"
            raise ConfigurationError(what) from None
        except OSError as error:
            what = f"the connection `{name}`: a file that its `ssl_…` options name: {error}"
            raise ConfigurationError(what) from None

    def _connect(self) -> None:
        self._session: Any = pymysql.connect(**self._keywords)
        for setting in ("mysql.session", "mysql.isolation", "mysql.begin"):
            self._set(setting)

    def quote(self, identifier: str) -> str:
        """See `Source.quote`."""
        return "`" + identifier.replace("`", "``") + "`"

    def value(self, query: Statement) -> Any:
        """See `Source.value`."""
        with self._asking("refuses the query"), self._session.cursor() as cursor:
            cursor.execute(self._text(query))
            row = cursor.fetchone()
            if row and cursor.description[0][1] == FIELD_TYPE.FLOAT:
                value = self.quote(cursor.description[0][0])
                cursor.execute(self._text(only(query, fragment("mysql.floating", value=value))))
                row = cursor.fetchone()
            return _with_zone(cursor.description, row)[0] if row else None

    def rows(self, query: Statement) -> list[tuple[Any, ...]]:
        """See `Source.rows`."""
        with self._asking("refuses the query"), self._session.cursor() as cursor:
            cursor.execute(self._text(query))
            return [_with_zone(cursor.description, row) for row in cursor.fetchall()]

    def disorder(self, query: Statement, column: str) -> tuple[Any, ...] | None:
        """See `HasOwnOrder`: an enum is sorted as declared, and compared as a text."""
        name = self.quote(column)
        with self._asking("refuses the query"):
            described = columns_of(self._session, self._text(only(query, f"dapu_query.{name}")))
        if not described[0].is_enum:
            return None
        asked = fill_statement("mysql.enum_order", column=name, query=query.without_end())
        return next(iter(self.rows(asked)), None)

    def read(self, query: Statement, column_types: Mapping[str, str] | None) -> CopyRows:
        """See `Source.read`. Raises NotNative where the server cannot write the query's lines."""
        with self._asking("refuses the query"):
            self._set("mysql.raw_results")
            described = columns_of(self._session, self._text(query.without_end()))
            fields = self._fields(described, column_types or {})
            self._set("mysql.readable_results")
        lines = self._lines(fields, query)
        self._check_lines(lines)

        return self._rows([field.column for field in fields], lines)

    def columns(self, query: Statement) -> Sequence[Column]:
        """See `Source.columns`."""
        return self.read(query, None).columns

    def stop(self) -> None:
        """See `Source.stop`. The server is asked first: it may not write for a long time."""
        if not self._is_asked:
            return
        other = self._keywords | {"connect_timeout": _STOP_WITHIN, "read_timeout": _STOP_WITHIN}
        with suppress(pymysql.MySQLError, OSError), closing(pymysql.connect(**other)) as session:
            values = {"session": self._session.thread_id()}
            session.cursor().execute(statement("mysql.kill"), values)
        cut(self._session)

    def close(self) -> None:
        """See `Source.close`."""
        close_at_once(self._session)

    def _rows(self, columns: Sequence[Column], lines: str) -> CopyRows:
        def write(file: BinaryIO) -> None:
            with self._asking("broke off"):
                self._write(lines, file)

        def again() -> CopyRows:
            if self._is_cut:
                self.close()
                with self._asking("is not reached again"):
                    self._connect()
            return self._rows(columns, lines)

        return CopyRows(columns, "text", write, self.stop, RowOrigin(again=again))

    def _fields(
        self, described: Sequence[Described], column_types: Mapping[str, str]
    ) -> list[MysqlField]:
        if not described:
            raise NotNative(self._name, "it is not a SELECT")
        own_types = self._own_types(described)
        fields = []
        for column in described:
            target = column_types.get(column.name)
            field = field_of(column, own_types.get(column.origin), target, self.quote)
            if field is None:
                what = f"the column {column.name} has a type that is not known ({column.code})"
                raise NotNative(self._name, what)
            fields.append(field)
        return fields

    def _own_types(self, described: Sequence[Described]) -> dict[tuple[str, str, str], str]:
        """The types of MariaDB's own that its protocol shows as text, by the column's origin."""
        tables = {
            column.origin[:2]
            for column in described
            if column.code in _SHOWN_AS_TEXT and column.binary
        }
        if not tables or "MariaDB" not in self._session.get_server_info():
            return {}
        with self._session.cursor() as cursor:
            cursor.execute(statement("mysql.own_types"), {"tables": tuple(tables)})
            return {(row[0], row[1], row[2]): row[3] for row in cursor.fetchall()}

    def _lines(self, fields: Sequence[MysqlField], query: Statement) -> str:
        between = f", {_TAB}, "
        line = fragment("mysql.line", fields=between.join(field.text for field in fields))
        return self._text(only(query, line))

    def _check_lines(self, lines: str) -> None:
        with self._asking("refuses the query"):
            try:
                columns_of(self._session, lines)
            except pymysql.ProgrammingError as error:
                what = f"it cannot stand inside another query ({_reason(error)})"
                raise NotNative(self._name, what) from None

    def _write(self, lines: str, file: BinaryIO) -> None:
        self._is_cut = True  # unless all of its rows are read
        try:
            warnings = write_values(self._session, lines, file)
            self._is_cut = False
        except RowTooLong:
            raise JobError(
                f"the source `{self._name}` has a row that is too long for it to write; raise its "
                "max_allowed_packet, or give `reader: generic`"
            ) from None
        if warnings:
            self._check_warnings()

    def _check_warnings(self) -> None:
        with self._session.cursor() as cursor:
            cursor.execute(statement("mysql.warnings"))
            for _, code, message in cursor.fetchall():
                if code in _CUT:
                    raise JobError(f"the source `{self._name}` cut a value: {message} ({code})")

    def _set(self, name: str) -> None:
        self._session.cursor().execute(statement(name))

    def _text(self, query: Statement) -> str:
        """The query with its values, as PyMySQL writes them."""
        query = replace(query, values=tuple(map(in_utc, query.values)))
        text, values = query.for_driver(pymysql.paramstyle, self.quote)
        return str(self._session.cursor().mogrify(text, values))

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """While the server works on something that `stop` can end."""
        self._is_asked = True
        try:
            yield
        except pymysql.MySQLError as error:
            raise JobError(f"the source `{self._name}` {what}: {_reason(error)}") from error
        finally:
            self._is_asked = False


def _with_zone(description: Any, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values of a row; those of TIMESTAMP columns are moments."""
    codes = [column[1] for column in description]
    return from_utc(row, [n for n, code in enumerate(codes) if code == FIELD_TYPE.TIMESTAMP])


def _reason(error: pymysql.MySQLError) -> str:
    """The server's message and the number of the error."""
    code, message = (*error.args, "", "")[:2]
    return redact(f"{message or 'the connection is closed'} (error {code})")
