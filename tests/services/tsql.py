"""A stand-in for SQL Server and its driver pyodbc, since no SQL Server can be started here.

What it is sent is parsed as T-SQL (sqlglot) and answered by DuckDB. It is as awkward as pyodbc:
that raises an error when it fetches a `datetimeoffset`, and leaves out the seventh digit of a
second (https://github.com/mkleehammer/pyodbc/wiki/Data-Types).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import duckdb
import pytest
import sqlglot

_TEXT = """
create or replace temp macro style_121(v) as
    regexp_replace(cast(v as varchar), '([+-][0-9]{2})$', ' \\1:00');
create or replace temp macro nvarchar_of(v) as cast(v as varchar);
"""
_NAMES = {
    "TINYINT": "smallint", "SMALLINT": "smallint", "INTEGER": "int", "BIGINT": "bigint",
    "BOOLEAN": "bit", "DOUBLE": "float", "VARCHAR": "nvarchar(max)", "BLOB": "varbinary(max)",
    "DATE": "date", "TIME": "time(7)", "UUID": "uniqueidentifier", "JSON": "json",
    "TIMESTAMP": "datetime2(6)", "TIMESTAMP_NS": "datetime2(7)",
    "TIMESTAMP WITH TIME ZONE": "datetimeoffset(7)", "INTERVAL": "sql_variant",
}  # fmt: skip
_OF_THE_DRIVER = {  # what SQLAlchemy asks when it connects
    "ProductVersion": "16.0.1000.6",
    "schema_name": "dbo",
    "test max support": "test max support",
    "fn_listextendedproperty": 1,
    "transaction_isolation_level": "READ COMMITTED",
}


class Error(Exception):
    """What pyodbc raises."""


class Cursor:
    """A cursor of pyodbc, as far as SQLAlchemy and dapu use it."""

    arraysize = 1
    rowcount = -1

    def __init__(self, session: duckdb.DuckDBPyConnection) -> None:
        self._session = session
        self._result: Any = None
        self.description: Any = None
        self.sent: list[str] = []

    def execute(self, text: str, *values: Any) -> Cursor:
        bound = list(values[0]) if values and isinstance(values[0], list | tuple) else list(values)
        answer = next((told for asked, told in _OF_THE_DRIVER.items() if asked in text), None)
        if answer is not None:
            self._run("select ? as answer", [answer])
        elif "dm_exec_describe_first_result_set" in text:
            self._describe(*bound)
        else:
            self._run(_translated(text), bound)
        return self

    def _describe(self, query: str, declared: str) -> None:
        kinds = dict(one.split(" ", 1) for one in declared.split(", ")) if declared else {}
        text = re.sub(r"@p\d+", lambda found: f"cast(null as {kinds[found[0]]})", query)
        try:
            self._run(_translated(text), [])
        except Error as error:
            self._run("select null, null, ? as error_message", [str(error)])
            return
        rows = [(column[0], _name(str(column[1]))) for column in self.description]
        marks = ", ".join("(?, ?, null)" for _ in rows)
        self._run(
            f"select * from (values {marks}) t(a, b, c)", [item for row in rows for item in row]
        )

    def _run(self, text: str, values: Sequence[Any]) -> None:
        try:
            self._result = self._session.execute(text, values)
        except duckdb.Error as error:
            raise Error("42000", f"[42000] {error}") from None
        self.description = self._session.description

    def fetchall(self) -> list[Any]:
        return self._checked(self._result.fetchall())

    def fetchmany(self, size: int) -> list[Any]:
        return self._checked(self._result.fetchmany(size))

    def fetchone(self) -> Any:
        return (self._checked(self._result.fetchmany(1)) or [None])[0]

    def _checked(self, rows: list[Any]) -> list[Any]:
        if any(str(column[1]) == "TIMESTAMP WITH TIME ZONE" for column in self.description):
            raise Error("HY106", "ODBC SQL type -155 is not yet supported. column-index=0")
        return rows

    def close(self) -> None:
        self._result = None

    def setinputsizes(self, _sizes: Any) -> None:
        """Nothing: values have their own types here."""


class Connection:
    """A connection of pyodbc."""

    autocommit = False

    def __init__(self, database: str) -> None:
        self._session = duckdb.connect(database)
        self._session.execute("set timezone = 'UTC'")
        if not self._session.execute(
            "from duckdb_functions() where function_name = 'style_121'"
        ).fetchall():
            self._session.execute(_TEXT)

    def cursor(self) -> Cursor:
        return Cursor(self._session)

    def add_output_converter(self, *_: Any) -> None:
        """SQLAlchemy has one for datetimeoffset."""

    def commit(self) -> None:
        """Nothing is changed here."""

    rollback = commit

    def close(self) -> None:
        self._session.close()


def _translated(text: str) -> str:
    """T-SQL as DuckDB's SQL. Raises Error for what is not T-SQL."""
    text = re.sub(r"convert\(varchar\(34\), (\[(?:[^\]]|\]\])+\]), 121\)", r"style_121(\1)", text)
    text = re.sub(r"convert\(nvarchar\(max\), (\[(?:[^\]]|\]\])+\])\)", r"nvarchar_of(\1)", text)
    if re.search(r"order by[^)]*\)\s*dapu_query", text):
        raise Error("42000", "The ORDER BY clause is invalid in views and derived tables (1033)")
    try:
        return ";".join(sqlglot.transpile(text, read="tsql", write="duckdb"))
    except sqlglot.errors.ParseError as error:
        raise Error("42000", str(error)) from None


def _name(kind: str) -> str | None:
    return kind.lower() if kind.startswith("DECIMAL") else _NAMES.get(kind)


@pytest.fixture
def as_pyodbc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever imports pyodbc gets the stand-in."""
    errors = ("Error", "Warning", "DatabaseError", "InterfaceError", "DataError",
              "OperationalError", "IntegrityError", "InternalError", "ProgrammingError",
              "NotSupportedError")  # fmt: skip
    types = ("SQL_VARCHAR", "SQL_WVARCHAR", "SQL_DECIMAL", "BinaryNull")
    module = ModuleType("pyodbc")
    vars(module).update(dict.fromkeys(errors, Error), **{name: name for name in types})
    vars(module).update(
        paramstyle="qmark",
        version="5.2.0",
        Cursor=Cursor,
        connect=lambda *_, file, **_more: Connection(file),
    )
    monkeypatch.setitem(sys.modules, "pyodbc", module)
