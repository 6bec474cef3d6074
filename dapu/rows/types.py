"""Which PostgreSQL types hold all values of which others, and the least that holds two."""

from __future__ import annotations

import re

_SHORT = {
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "timetz": "time with time zone",
    "varchar": "character varying",
    "int": "integer",
    "float8": "double precision",
    "float4": "real",
    "bool": "boolean",
    "decimal": "numeric",
}
_STRINGS = {"text", "character varying", "character", "bpchar", "name"}
_INTEGER_DIGITS = {"smallint": 5, "integer": 10, "bigint": 19}
_NUMBERS = {"numeric", "real", "double precision", *_INTEGER_DIGITS}
_TYPE = re.compile(r"([^(]+?)\s*(?:\((\d+)(?:,\s*(-?\d+))?\))?(\s+with(?:out)? time zone)?(\[\])?")
_WIDER = {
    ("real", "double precision"),
    ("smallint", "real"),
    ("smallint", "double precision"),
    ("integer", "double precision"),
    ("date", "timestamp without time zone"),
    ("json", "jsonb"),
    ("bit", "bit varying"),
    ("name", "character varying"),
}


# Types whose values are the same just when `=` says so. Of other types the texts are compared:
# the numeric values 1.0 and 1.00 are equal and not the same, and json has no `=` at all. The
# values of `character(n)` are all as long.
_COMPARABLE = (
    "boolean", "smallint", "integer", "bigint", "numeric(", "date", "timestamp", "time without",
    "uuid", "bytea", "text", "character varying", "character(",
)  # fmt: skip


def is_exactly_comparable(type_name: str) -> bool:
    """Whether two values of a type are the same, to the last character, when `=` says so."""
    return type_name.startswith(_COMPARABLE) and not type_name.endswith(("]", "range"))


def holds(target: str, source: str) -> bool:
    """Whether a column of type `target` takes every value of type `source`, as it is."""
    wide, narrow = _parse(target), _parse(source)
    if wide == narrow or (wide[0] in ("text", "character varying") and wide[1] is None):
        return True
    if narrow[0] in _INTEGER_DIGITS or "numeric" in (wide[0], narrow[0]):
        return _holds_number(wide, narrow)
    if (narrow[0], wide[0]) in _WIDER:
        return True
    return wide[0] == narrow[0] and _holds_length(wide[1], narrow[1])


def widened(target: str, source: str) -> str:
    """The least type that holds the values of both."""
    if holds(target, source):
        return target
    if holds(source, target):
        return source
    return "numeric" if {_parse(target)[0], _parse(source)[0]} <= _NUMBERS else "text"


def grown(target: str, source: str) -> str | None:
    """What a column becomes to take another type too; None where the two have no common kind.

    Truths become 0 and 1 among numbers, though a text of them is not a number.
    """
    if _parse(target)[0] == "boolean" and _parse(source)[0] in _NUMBERS:
        return source
    return widened(target, source) if is_widened(target, source) else None


def is_widened(target: str, source: str) -> bool:
    """Whether the least type that holds both is of their kind, not the text of anything."""
    least = widened(target, source)
    return least != "text" or is_text(target)


def is_integer(type_name: str) -> bool:
    """Whether values of a type are whole numbers."""
    return _parse(type_name)[0] in _INTEGER_DIGITS


def is_number(type_name: str) -> bool:
    """Whether values of a type are numbers."""
    return _parse(type_name)[0] in _NUMBERS


def is_float(type_name: str) -> bool:
    """Whether values of a type are binary floating-point numbers."""
    return _parse(type_name)[0] in ("real", "double precision")


def is_text(type_name: str) -> bool:
    """Whether values of a type are texts."""
    return _parse(type_name)[0] in _STRINGS


def is_padded(type_name: str) -> bool:
    """Whether values of a type are texts whose blanks at the end do not count."""
    return _parse(type_name)[0] in ("character", "bpchar")


_Parsed = tuple[str, int | None, int]


def _parse(name: str) -> _Parsed:
    """The type's base name, its length or precision (None: without limit), its scale."""
    match = _TYPE.fullmatch(name.strip().lower())
    if match is None:
        return name, None, 0
    base, length, scale, zone, array = match.groups()
    full = _SHORT.get(base + (zone or ""), base + (zone or "")) + (array or "")
    return full, int(length) if length else None, int(scale or 0)


def _holds_length(wide: int | None, narrow: int | None) -> bool:
    return wide is None or (narrow is not None and narrow <= wide)


def _holds_number(wide: _Parsed, narrow: _Parsed) -> bool:
    if wide[0] in _INTEGER_DIGITS:
        return _INTEGER_DIGITS.get(narrow[0], 99) <= _INTEGER_DIGITS[wide[0]]
    if wide[0] != "numeric":
        return (narrow[0], wide[0]) in _WIDER
    if wide[1] is None:
        return narrow[0] in ("numeric", "real", "double precision", *_INTEGER_DIGITS)
    whole = wide[1] - wide[2]
    if narrow[0] in _INTEGER_DIGITS:
        return whole >= _INTEGER_DIGITS[narrow[0]]
    return narrow[1] is not None and narrow[1] - narrow[2] <= whole and narrow[2] <= wide[2]
