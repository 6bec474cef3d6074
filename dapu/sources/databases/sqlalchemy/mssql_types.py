"""SQL Server's types. pyodbc knows some of them not at all, and leaves out digits of others.

https://learn.microsoft.com/en-us/sql/t-sql/data-types/data-types-transact-sql
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from dapu.sources.databases.expected_type import base, size
from dapu.sources.databases.typed_column import Typed, decimal

_PLAIN = {
    "bit": "boolean",
    **dict.fromkeys(("tinyint", "smallint"), "smallint"),
    "int": "integer",
    "bigint": "bigint",
    "money": "numeric(19,4)",
    "smallmoney": "numeric(10,4)",
    **dict.fromkeys(("float", "real"), "double precision"),
    "date": "date",
    **dict.fromkeys(("char", "varchar", "text", "nchar", "nvarchar", "ntext", "sysname"), "text"),
    **dict.fromkeys(("binary", "varbinary", "image", "timestamp", "rowversion"), "bytea"),
}
_AS_TEXT = {
    "time": ("time without time zone", "casts.mssql_time"),
    **dict.fromkeys(
        ("smalldatetime", "datetime", "datetime2"),
        ("timestamp without time zone", "casts.mssql_time"),
    ),
    "datetimeoffset": ("timestamp with time zone", "casts.mssql_time"),
    "uniqueidentifier": ("uuid", "casts.mssql_text"),
    "xml": ("text", "casts.mssql_text"),
    "json": ("jsonb", "casts.mssql_text"),
    "hierarchyid": ("text", "casts.mssql_path"),
}
"""The PostgreSQL type, and the SQL that writes a value."""

_DECLARED: Sequence[tuple[type, str]] = (
    (bool, "bit"),
    (float, "float"),
    (str, "nvarchar(max)"),
    (bytes, "varbinary(max)"),
    (date, "date"),
    (time, "time(6)"),
    (UUID, "uniqueidentifier"),
)


def mssql_column(name: str, declared: str | None) -> Typed | None:
    """A column by its `system_type_name`; None when it is not known."""
    kind = base(declared or "")
    if kind in ("decimal", "numeric"):
        return decimal(name, declared or "")
    if kind in _AS_TEXT:
        digits = size(declared or "")
        return Typed(name, *_AS_TEXT[kind], digits[0] if digits else 3)
    return Typed(name, _PLAIN[kind]) if kind in _PLAIN else None


def parameters(values: Sequence[Any]) -> str:
    """The declarations of a query's values: `@p1 bigint, @p2 datetime2(6)`."""
    kinds = enumerate(map(_declared, values), start=1)
    return ", ".join(f"@p{number} {kind}" for number, kind in kinds)


def _declared(value: Any) -> str:
    match value:
        case datetime():
            return "datetime2(6)" if value.tzinfo is None else "datetimeoffset(6)"
        case Decimal():
            scale = max(-int(value.as_tuple().exponent), 0) if value.is_finite() else 0
            return f"decimal(38,{scale})"
        case int() if not isinstance(value, bool):
            return "bigint" if -(2**63) <= value < 2**63 else "decimal(38,0)"
    return next((name for kind, name in _DECLARED if isinstance(value, kind)), "nvarchar(max)")
