"""What a driver describes of a column's type before any value (PEP 249, `description`).

Drivers have codes of their own: Python's types (pyodbc), types of the database (DuckDB, python-
oracledb), numbers (PyMySQL). What is not known here comes from the values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from dapu.rows.python_text import type_of_class

_INTEGER_DIGITS = 18  # that each bigint has

# https://duckdb.org/docs/stable/sql/data_types/overview
_DUCKDB = {
    "BOOLEAN": "boolean",
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), "bigint"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER"), "bigint"),
    **dict.fromkeys(("UBIGINT", "HUGEINT", "UHUGEINT", "DECIMAL"), "numeric"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "double precision"),
    **dict.fromkeys(("VARCHAR", "JSON", "BIT", "ENUM"), "text"),
    **dict.fromkeys(("STRUCT", "MAP"), "jsonb"),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "timestamp"),
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "DATE": "date",
    "TIME": "time",
    "INTERVAL": "interval",
    "BLOB": "bytea",
    "UUID": "uuid",
}
# https://python-oracledb.readthedocs.io/en/latest/api_manual/module.html#oracle-database-types
_ORACLE = {
    "DB_TYPE_BOOLEAN": "boolean",
    **dict.fromkeys(("DB_TYPE_BINARY_FLOAT", "DB_TYPE_BINARY_DOUBLE"), "double precision"),
    **dict.fromkeys(("DB_TYPE_CHAR", "DB_TYPE_VARCHAR", "DB_TYPE_LONG", "DB_TYPE_CLOB"), "text"),
    **dict.fromkeys(("DB_TYPE_NCHAR", "DB_TYPE_NVARCHAR", "DB_TYPE_NCLOB"), "text"),
    **dict.fromkeys(("DB_TYPE_RAW", "DB_TYPE_LONG_RAW", "DB_TYPE_BLOB"), "bytea"),
    **dict.fromkeys(("DB_TYPE_DATE", "DB_TYPE_TIMESTAMP"), "timestamp"),
    "DB_TYPE_INTERVAL_DS": "interval",
    "DB_TYPE_JSON": "jsonb",
}
# https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html; texts and bytes share
# their codes.
_MYSQL = {
    **dict.fromkeys((1, 2, 3, 8, 9, 13), "bigint"),
    **dict.fromkeys((0, 246), "numeric"),
    **dict.fromkeys((4, 5), "double precision"),
    7: "timestamp with time zone",
    12: "timestamp",
    10: "date",
    11: "interval",
    16: "bytea",
    245: "text",
}


def described_type(column: Sequence[Any], *, is_mysql: bool) -> str | None:
    """The type of a column in a cursor's `description`; None when that does not say it."""
    code = column[1]
    if isinstance(code, type):
        return type_of_class(code)
    if is_mysql:
        return _MYSQL.get(code)
    name = getattr(code, "name", None) or str(code)
    if name == "DB_TYPE_NUMBER":
        precision, scale = column[4:6]
        return "bigint" if scale == 0 and 0 < (precision or 0) <= _INTEGER_DIGITS else "numeric"
    if name.endswith("]"):
        return "jsonb"
    return _ORACLE.get(name) or _DUCKDB.get(re.sub(r"\(.*", "", name, flags=re.DOTALL))
