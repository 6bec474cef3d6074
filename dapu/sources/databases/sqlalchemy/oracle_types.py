"""Oracle's types. Its driver rounds what Python's types do not hold: texts keep all of a value.

https://docs.oracle.com/en/database/oracle/oracle-database/23/sqlrf/Data-Types.html and
https://python-oracledb.readthedocs.io/en/latest/api_manual/module.html#oracle-database-types
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dapu.sources.databases.typed_column import Typed, decimal

_INTEGER_DIGITS = 18  # that each bigint has
_PLAIN = {
    "DB_TYPE_BOOLEAN": "boolean",
    **dict.fromkeys(("DB_TYPE_BINARY_FLOAT", "DB_TYPE_BINARY_DOUBLE"), "double precision"),
    **dict.fromkeys(("DB_TYPE_CHAR", "DB_TYPE_VARCHAR", "DB_TYPE_LONG", "DB_TYPE_CLOB"), "text"),
    **dict.fromkeys(("DB_TYPE_NCHAR", "DB_TYPE_NVARCHAR", "DB_TYPE_NCLOB"), "text"),
    **dict.fromkeys(("DB_TYPE_ROWID", "DB_TYPE_UROWID"), "text"),
    **dict.fromkeys(("DB_TYPE_RAW", "DB_TYPE_LONG_RAW", "DB_TYPE_BLOB"), "bytea"),
}
_AS_TEXT = {
    "DB_TYPE_DATE": ("timestamp without time zone", "casts.oracle_day", 0),
    "DB_TYPE_TIMESTAMP": ("timestamp without time zone", "casts.oracle_moment", 9),
    "DB_TYPE_TIMESTAMP_TZ": ("timestamp with time zone", "casts.oracle_zoned", 9),
    "DB_TYPE_TIMESTAMP_LTZ": ("timestamp with time zone", "casts.oracle_zoned", 9),
    "DB_TYPE_INTERVAL_YM": ("interval", "casts.oracle_months", 0),
    "DB_TYPE_INTERVAL_DS": ("interval", "casts.oracle_seconds", 9),
    "DB_TYPE_JSON": ("jsonb", "casts.oracle_json", 0),
    "DB_TYPE_XMLTYPE": ("text", "casts.oracle_xml", 0),
}
"""The PostgreSQL type, the SQL that writes a value, and the digits of a second that it has."""


def oracle_column(name: str, description: Sequence[Any]) -> Typed | None:
    """A column of a cursor's `description` (PEP 249); None when its type is not known."""
    kind = description[1].name
    if kind == "DB_TYPE_NUMBER":
        return _number(name, description[4] or 0, description[5] or 0)
    if kind in _AS_TEXT:
        return Typed(name, *_AS_TEXT[kind])
    return Typed(name, _PLAIN[kind]) if kind in _PLAIN else None


def _number(name: str, precision: int, scale: int) -> Typed:
    """Without a declaration the precision is 0; the scale of a FLOAT is -127."""
    if scale == 0 and 0 < precision <= _INTEGER_DIGITS:
        return Typed(name, "bigint")
    declared = f"({precision},{scale})" if 0 <= scale <= precision and precision else ""
    return decimal(name, declared, "casts.oracle_number")
