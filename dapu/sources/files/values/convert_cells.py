"""Values of Python as the text that PostgreSQL reads, by what their column is to hold.

Workbooks and JSON documents have values with types. A number in a column of texts, a text in a
column of numbers: each is written so that it keeps its meaning, or so that PostgreSQL refuses it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dapu.rows.exactness import remarked
from dapu.sources.documents.exact_json import dump
from dapu.sources.files.values.convert_texts import TextStyle, text_converter
from dapu.sources.files.values.kinds import Kind

_EXACT = 2**53  # up to here a float holds each whole number
_ARROW: dict[Kind, tuple[type, pa.DataType]] = {
    "decimal": (float, pa.float64()),
    "boolean": (bool, pa.bool_()),
    "date": (date, pa.date32()),
    "timestamp": (datetime, pa.timestamp("us")),
}

Write = Callable[[Any], str | None]


def cells_to_text(values: Sequence[Any], kind: Kind, style: TextStyle) -> pa.Array:
    """The values as an array of texts, or in a type whose text Arrow writes just so."""
    types = set(map(type, values))
    ready = _of_one_type(values, types, kind, style)
    if ready is not None:
        return ready
    writers = _writers(kind, style)
    default = writers[object]
    return pa.array([writers.get(type(value), default)(value) for value in values], pa.string())


def _of_one_type(
    values: Sequence[Any], types: set[type], kind: Kind, style: TextStyle
) -> pa.Array | None:
    """The usual case, in which no value needs a look: a column of values of its own kind."""
    if len(types) != 1:
        return None
    (only,) = types
    if only is str and kind == "text":
        return _trimmed(pa.array(values)) if style.trim else pa.array(values)
    if only is float and kind == "integer" and all(map(float.is_integer, values)):
        whole = max(values) < _EXACT and min(values) > -_EXACT
        return pa.array(map(int, values), pa.int64()) if whole else None
    if only is float and not all(map(math.isfinite, values)):
        return None
    arrow = _ARROW.get(kind)
    return pa.array(values, arrow[1]) if arrow and arrow[0] is only else None


def _trimmed(texts: pa.Array) -> pa.Array:
    bare = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.greater(pc.binary_length(bare), 0), bare, pa.scalar(None, pa.string()))


def plain_number(value: float) -> str:
    """The shortest text that is exactly this number: without a point when it is whole.

    What no program writes into a cell, infinity among them, stood there as other digits (1e400).
    """
    if not math.isfinite(value):
        return remarked(repr(value), "a number that a cell cannot hold")
    return str(int(value)) if value.is_integer() else repr(value)


def duration(value: timedelta) -> str:
    """Hours, minutes and seconds, as an interval and a person take them: `30:00:00`."""
    seconds, micros = divmod(abs(value) // timedelta(microseconds=1), 1_000_000)
    sign = "-" if value < timedelta(0) else ""
    fraction = f".{micros:06}" if micros else ""
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"


def _writers(kind: Kind, style: TextStyle) -> dict[type, Write]:
    """How each type of Python is written; `object` stands for all others."""
    plain: dict[type, Write] = {
        type(None): lambda _: None,
        str: (lambda value: value.strip() or None) if style.trim or kind != "text" else str,
        bool: lambda value: "true" if value else "false",
        int: str,
        float: plain_number,
        Decimal: str,
        date: date.isoformat,
        datetime: lambda value: value.isoformat(" "),
        time: time.isoformat,
        timedelta: duration,
        dict: dump,
        list: dump,
        object: str,
    }
    if kind in ("text", "own", "boolean"):
        return plain
    if kind == "json":
        return dict.fromkeys(plain, dump) | {type(None): plain[type(None)]}
    read = text_converter(kind, style)
    if kind in ("date", "timestamp", "zoned"):
        # A number may be a date as programs write it (20240102), never a count of days.
        through_text = (str, int, float, Decimal, bool, time, timedelta)
        writers = plain | {one: _then(plain[one], read) for one in through_text}
        return writers | ({datetime: _then(plain[datetime], read)} if kind == "date" else {})
    # The point of a number that is not a text is a decimal point.
    exact = text_converter(kind, replace(style, decimal="."))
    return plain | {str: _then(plain[str], read), Decimal: _then(plain[Decimal], exact)}


def _then(first: Write, second: Callable[[str], str | None]) -> Write:
    def write(value: Any) -> str | None:
        text = first(value)
        return None if text is None else second(text)

    return write
