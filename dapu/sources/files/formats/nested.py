"""Nested values of Arrow (structures, lists, maps) as values of JSON, each to its last digit.

Dates and times become texts as PostgreSQL's own `to_jsonb` writes them, of any unit; durations are
those of ISO 8601, `PT1.5S`; bytes are hexadecimal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dapu.errors import FaultyDocument

_UNITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}  # digits of a second


def json_values(values: pa.Array) -> list[Any]:
    """The values with the types of `exact_json.dump`.

    Raises FaultyDocument for what JSON cannot say: a key twice, NaN or an infinite number.
    """
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    kind = values.type
    if pa.types.is_dictionary(kind):
        return json_values(values.dictionary_decode())
    if pa.types.is_map(kind):
        entries = values.cast(pa.list_(pa.struct([kind.key_field, kind.item_field])))
        return [None if pairs is None else _object(pairs) for pairs in _lists(entries, _pairs)]
    if pa.types.is_struct(kind):
        return _structs(values)
    if pa.types.is_nested(kind):
        return _lists(values, json_values)
    return _leaves(values)


def _structs(values: pa.StructArray) -> list[Any]:
    names = [field.name for field in values.type]
    columns = [json_values(column) for column in values.flatten()]
    valid = values.is_valid().to_pylist()
    if not columns:
        return [{} if is_valid else None for is_valid in valid]
    return [
        _object(tuple(zip(names, row, strict=True))) if is_valid else None
        for is_valid, row in zip(valid, zip(*columns, strict=True), strict=True)
    ]


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise FaultyDocument(f"has the key {twice!r} twice in one map or structure")
    return found


def _lists(values: Any, elements_of: Callable[[pa.Array], list[Any]]) -> list[Any]:
    """Lists of what the function gives for all their elements together."""
    lengths = [n if is_valid else None for n, is_valid in _sizes(values)]
    elements = elements_of(values.flatten())
    found: list[Any] = []
    at = 0
    for length in lengths:
        found.append(None if length is None else elements[at : at + length])
        at += length or 0
    return found


def _sizes(values: Any) -> list[tuple[int, bool]]:
    valid = values.is_valid().to_pylist()
    if pa.types.is_fixed_size_list(values.type):
        return [(values.type.list_size, one) for one in valid]
    offsets = values.offsets.to_pylist()
    return [(offsets[i + 1] - offsets[i], one) for i, one in enumerate(valid)]


def _pairs(entries: pa.StructArray) -> list[tuple[str, Any]]:
    keys, items = (json_values(column) for column in entries.flatten())
    return [(str(key), item) for key, item in zip(keys, items, strict=True)]


def _leaves(values: pa.Array) -> list[Any]:
    """Values that are not nested themselves."""
    kind = values.type
    if pa.types.is_timestamp(kind):
        values = values.cast(pa.timestamp(kind.unit, "UTC")) if kind.tz else values
        return [None if v is None else _moment(v) for v in _texts(values)]
    if pa.types.is_time(kind) or pa.types.is_date(kind):
        return [None if v is None else _short(v) for v in _texts(values)]
    if pa.types.is_duration(kind):
        counts = pc.cast(values, pa.int64()).to_pylist()
        return [None if n is None else f"PT{_seconds(n, kind.unit)}S" for n in counts]
    found = values.to_pylist()
    if pa.types.is_floating(kind):
        return [None if v is None else _number(float(v)) for v in found]
    return [v.hex() if isinstance(v, bytes) else v for v in found]


def _texts(values: pa.Array) -> list[str | None]:
    texts: list[str | None] = pc.cast(values, pa.string()).to_pylist()
    return texts


def _moment(text: str) -> str:
    """`2024-01-31T10:00:00.5+00:00` of `2024-01-31 10:00:00.500000Z`."""
    day, _, time = text.partition(" ")
    zone = "+00:00" if time.endswith("Z") else ""
    return f"{day}T{_short(time.removesuffix('Z'))}{zone}"


def _short(text: str) -> str:
    """A time without zeros at the end of its fraction."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _seconds(count: int, unit: str) -> str:
    return _short(f"{Decimal(count).scaleb(-_UNITS[unit]):f}")


def _number(value: float) -> Decimal:
    if not math.isfinite(value):
        raise FaultyDocument(f"has the number {value}, which JSON has not")
    return Decimal(repr(value))
