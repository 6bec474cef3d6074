"""Databases behind SQLAlchemy whose types are known: what a driver would shorten goes as text.

The database writes the text, by a cast around the query, and PostgreSQL reads the exact value. The
types come from the declarations, so that a new table is filled while the source is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy.engine import URL

from dapu.errors import JobError, NotNative
from dapu.rows.exactness import FINEST
from dapu.rows.rows import Column, CopyRows
from dapu.rows.types import is_number
from dapu.sources.databases.fragments import fill_statement, fragment
from dapu.sources.databases.sqlalchemy.duckdb_types import duckdb_column
from dapu.sources.databases.sqlalchemy.mssql_types import mssql_column, parameters
from dapu.sources.databases.sqlalchemy.oracle_types import oracle_column
from dapu.sources.databases.sqlalchemy.source import GenericSource
from dapu.sources.databases.subquery import no_rows, only
from dapu.sources.databases.typed_column import Typed
from dapu.statement import Statement

# A `datetime` has thirds of hundredths of a second, of which its text has three digits; and
# pymssql sends no more than three of any time.
_DATETIME = timedelta(milliseconds=1)
_ENDS = {1, 9999}  # the years of the first and last times that Python has


class CastingSource(GenericSource):
    """DuckDB, Oracle or SQL Server."""

    def __init__(self, name: str, url: URL, extra: Mapping[str, Any]) -> None:
        super().__init__(name, url, extra)
        self.description += ", exact texts"
        if self._engine.dialect.name == "mssql":
            self.time_slack = _DATETIME

    def read(self, query: Statement, column_types: Mapping[str, str] | None) -> CopyRows:
        """See `Source.read`. Raises NotNative for a query that it cannot put its casts around.

        Where there is a target its type is found, and each value must fit.
        """
        typed = self._typed(query)
        columns = [
            Column(str(one.name), (column_types or {}).get(one.name, one.type)) for one in typed
        ]
        checked = [
            "text" if _is_exact(one, column.type) else column.type
            for one, column in zip(typed, columns, strict=True)
        ]
        result = self._execute(self._cast(query, typed))
        return self._typed_rows(result, columns, checked, lambda: self.read(query, column_types))

    def columns(self, query: Statement) -> Sequence[Column]:
        """See `Source.columns`. Raises NotNative as `read` does."""
        return [Column(str(one.name), one.type) for one in self._typed(query)]

    def value(self, query: Statement) -> Any:
        """See `Source.value`. Raises JobError for infinity, which DuckDB's driver makes 9999."""
        value = super().value(query)
        is_end = isinstance(value, date) and value.year in _ENDS
        if is_end and self._engine.dialect.name == "duckdb":
            text = str(super().value(self._cast(query, self._typed(query))))
            if "infinity" in text:
                raise JobError(
                    f"{text} is not a point from which rows can be read on; leave such rows out of "
                    "the query"
                )
        return value

    def _typed(self, query: Statement) -> list[Typed]:
        ask = {"mssql": self._columns_by_server, "duckdb": self._columns_by_describe}
        try:
            return self._known(ask.get(self._engine.dialect.name, self._columns_by_cursor)(query))
        except NotNative:
            raise
        except JobError as error:
            what = f"it cannot stand inside another query ({error})"
            raise NotNative(self._name, what) from None

    def _columns_by_cursor(self, query: Statement) -> list[tuple[str, Any, Typed | None]]:
        result = self._execute(no_rows(query))
        # SQLAlchemy's names, which know whether Oracle's must be quoted.
        described = zip(result.keys(), result.cursor.description, strict=True)
        found = [(name, column[1], oracle_column(name, column)) for name, column in described]
        result.close()
        return found

    def _columns_by_describe(self, query: Statement) -> list[tuple[str, Any, Typed | None]]:
        ask = fill_statement("casts.duckdb_describe", query=query.without_end())
        found = [(name, declared) for name, declared, *_ in self.rows(ask)]
        if len({name.lower() for name, _ in found}) < len(found):
            raise NotNative(self._name, "it has columns of the same name")
        return [(name, declared, duckdb_column(name, declared)) for name, declared in found]

    def _columns_by_server(self, query: Statement) -> list[tuple[str, Any, Typed | None]]:
        text, values = no_rows(query).for_driver("at", self.quote)
        ask = Statement(
            tuple(fragment("casts.mssql_describe").split("?")), (text, parameters(tuple(values)))
        )
        found = self.rows(ask)
        if found and found[0][2] is not None:
            raise JobError(str(found[0][2]))
        return [(name, declared, mssql_column(name, declared)) for name, declared, _ in found]

    def _known(self, found: Iterable[tuple[str, Any, Typed | None]]) -> list[Typed]:
        typed = []
        for name, declared, column in found:
            if column is None:
                what = f"the column {name} has a type that is not known ({declared})"
                raise NotNative(self._name, what)
            typed.append(column)
        return typed

    def _cast(self, query: Statement, typed: Iterable[Typed]) -> Statement:
        return only(query, ", ".join(map(self._field, typed)))

    def _field(self, typed: Typed) -> str:
        column = self.quote(typed.name)
        if typed.cast is None:
            return column
        return fragment("casts.cast", text=fragment(typed.cast, value=column), column=column)


def _is_exact(typed: Typed, declared: str) -> bool:
    """Whether each value is known to arrive as it is, so that none need be looked at."""
    return declared == typed.type and (is_number(declared) or typed.scale <= FINEST)
