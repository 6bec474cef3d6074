"""Which part of a layer is wanted, as a question to the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dapu.errors import ConfigurationError
from dapu.rows.column_names import column_name, column_names
from dapu.sources.wfs.feature_type import FeatureType, Property
from dapu.sources.wfs.gml import Axes
from dapu.sources.wfs.service import Layer
from dapu.suggest import nearest


@dataclass(frozen=True)
class Selection:
    """What is wanted of each feature.

    properties: with the names of their columns. geometry: likewise, if there is one.
    srid: the EPSG number of the coordinates that arrive.
    """

    layer: Layer
    element: str
    properties: tuple[tuple[Property, str], ...]
    geometry: tuple[Property, str] | None
    srid: int

    def property_of(self, column: str) -> Property:
        """The property whose values a column has. Raises ConfigurationError."""
        names = {name: one for one, name in self.properties}
        if column not in names:
            raise ConfigurationError(f"there is no column {column}{nearest(column, names)}")
        return names[column]


def select(
    layer: Layer,
    found: FeatureType,
    wanted: Sequence[str] | Mapping[str, str] | None,
    geometry: str | bool | None,
    srid: int | None,
) -> Selection:
    """Raises ConfigurationError when the layer has not what is wanted.

    wanted: the properties, by name or with the names of their columns; None takes all.
    geometry: the name of its column; False for none.
    """
    known = {one.name: one for one in found.properties}
    names = list(known) if wanted is None else list(wanted)
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f"the layer {layer.name} has no property {name}{nearest(name, known)}"
            )
    plain = [known[name] for name in names if known[name].kind != "geometry"]
    for one in plain:
        _check_simple(one)
    titles = wanted if isinstance(wanted, Mapping) else _titles([one.name for one in plain])
    shape = None if geometry is False else _geometry(layer, found, names)
    return Selection(
        layer,
        found.element,
        tuple((one, titles[one.name]) for one in plain),
        None if shape is None else (shape, _geometry_name(shape, geometry, wanted)),
        _srid(layer, srid) if shape is not None else 0,
    )


def _check_simple(one: Property) -> None:
    if one.kind == "structure":
        raise ConfigurationError(
            f"the property {one.name} is of the type {one.type or 'of a structure'}, which cannot "
            "be a column; name the others in `properties`"
        )


def _titles(names: Sequence[str]) -> dict[str, str]:
    return dict(zip(names, column_names(names), strict=True))


def _geometry(layer: Layer, found: FeatureType, names: Sequence[str]) -> Property | None:
    """The one geometry that is wanted: one among the names, or the only one that there is."""
    shapes = [one for one in found.properties if one.kind == "geometry"]
    wanted = [one for one in shapes if one.name in names] or shapes
    if len(wanted) > 1:
        listed = ", ".join(one.name for one in wanted)
        raise ConfigurationError(
            f"the layer {layer.name} has several geometries ({listed}); name the properties that "
            "are wanted, with one of them"
        )
    return wanted[0] if wanted else None


def _geometry_name(
    shape: Property, given: str | bool | None, wanted: Sequence[str] | Mapping[str, str] | None
) -> str:
    if isinstance(given, str):
        return given
    if isinstance(wanted, Mapping) and shape.name in wanted:
        return wanted[shape.name]
    return column_name(shape.name) or "geometry"


def _srid(layer: Layer, wanted: int | None) -> int:
    if wanted is not None:
        return wanted
    if not layer.srids:
        raise ConfigurationError(
            f"the server does not say which reference system {layer.name} has; give `srid`"
        )
    return layer.srids[0]


@dataclass(frozen=True)
class Conditions:
    """Which features are wanted.

    where: a condition in SQL. box: least x and y, greatest x and y, in the selection's system.
    low, high: bounds of a property, both included; nulls: those without a value too.
    """

    where: str | None = None
    box: Sequence[float] | None = None
    bounded: Property | None = None
    low: str | None = None
    high: str | None = None
    nulls: bool = True


def question(
    version: str,
    selection: Selection,
    conditions: Conditions,
    known: Sequence[Property],
    axes: Axes,
) -> dict[str, str]:
    """The parameters of GetFeature. known: all properties of the layer.

    Raises FaultyCondition.
    """
    parameters: dict[str, str] = {}
    if selection.geometry is not None:
        parameters["srsname"] = _system(version, selection.srid)
    names = [one.name for one, _ in selection.properties]
    if selection.geometry is not None:
        names.append(selection.geometry[0].name)
    if len(names) < len(known):
        parameters["propertyname"] = ",".join(names)
    text = _filter(version, selection, conditions, [one.name for one in known], axes)
    if text is not None:
        parameters["filter"] = text
    return parameters


def _filter(
    version: str, selection: Selection, conditions: Conditions, names: list[str], axes: Axes
) -> str | None:
    from dapu.sources.wfs.filters import FilterWriter

    writer, parts = FilterWriter(version, names), list[Any]()
    if conditions.where is not None:
        parts.append(writer.condition(conditions.where))
    if conditions.box is not None:
        if selection.geometry is None:
            raise ConfigurationError("filter.bbox: there is no geometry to look at")
        parts.append(
            writer.box(
                selection.geometry[0].name,
                conditions.box,
                _system(version, selection.srid),
                turned=axes.turns(selection.srid),
            )
        )
    if conditions.bounded is not None:
        parts += writer.bounds(
            conditions.bounded.name, conditions.low, conditions.high, nulls=conditions.nulls
        )
    return writer.text(*parts)


def _system(version: str, srid: int) -> str:
    """The name of a reference system, which in WFS 1.0 always has x before y."""
    return f"EPSG:{srid}" if version.startswith("1.0") else f"urn:ogc:def:crs:EPSG::{srid}"
