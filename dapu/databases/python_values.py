"""Python values in the text form of COPY, and the PostgreSQL types that hold them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_BIGINT = range(-(2**63), 2**63)


def line(row: Iterable[Any]) -> bytes:
    """A row as a line of COPY's text format (UTF-8).

    https://www.postgresql.org/docs/current/sql-copy.html, "Text Format".
    """
    return ("\t".join([_field(value) for value in row]) + "\n").encode()


def _field(value: Any) -> str:
    if value is None:
        return "\\N"
    write = _WRITERS.get(type(value))
    return write(value) if write is not None else str(value).translate(_ESCAPES)


def _seconds(value: timedelta) -> str:
    return f"{value // timedelta(microseconds=1)} microseconds"


def _document(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str).translate(_ESCAPES)


def _bytes(value: bytes | bytearray | memoryview) -> str:
    return "\\\\x" + bytes(value).hex()


_WRITERS: dict[type, Callable[[Any], str]] = {
    bool: lambda value: "t" if value else "f",
    int: str,
    float: repr,
    Decimal: str,
    str: lambda value: value.translate(_ESCAPES),
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    date: date.isoformat,
    datetime: datetime.isoformat,
    time: time.isoformat,
    timedelta: _seconds,
    UUID: str,
    dict: _document,
    list: _document,
    tuple: _document,
}

_TYPES: dict[type, str] = {
    bool: "boolean",
    float: "double precision",
    Decimal: "numeric",
    str: "text",
    bytes: "bytea",
    bytearray: "bytea",
    memoryview: "bytea",
    date: "date",
    time: "time",
    timedelta: "interval",
    UUID: "uuid",
    dict: "jsonb",
    list: "jsonb",
    tuple: "jsonb",
}
_NUMBERS = {"bigint", "numeric", "double precision"}


class TypeSurvey:
    """Finds for each column of rows the PostgreSQL type that holds all its values."""

    def __init__(self, width: int) -> None:
        self._seen: list[set[str]] = [set() for _ in range(width)]

    def see(self, rows: Sequence[Sequence[Any]]) -> None:
        """Takes rows into account."""
        for seen, values in zip(self._seen, zip(*rows, strict=True), strict=True):
            seen.update(map(_type_of, values))

    def types(self) -> list[str]:
        """The type of each column; text where it saw no value, or values without a common type."""
        return [_common(seen - {""}) for seen in self._seen]


def _type_of(value: Any) -> str:
    if value is None:
        return ""
    if type(value) is int:
        return "bigint" if value in _BIGINT else "numeric"
    if isinstance(value, datetime):
        return "timestamp with time zone" if value.tzinfo else "timestamp"
    return _TYPES.get(type(value), "text")


def _common(seen: set[str]) -> str:
    if len(seen) == 1:
        return next(iter(seen))
    return "numeric" if seen and seen <= _NUMBERS else "text"
