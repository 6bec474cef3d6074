"""Python values in the text form of COPY, and the PostgreSQL types that hold them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

from dapu.rows.exactness import Exactness, Reason, exactness, remarked

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def line(row: Iterable[Any]) -> bytes:
    """A row as a line of COPY's text format (UTF-8).

    https://www.postgresql.org/docs/current/sql-copy.html, "Text Format". What is not a character (a
    lone surrogate) goes as bytes that are not UTF-8, for PostgreSQL to refuse.
    """
    return ("\t".join([_field(value) for value in row]) + "\n").encode("utf-8", "surrogatepass")


def exact_writer(types: Sequence[str]) -> Callable[[Sequence[Any]], bytes]:
    """What `line` is, for columns of these types: what one would change in silence it refuses."""
    asked = [
        (place, look) for place, type_name in enumerate(types) if (look := _looks_at(type_name))
    ]
    if not asked:
        return line

    def write(row: Sequence[Any]) -> bytes:
        values = list(row)
        for place, look in asked:
            if values[place] is not None:
                values[place] = look(values[place])
        return line(values)

    return write


def _looks_at(type_name: str) -> Callable[[Any], Any] | None:
    """What gives a value of a column, with a remark where it would change; None: as it is."""
    exact = exactness(type_name)
    if type_name.endswith("[]"):
        return lambda value: _array(value, type_name, exact)
    return None if exact is None else lambda value: _marked(value, exact.reason)


def _array(value: Any, type_name: str, exact: Exactness | None) -> Any:
    if isinstance(value, list):
        return array_text(value, type_name)
    return value if exact is None else _marked(value, exact.reason)


def _marked(value: Any, reason: Reason) -> Any:
    text = value if isinstance(value, str) else _plain_text(value)
    why = reason(text)
    return value if why is None else remarked(text, why)


def array_text(values: list[Any], type_name: str) -> str:
    """A list as PostgreSQL reads an array, its elements with remarks where they would change.

    type_name: of the column, such as `numeric(10,2)[]`.
    https://www.postgresql.org/docs/current/arrays.html, "Array Input and Output Syntax".
    """
    exact = exactness(type_name.removesuffix("[]"))

    def element(value: Any) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, list):
            return "{" + ",".join(map(element, value)) + "}"
        text = value if isinstance(value, str) else _plain_text(value)
        why = exact.reason(text) if exact else None
        return _quoted(text if why is None else remarked(text, why))

    text = "{" + ",".join(map(element, values)) + "}"
    if any(
        map(_has_empty, values)
    ):  # PostgreSQL reads {{}} as {}, and takes no array with a remark
        return remarked(text, "its empty lists would be lost")
    return text


def _has_empty(value: Any) -> bool:
    return isinstance(value, list) and (not value or any(map(_has_empty, value)))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _plain_text(value: Any) -> str:
    """What `_field` is before its backslashes are doubled for COPY."""
    return _field(value).replace("\\\\", "\\")


def _field(value: Any) -> str:
    if value is None:
        return "\\N"
    return (_known.get(type(value)) or _derived(type(value)))(value)


def _derived(kind: type) -> Callable[[Any], str]:
    """The writer of what a type is derived from; remembered for the type."""
    _known[kind] = next((_WRITERS[base] for base in kind.__mro__ if base in _WRITERS), _text)
    return _known[kind]


def escaped(text: str) -> str:
    """A text as COPY's text format has it."""
    return text.translate(_ESCAPES)


def _text(value: Any) -> str:
    return str(value).translate(_ESCAPES)


def _duration(value: timedelta) -> str:
    """In hours, since a day of an interval need not have 24 of them."""
    microseconds = abs(value) // timedelta(microseconds=1)
    seconds, fraction = divmod(microseconds, 1_000_000)
    minutes, second = divmod(seconds, 60)
    sign = "-" if value < timedelta(0) else ""
    return f"{sign}{minutes // 60}:{minutes % 60:02}:{second:02}.{fraction:06}"


