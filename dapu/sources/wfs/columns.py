"""Properties of features as columns: the types that hold their values, and the values as text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dapu.rows.exactness import remarked
from dapu.rows.python_text import array_text
from dapu.rows.rows import Column
from dapu.sources.files.values.kinds import kind_of
from dapu.sources.files.values.lossy import Losses
from dapu.sources.wfs.feature_type import Kind, Property
from dapu.sources.wfs.geometry import ewkb, geojson

_TYPES: dict[Kind, str] = {
    "text": "text",
    "integer": "bigint",
    # Not double precision: what a server calls a double may have more digits than one holds.
    "number": "numeric",
    "boolean": "boolean",
}
_DATE = r"\d{4}-\d\d-\d\d"
_CLOCK = r"\d\d:\d\d(:\d\d(\.\d{1,6}0*)?)?"  # PostgreSQL keeps six digits, and rounds the others
_ZONE = r"(Z|[+-]\d\d:\d\d)"
# The forms of times by which the type of a column is found.
_WHOLE = {
    "date": f"^{_DATE}$",
    "timestamp without time zone": f"^{_DATE}[T ]{_CLOCK}$",
    "timestamp with time zone": f"^{_DATE}[T ]{_CLOCK}{_ZONE}$",
    "time without time zone": f"^{_CLOCK}$",
}
_SAID = {"date": "date", "time": "time without time zone"}  # by the schema; all else has both
# What the values of a kind look like: servers say `integer` of a column of true and false.
_LOOKS: dict[Kind, str] = {
    "integer": r"^\s*[+-]?\d+\s*$",
    "number": r"^\s*([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|-?INF|NaN)\s*$",
    "boolean": r"^\s*(true|false|1|0)\s*$",
}
_GEOJSON = "_geojson"


@dataclass(frozen=True)
class FeatureColumn:
    """A column, and how the values of a property become its values."""

    column: Column
    convert: Callable[[pa.Array], pa.Array]


def property_column(
    one: Property, name: str, given: str | None, first: pa.Array | None
) -> FeatureColumn:
    """The column of a property.

    given: the type of the column where it exists already. first: values by which to see that
    what the server says of the property is so, and whether times have a zone.
    """
    if one.repeats:
        type_name = given or "jsonb"
        return FeatureColumn(Column(name, type_name), _lists(type_name))
    type_name = given or _found_type(one, first)
    return FeatureColumn(Column(name, type_name), _texts(type_name, bool(given)))


def _found_type(one: Property, first: pa.Array | None) -> str:
    kind = one.kind
    if kind == "time":
        # Without any feature, what the schema says: the table would have texts for ever.
        is_empty = first is None or len(first) == 0
        said = _SAID.get(one.type, "timestamp with time zone")
        return said if is_empty else _time_type(first)
    looks = _LOOKS.get(kind)
    fits = looks is None or first is None or _all_match(_given_values(first), looks)
    return _TYPES[kind] if fits else "text"


def geometry_columns(
    name: str, srid: int, target: Mapping[str, str], postgis: str | None
) -> list[FeatureColumn]:
    """The columns of a geometry.

    target: the types of the columns that exist already. postgis: the name of PostGIS's type,
    where the warehouse has it.
    """
    known = target.get(name)
    if (postgis is not None and known is None) or (known or "bytea") != "bytea":
        return [FeatureColumn(Column(name, known or postgis or ""), _as_hex(srid))]
    found = [FeatureColumn(Column(name, "bytea"), _as_ewkb(srid))]
    text = name + _GEOJSON
    if not target or text in target:
        found.append(FeatureColumn(Column(text, target.get(text, "jsonb")), _as_geojson(srid)))
    return found


def _time_type(first: pa.Array | None) -> str:
    """The type that holds all of some values whole; text where there is none."""
    values = None if first is None else _given_values(first)
    if values is None or len(values) == 0:
        return "text"
    fits = (name for name, pattern in _WHOLE.items() if _all_match(values, pattern))
    return next(fits, "text")


def _texts(type_name: str, is_given: bool) -> Callable[[pa.Array], pa.Array]:
    kind = kind_of(type_name)
    losses = Losses(kind, type_name, is_converted=False)
    # Who made a `timestamptz` knows which zone is meant; one that was found has all its zones.
    needs_zone = kind == "zoned" and not is_given

    def convert(values: pa.Array) -> pa.Array:
        if kind != "text":
            # An element without content is neither a number nor a time.
            values = pc.if_else(pc.equal(values, ""), pa.scalar(None, values.type), values)
        return losses.marked(_with_zones(values) if needs_zone else values)

    return convert


def _with_zones(values: pa.Array) -> pa.Array:
    """The values; one without a zone is marked, for PostgreSQL to refuse."""
    has_zone = pc.match_substring_regex(values, f"{_ZONE}$")
    if pc.all(has_zone).as_py() is not False:
        return values
    marked = [
        remarked(text, "has no zone, as others have") if known is False else text
        for text, known in zip(values.to_pylist(), has_zone.to_pylist(), strict=True)
    ]
    return pa.array(marked, values.type)


def _given_values(values: pa.Array) -> pa.Array:
    return pc.filter(values, pc.fill_null(pc.greater(pc.binary_length(values), 0), False))


def _all_match(values: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(values, pattern)).as_py() is not False)


def _lists(type_name: str) -> Callable[[pa.Array], pa.Array]:
    is_array = type_name.endswith("[]")

    def text_of(value: list[Any]) -> str:
        if is_array:
            return array_text(value, type_name)
        return json.dumps(value, ensure_ascii=False)

    def convert(values: pa.Array) -> pa.Array:
        texts = [None if value is None else text_of(value) for value in values.to_pylist()]
        return pa.array(texts, pa.string())

    return convert


def _as_hex(srid: int) -> Callable[[pa.Array], pa.Array]:
    """EWKB as PostGIS reads it from text."""

    def convert(values: pa.Array) -> pa.Array:
        texts = [None if wkb is None else ewkb(wkb, srid).hex() for wkb in values.to_pylist()]
        return pa.array(texts, pa.large_string())

    return convert


def _as_ewkb(srid: int) -> Callable[[pa.Array], pa.Array]:
    def convert(values: pa.Array) -> pa.Array:
        found = [None if wkb is None else ewkb(wkb, srid) for wkb in values.to_pylist()]
        return pa.array(found, pa.large_binary())

    return convert


def _as_geojson(srid: int) -> Callable[[pa.Array], pa.Array]:
    return lambda values: pa.array(geojson(values.to_pylist(), srid), pa.large_string())


def converted(
    batch: pa.RecordBatch, columns: Sequence[tuple[int, FeatureColumn]]
) -> pa.RecordBatch:
    """A batch as the columns have it. columns: each with the position of its property."""
    arrays = [column.convert(batch.column(position)) for position, column in columns]
    return pa.RecordBatch.from_arrays(arrays, [column.column.name for _, column in columns])
