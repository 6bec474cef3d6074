"""Databases that have an ODBC driver and no dialect of SQLAlchemy: SQL Anywhere, Progress, ….

A url `odbc://user:password@dsn` names a data source of odbc.ini; what else the driver is to be
given stands in `extra`. Queries go to it as they are written. What tables there are, the driver's
catalog functions say (SQLTables, SQLColumns and SQLPrimaryKeys of the ODBC Programmer's Reference).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import types
from sqlalchemy.connectors.pyodbc import PyODBCConnector
from sqlalchemy.engine import URL, Connection
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import NoSuchTableError

# By the codes of SQL data types in sql.h and sqlext.h; what is not here is text.
_TYPES: dict[int, type[types.TypeEngine[Any]]] = {
    **dict.fromkeys((-6, 4, 5), types.Integer),
    -5: types.BigInteger,
    **dict.fromkeys((2, 3), types.Numeric),
    **dict.fromkeys((6, 7, 8), types.Double),
    -7: types.Boolean,
    **dict.fromkeys((-4, -3, -2), types.LargeBinary),
    **dict.fromkeys((9, 91), types.Date),
    **dict.fromkeys((10, 92), types.Time),
    **dict.fromkeys((11, 93), types.DateTime),
}


class OdbcDialect(PyODBCConnector, DefaultDialect):
    """What SQLAlchemy must know of such a database: how to reach it, and how it quotes a name."""

    name = "odbc"
    supports_statement_cache = True

    def create_connect_args(self, url: URL) -> Any:
        """See `Dialect`."""
        given = {
            "DSN": url.host,
            "UID": url.username,
            "PWD": url.password,
            "DATABASE": url.database,
            **url.query,
        }
        words = [f"{key}={_braced(str(value))}" for key, value in given.items() if value]
        return ((";".join(words),), {})

    def initialize(self, connection: Connection) -> None:
        """See `Dialect`. Asks the driver how names are quoted, and nothing else."""
        session: Any = connection.connection.dbapi_connection
        quote = str(session.getinfo(self.loaded_dbapi.SQL_IDENTIFIER_QUOTE_CHAR)).strip()
        preparer = self.identifier_preparer
        preparer.initial_quote = preparer.final_quote = quote or '"'
        preparer.escape_quote = preparer.initial_quote
        preparer.escape_to_quote = preparer.escape_quote * 2

    def get_schema_names(self, connection: Connection, **_: Any) -> list[str]:
        """See `Dialect`."""
        return sorted({row[1] for row in _catalog(connection, "tables") if row[1]})

    def get_table_names(
        self, connection: Connection, schema: str | None = None, **_: Any
    ) -> list[str]:
        """See `Dialect`."""
        rows = _catalog(connection, "tables", schema=schema, tableType="TABLE")
        return [row[2] for row in rows]

    def get_view_names(
        self, connection: Connection, schema: str | None = None, **_: Any
    ) -> list[str]:
        """See `Dialect`."""
        rows = _catalog(connection, "tables", schema=schema, tableType="VIEW")
        return [row[2] for row in rows]

    def get_columns(
        self, connection: Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> list[Any]:
        """See `Dialect`."""
        rows = list(_catalog(connection, "columns", table=table_name, schema=schema))
        if not rows:
            raise NoSuchTableError(table_name)
        return [
            {
                "name": row[3],
                "type": _type(row[4], row[6], row[8]),
                "nullable": row[10] != 0,
                "default": None,
                "comment": row[11] or None,
            }
            for row in rows
        ]

    def get_pk_constraint(
        self, connection: Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> Any:
        """See `Dialect`. Drivers that cannot say it say nothing."""
        try:
            rows = list(_catalog(connection, "primaryKeys", table=table_name, schema=schema))
        except self.loaded_dbapi.Error:
            rows = []
        in_order = sorted(rows, key=lambda row: row[4])
        return {"constrained_columns": [row[3] for row in in_order], "name": None}

    def get_indexes(self, *_: Any, **__: Any) -> list[Any]:
        """See `Dialect`."""
        return []

    get_foreign_keys = get_unique_constraints = get_indexes

    def get_table_comment(self, *_: Any, **__: Any) -> Any:
        """See `Dialect`."""
        return {"text": None}


def _type(code: int, size: int | None, scale: int | None) -> types.TypeEngine[Any]:
    kind = _TYPES.get(code, types.String)
    return types.Numeric(size, scale or 0) if kind is types.Numeric else kind()


def _braced(text: str) -> str:
    """A value of a connection string, in braces where it would end before its end."""
    return "{" + text.replace("}", "}}") + "}" if set(text) & set(";{}[]= ") else text


def _catalog(connection: Connection, function: str, **names: Any) -> Iterator[Any]:
    cursor = connection.connection.cursor()
    try:
        given = {key: value for key, value in names.items() if value is not None}
        yield from getattr(cursor, function)(**given).fetchall()
    finally:
        cursor.close()
