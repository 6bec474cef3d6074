"""Any database that SQLAlchemy knows, through its own driver and a server-side cursor.

The way for all databases that have none of their own: each value goes as the driver gives it, in
its exact text form.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, BinaryIO

import sqlalchemy
from sqlalchemy.dialects import registry
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.exc import SQLAlchemyError

from dapu.errors import ConfigurationError, JobError
from dapu.named_sql import statement
from dapu.rows.python_text import TypeSurvey, exact_writer, from_utc, in_utc
from dapu.rows.rows import Column, CopyRows, RowOrigin
from dapu.secrets import redact
from dapu.sources.databases.batch_size import BatchSize
from dapu.sources.databases.fragments import fragment
from dapu.sources.databases.pymysql_private import cut, forget_rest, rest_of
from dapu.sources.databases.sqlalchemy.driver_types import described_type
from dapu.statement import Statement

registry.register("odbc", "dapu.sources.databases.sqlalchemy.odbc", "OdbcDialect")
_ROWS = 64  # at once, at most
_IN_MEMORY = 16 << 20  # bytes
_MYSQL = ("mysql", "mariadb")
_MYSQL_FLOAT, _MYSQL_TIMESTAMP = 4, 7  # in a cursor's description
_TIMES = ("date", "timestamp", "timestamp with time zone", "interval")


class GenericSource:
    """A database behind a SQLAlchemy URL."""

    description = "SQLAlchemy"
    time_slack = timedelta(microseconds=1)  # as Python's times have it
    own_schema = ""
    typed_by_values = True

    def __init__(self, name: str, url: URL, extra: Mapping[str, Any]) -> None:
        self._name = name
        self.description = f"SQLAlchemy, {url.drivername}"
        self._is_mysql = url.get_backend_name() in _MYSQL
        if url.get_backend_name() == "postgresql":
            self.own_schema = "pg_catalog."
        self._is_pymysql = url.drivername.endswith("+pymysql")
        # PyMySQL would read all rows that are left before it closes, and fail when it is cut.
        self._unread: list[Any] = []
        self._is_cut = False
        try:
            self._engine = sqlalchemy.create_engine(
                url, connect_args=dict(extra), poolclass=sqlalchemy.NullPool
            )
            self._session = self._connect()
        except (ImportError, sqlalchemy.exc.NoSuchModuleError) as error:
            raise ConfigurationError(
                f"the connection `{name}` needs the driver of {url.drivername}: {error}; install it"
            ) from None
        # A keyword that the driver does not know, or a value that it does not take.
        except (TypeError, ValueError, AttributeError) as error:
            what = f"the connection `{name}`: its driver does not take its url and extra: {error}"
            raise ConfigurationError(what) from None
        except OSError as error:
            what = f"the connection `{name}`: a file that its url or extra name: {error}"
            raise ConfigurationError(what) from None
        except SQLAlchemyError as error:
            raise JobError(f"the connection `{name}` is refused: {_reason(error)}") from None

    def _connect(self) -> sqlalchemy.Connection:
        session = self._engine.connect().execution_options(
            stream_results=True, max_row_buffer=_ROWS
        )
        if self._is_mysql:
            session.exec_driver_sql(statement("mysql.session"))
        if self._engine.dialect.name == "oracle":
            session.exec_driver_sql(fragment("blocks.oracle_session"))
        return session

    def quote(self, identifier: str) -> str:
        """See `Source.quote`."""
        return quoted(self._engine.dialect, identifier)

    def value(self, query: Statement) -> Any:
        """See `Source.value`."""
        rows = self.rows(query)
        return rows[0][0] if rows else None

    def rows(self, query: Statement) -> list[tuple[Any, ...]]:
        """See `Source.rows`."""
        return self._all(self._execute(query))

    def read(self, query: Statement, column_types: Mapping[str, str] | None) -> CopyRows:
        """See `Source.read`. Without a target the rows wait in a file until all types are known."""
        result = self._execute(query.without_end())
        names = [str(name) for name in result.keys()]  # noqa: SIM118 - a result's, not a dict's
        described = self._described(result)
        known = dict(column_types or {})
        if column_types is not None:  # a driver gives a text as nothing else
            texts = {
                names[place]: declared
                for place, declared in described.items()
                if declared == "text"
            }
            known = texts | known
        if any(name not in known for name in names):
            rows = self._read_all(names, result, known, described)
            return replace(rows, origin=RowOrigin(again=lambda: self.read(query, column_types)))

        columns = [Column(name, known[name]) for name in names]
        types = [column.type for column in columns]
        return self._typed_rows(result, columns, types, lambda: self.read(query, column_types))

    def _typed_rows(
        self,
        result: sqlalchemy.CursorResult[Any],
        columns: Sequence[Column],
        checked: Sequence[str],
        again: Callable[[], CopyRows],
    ) -> CopyRows:
        """Rows of known types. checked: what values must fit, so that none is changed."""

        def write(file: BinaryIO) -> None:
            for _, lines in self._lines(result, checked):
                file.writelines(lines)

        return CopyRows(columns, "text", write, self._cut, RowOrigin(again=again))

    def columns(self, query: Statement) -> Sequence[Column]:
        """See `Source.columns`. All rows are read, since only their values say the types."""
        return self.read(query, None).columns

    def stop(self) -> None:
        """See `Source.stop`. As the driver can: by asking, or by cutting the connection."""
        with suppress(Exception):
            connection: Any = self._session.connection.driver_connection
            ask = getattr(connection, "cancel", None) or getattr(connection, "interrupt", None)
            if ask is not None:
                ask()
                return
            if self._is_pymysql:  # it waits on for the server, though it is closed
                cut(connection)
            connection.close()

    def _cut(self) -> None:
        """Ends the reading of rows that are of no use; what is asked next is asked anew."""
        self._is_cut = True
        self.stop()

    def close(self) -> None:
        """See `Source.close`."""
        for rest in self._unread:
            forget_rest(rest)
        with suppress(SQLAlchemyError):
            self._session.invalidate()
        self._session.close()
        self._engine.dispose()

    def _read_all(
        self,
        names: Sequence[str],
        result: sqlalchemy.CursorResult[Any],
        known: Mapping[str, str],
        described: Mapping[int, str],
    ) -> CopyRows:
        survey = TypeSurvey(len(names))
        # Closed when it has been written on, in another thread.
        spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        checked = [known.get(name, "text") for name in names]
        for rows, lines in self._lines(result, checked):
            survey.see(rows)
            spool.writelines(lines)
        spool.seek(0)

        def write(file: BinaryIO) -> None:
            with spool:
                while data := spool.read(1 << 17):
                    file.write(data)

        types = survey.types(described)
        for place, declared in described.items():
            if self._is_mysql and declared in _TIMES:  # a zero date comes as text, and is none
                types[place] = declared
        columns = [Column(n, known.get(n, found)) for n, found in zip(names, types, strict=True)]
        return CopyRows(columns, "text", write)

    def _described(self, result: sqlalchemy.CursorResult[Any]) -> dict[int, str]:
        """The types that the driver describes, by their places.

        Raises JobError for what it would change itself.
        """
        described = {}
        for place, column in enumerate(result.cursor.description or ()):
            declared = described_type(column, is_mysql=self._is_mysql)
            if declared is not None:
                described[place] = declared
            if self._is_mysql and column[1] == _MYSQL_FLOAT:
                raise JobError(
                    f"the server gives the FLOAT column {column[0]} with six digits only; write "
                    f"{column[0]} * 1e0 in the query, or let the native reader read it"
                )
        return described

    def _lines(
        self, result: sqlalchemy.CursorResult[Any], types: Sequence[str]
    ) -> Iterator[tuple[Sequence[Sequence[Any]], list[bytes]]]:
        """Rows, and the lines that they are. types: what values must fit."""
        line = exact_writer(types)
        batch, moments = BatchSize(_ROWS), self._moments(result, types)
        with self._asking("broke off"):
            while fetched := result.fetchmany(batch.rows):
                rows = [from_utc(row, moments) for row in fetched] if moments else fetched
                lines = list(map(line, rows))
                batch.took(len(rows), sum(map(len, lines)))
                yield rows, lines

    def _all(self, result: sqlalchemy.CursorResult[Any]) -> list[tuple[Any, ...]]:
        moments = self._moments(result)
        with self._asking("broke off"):
            return [from_utc(row, moments) for row in result.fetchall()]

    def _moments(
        self, result: sqlalchemy.CursorResult[Any], types: Sequence[str] | None = None
    ) -> list[int]:
        """The places of MySQL's TIMESTAMP columns, whose times the session has in UTC.

        types: of the target's columns; one without a zone gets the time in UTC as it is.
        """
        codes = [column[1] for column in result.cursor.description or () if self._is_mysql]
        places = [place for place, code in enumerate(codes) if code == _MYSQL_TIMESTAMP]
        return [place for place in places if types is None or not _is_plain(types[place])]

    def _execute(self, query: Statement) -> sqlalchemy.CursorResult[Any]:
        if self._is_cut:
            self.close()
            with self._asking("is not reached again"):
                self._session, self._unread, self._is_cut = self._connect(), [], False
        if self._is_mysql:
            query = replace(query, values=tuple(map(in_utc, query.values)))
        text, values = for_driver(self._engine.dialect, query)
        with self._asking("refuses the query"):
            result = self._session.exec_driver_sql(text, values or None)
            if self._is_pymysql:
                self._unread = [rest_of(result.cursor)]
        if not result.returns_rows:
            raise JobError(f"the source `{self._name}` gives no rows: the query is not a SELECT")
        return result

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Whatever a driver raises is the job's failure, the panic of a native one too."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # a panic in Rust is not an Exception
            raise JobError(f"the source `{self._name}` {what}: {_reason(error)}") from error


def for_driver(dialect: Dialect, query: Statement) -> tuple[str, dict[str, Any] | tuple[Any, ...]]:
    """A query's text and parameters for a dialect's driver."""
    text, values = query.for_driver(dialect.paramstyle, partial(quoted, dialect))
    # pymssql wants its percent signs as they are, whatever its paramstyle says.
    if not _doubles_percents(dialect) and dialect.paramstyle in ("format", "pyformat"):
        text = text.replace("%%", "%")
    return text, values


def quoted(dialect: Dialect, name: str) -> str:
    """A name as a database quotes it."""
    preparer = dialect.identifier_preparer
    # Oracle and Snowflake keep `modified_at` as MODIFIED_AT; SQLAlchemy gives such a name in lower
    # case, in which it may not be quoted.
    bare = dialect.requires_name_normalize
    text = str(preparer.quote(name) if bare else preparer.quote_identifier(name))
    # Statements double their percent signs themselves where the driver wants that.
    return text.replace("%%", "%") if _doubles_percents(dialect) else text


def _doubles_percents(dialect: Dialect) -> bool:
    """Whether statements have their percent signs twice. Private in SQLAlchemy 2.0 and 2.1."""
    return bool(dialect.identifier_preparer._double_percents)


def _is_plain(type_name: str) -> bool:
    """Whether times of a type have no zone."""
    return type_name.startswith("timestamp") and not type_name.endswith("with time zone")


def _reason(error: BaseException) -> str:
    """What a driver says, in a line."""
    origin = getattr(error, "orig", None) or error
    if len(origin.args) == 2 and isinstance(origin.args[0], int):  # as MySQL's drivers report
        return redact(f"{origin.args[1]} (error {origin.args[0]})")
    text = redact(str(origin)).strip().partition("\n")[0]
    return text or type(origin).__name__