def _bytes(value: bytes | bytearray | memoryview) -> str:
    return "\\\\x" + bytes(value).hex()


def _document(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        text = _json(value)
    return text.translate(_ESCAPES)


def _json(value: Any) -> str:
    """As JSON, a decimal exactly; what JSON does not know, NaN too, as its text."""
    match value:
        case None | bool() | int() | str():
            return json.dumps(value, ensure_ascii=False)
        case float() | Decimal() if math.isfinite(value):
            return str(value)
        case dict():
            pairs = (f"{json.dumps(str(key))}: {_json(item)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        case list() | tuple() | set() | frozenset():
            return "[" + ", ".join(map(_json, value)) + "]"
        case bytes() | bytearray() | memoryview():
            return json.dumps(bytes(value).hex())
    return json.dumps(str(value), ensure_ascii=False)


_WRITERS: Mapping[type, Callable[[Any], str]] = {
    bool: lambda value: "t" if value else "f",
    int: lambda value: str(int(value)),
    float: lambda value: repr(float(value)),
    Decimal: str,
    str: lambda value: value.translate(_ESCAPES),
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    date: lambda value: value.isoformat(),
    time: lambda value: value.isoformat(),
    timedelta: _duration,
    UUID: str,
    dict: _document,
    list: _document,
    tuple: _document,
    set: _document,
    frozenset: _document,
}
_known = dict(_WRITERS)

_TYPES: Mapping[type, str] = {
    bool: "boolean",
    float: "double precision",
    Decimal: "numeric",
    str: "text",
    bytes: "bytea",
    bytearray: "bytea",
    memoryview: "bytea",
    date: "date",
    timedelta: "interval",
    UUID: "uuid",
    dict: "jsonb",
    list: "jsonb",
    tuple: "jsonb",
    set: "jsonb",
    frozenset: "jsonb",
}
_NUMBERS = {"bigint", "numeric", "double precision"}


def in_utc(value: Any) -> Any:
    """A moment as a session in UTC has it, whose times have no zone; another value as it is."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value


def from_utc(row: Sequence[Any], moments: Collection[int]) -> tuple[Any, ...]:
    """A row of a session in UTC, whose times have no zone; those in these places are moments."""
    return tuple(
        value.replace(tzinfo=UTC) if place in moments and isinstance(value, datetime) else value
        for place, value in enumerate(row)
    )


class TypeSurvey:
    """Finds for each column of rows the PostgreSQL type that holds all its values."""

    def __init__(self, width: int) -> None:
        self._seen: list[set[str]] = [set() for _ in range(width)]

    def see(self, rows: Sequence[Sequence[Any]]) -> None:
        """Takes rows into account."""
        for seen, values in zip(self._seen, zip(*rows, strict=True), strict=True):
            seen.update(map(_type_of, values))

    def types(self, described: Mapping[int, str] = MappingProxyType({})) -> list[str]:
        """The type of each column; text where it saw values without a common type, or none.

        described: by their places, the types of columns in which it saw none.
        """
        return [
            _common(seen - {""}) or described.get(place, "text")
            for place, seen in enumerate(self._seen)
        ]


def type_of_class(kind: type) -> str | None:
    """The type that holds values of a Python type; None for one that is not known."""
    if issubclass(kind, datetime):
        return "timestamp"
    types = {**_TYPES, int: "bigint", time: "time"}
    return next((types[base] for base in kind.__mro__ if base in types), None)


def _type_of(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "boolean"
        case int():
            return "bigint" if -(2**63) <= value < 2**63 else "numeric"
        case datetime():
            return "timestamp with time zone" if value.tzinfo else "timestamp"
        case time():
            return "time with time zone" if value.tzinfo else "time"
    return next((_TYPES[base] for base in type(value).__mro__ if base in _TYPES), "text")


def _common(seen: set[str]) -> str | None:
    if len(seen) <= 1:
        return next(iter(seen), None)
    if seen <= _NUMBERS:
        return "numeric"
    return "timestamp" if seen == {"date", "timestamp"} else "text"
