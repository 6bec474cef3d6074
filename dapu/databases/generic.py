"""Any database that SQLAlchemy knows, through its own driver and a server-side cursor.

The way for all databases that have none of their own: each value goes as the driver gives it, in
its exact text form.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

import sqlalchemy
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from dapu.databases.python_values import TypeSurvey, line
from dapu.definitions.templates import Statement
from dapu.errors import ConfigurationError, JobError
from dapu.loading.rows import Column, CopyRows
from dapu.loading.watermark import without_end
from dapu.secrets import redact

_ROWS = 2_000
_IN_MEMORY = 16 << 20  # bytes


class GenericSource:
    """A database behind a SQLAlchemy URL."""

    description = "SQLAlchemy"

    def __init__(self, name: str, url: URL, extra: Mapping[str, Any]) -> None:
        self._name = name
        self.description = f"SQLAlchemy, {url.drivername}"
        try:
            self._engine = sqlalchemy.create_engine(
                url, connect_args=dict(extra), poolclass=sqlalchemy.NullPool
            )
            self._session = self._engine.connect().execution_options(
                stream_results=True, max_row_buffer=_ROWS
            )
        except (ImportError, sqlalchemy.exc.NoSuchModuleError) as error:
            raise ConfigurationError(
                f"the connection `{name}` needs the driver of {url.drivername}: {error}; install it"
            ) from None
        except SQLAlchemyError as error:
            reason = redact(str(getattr(error, "orig", None) or error))
            raise JobError(f"the connection `{name}` is refused: {reason}") from None

    def quote(self, identifier: str) -> str:
        """See `Source.quote`."""
        return str(self._engine.dialect.identifier_preparer.quote_identifier(identifier))

    def value(self, query: Statement) -> Any:
        """See `Source.value`."""
        return self._execute(query).scalar()

    def rows(self, query: Statement) -> list[tuple[Any, ...]]:
        """See `Source.rows`."""
        return [tuple(row) for row in self._execute(query)]

    def read(self, query: Statement, into: Mapping[str, str] | None) -> CopyRows:
        """See `Source.read`. Without a target the rows wait in a file until all types are known."""
        result = self._execute(without_end(query))
        names = [str(name) for name in result.keys()]  # noqa: SIM118 - a result's, not a dict's
        if into is None or any(name not in into for name in names):
            return self._read_all(names, result, into or {})

        def write(file: BinaryIO) -> None:
            for rows in self._batches(result):
                file.writelines(map(line, rows))

        columns = [Column(name, into[name]) for name in names]
        return CopyRows(columns, "text", write, self.stop)

    def stop(self) -> None:
        """See `Source.stop`. The connection is cut: there is no way that all drivers share."""
        with suppress(Exception):
            self._session.connection.driver_connection.close()  # type: ignore[union-attr]

    def close(self) -> None:
        """See `Source.close`."""
        with suppress(SQLAlchemyError):
            self._session.invalidate()
        self._session.close()
        self._engine.dispose()

    def _read_all(
        self,
        names: Sequence[str],
        result: sqlalchemy.CursorResult[Any],
        into: Mapping[str, str],
    ) -> CopyRows:
        survey = TypeSurvey(len(names))
        # Closed when it has been written on, in another thread.
        spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        for rows in self._batches(result):
            survey.see(rows)
            spool.writelines(map(line, rows))
        spool.seek(0)

        def write(file: BinaryIO) -> None:
            with spool:
                while data := spool.read(1 << 17):
                    file.write(data)

        found = zip(names, survey.types(), strict=True)
        columns = [Column(name, into.get(name, survey_type)) for name, survey_type in found]
        return CopyRows(columns, "text", write)

    def _batches(
        self, result: sqlalchemy.CursorResult[Any]
    ) -> Iterator[Sequence[sqlalchemy.Row[Any]]]:
        try:
            while rows := result.fetchmany(_ROWS):
                yield rows
        except SQLAlchemyError as error:
            raise self._failure(error) from error

    def _execute(self, query: Statement) -> sqlalchemy.CursorResult[Any]:
        text, values = query.for_driver(self._engine.dialect.paramstyle, self.quote)
        try:
            return self._session.exec_driver_sql(text, values or None)
        except SQLAlchemyError as error:
            raise self._failure(error) from error

    def _failure(self, error: SQLAlchemyError) -> JobError:
        reason = redact(str(getattr(error, "orig", None) or error))
        return JobError(f"the source `{self._name}` refuses the query: {reason}")
