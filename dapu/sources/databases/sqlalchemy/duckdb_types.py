"""DuckDB's types. Its driver ends times at the year 9999 and makes a month 30 days: texts do not.

https://duckdb.org/docs/stable/sql/data_types/overview
"""

from __future__ import annotations

import re

from dapu.sources.databases.typed_column import Typed, decimal

_PLAIN = {
    "BOOLEAN": "boolean",
    **dict.fromkeys(("TINYINT", "UTINYINT", "SMALLINT"), "smallint"),
    **dict.fromkeys(("USMALLINT", "INTEGER"), "integer"),
    **dict.fromkeys(("UINTEGER", "BIGINT"), "bigint"),
    "UBIGINT": "numeric(20,0)",
    **dict.fromkeys(("HUGEINT", "UHUGEINT"), "numeric(39,0)"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "double precision"),
    **dict.fromkeys(("VARCHAR", "BIT", "ENUM", '"NULL"'), "text"),
    "BLOB": "bytea",
    "UUID": "uuid",
}
_AS_TEXT = {
    "BIGNUM": ("numeric", "casts.duckdb_text", 0),
    "JSON": ("jsonb", "casts.duckdb_text", 0),
    "DATE": ("date", "casts.duckdb_time", 0),
    "TIME": ("time without time zone", "casts.duckdb_time", 6),
    "TIME_NS": ("time without time zone", "casts.duckdb_time", 9),
    "TIME WITH TIME ZONE": ("time with time zone", "casts.duckdb_time", 6),
    "TIMESTAMP_S": ("timestamp without time zone", "casts.duckdb_time", 0),
    "TIMESTAMP_MS": ("timestamp without time zone", "casts.duckdb_time", 3),
    "TIMESTAMP": ("timestamp without time zone", "casts.duckdb_time", 6),
    "TIMESTAMP_NS": ("timestamp without time zone", "casts.duckdb_time", 9),
    "TIMESTAMP WITH TIME ZONE": ("timestamp with time zone", "casts.duckdb_zoned", 6),
    "INTERVAL": ("interval", "casts.duckdb_time", 6),
}
"""The PostgreSQL type, the SQL that writes a value, and the digits of a second that it has."""

_OF_TIME = re.compile(r"\b(DATE|INTERVAL|TIME(STAMP)?(_\w+)?)\b")
_OF_JSON = re.compile(r"\bJSON\b")  # whose numbers DuckDB rounds when it writes them again


def duckdb_column(name: str, declared: str) -> Typed | None:
    """A column of a type that `describe` gives; None when it is not known."""
    kind = declared.partition("(")[0]
    if declared.endswith("]") or kind in ("STRUCT", "MAP"):
        is_changed = _OF_TIME.search(declared) and not _OF_JSON.search(declared)
        return Typed(name, "jsonb", "casts.duckdb_json" if is_changed else None)
    if kind == "DECIMAL":
        return decimal(name, declared)
    if kind in _AS_TEXT:
        return Typed(name, *_AS_TEXT[kind])
    return Typed(name, _PLAIN[kind]) if kind in _PLAIN else None
