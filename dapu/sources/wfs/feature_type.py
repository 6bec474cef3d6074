"""What the features of a layer have, by the XML schema that DescribeFeatureType gives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.etree.ElementTree import Element

from dapu.errors import JobError

Kind = Literal["text", "integer", "number", "boolean", "time", "geometry", "structure"]

_XSD = "{http://www.w3.org/2001/XMLSchema}"
_GEOMETRY = re.compile(
    r"(Abstract)?(Geometry|Point|LineString|Polygon|Curve|Surface|Solid|Multi\w+|Box)"
    r"(Property|Association|ArrayProperty)?Type"
)
_KINDS: dict[str, Kind] = dict.fromkeys(
    (
        *("int", "integer", "long", "short", "byte", "unsignedInt", "unsignedLong"),
        *("unsignedShort", "unsignedByte", "nonNegativeInteger", "positiveInteger"),
        *("nonPositiveInteger", "negativeInteger"),
    ),
    "integer",
)
_KINDS |= {"decimal": "number", "double": "number", "float": "number", "boolean": "boolean"}
_KINDS |= dict.fromkeys(("date", "dateTime", "time"), "time")
_KINDS |= dict.fromkeys(
    (
        *("string", "normalizedString", "token", "anyURI", "language", "Name", "NCName", "ID"),
        *("NMTOKEN", "QName", "duration", "gYear", "gYearMonth", "gMonth", "gMonthDay", "gDay"),
        *("hexBinary", "base64Binary", "anySimpleType"),
    ),
    "text",
)
_TIMES = {  # of GML, with where in them the time stands
    "TimeInstantType": "timePosition",
    "TimeInstantPropertyType": "TimeInstant|timePosition",
    "TimePositionType": "",
}


@dataclass(frozen=True)
class Property:
    """What a feature has.

    path: the elements below the feature in which it stands, with `|` between.
    repeats: whether it may be there more than once.
    """

    name: str
    kind: Kind
    path: str
    repeats: bool = False
    type: str = ""


@dataclass(frozen=True)
class FeatureType:
    """The properties of a layer's features, in order. element: their local name in GML."""

    element: str
    properties: tuple[Property, ...]


def read_feature_type(schema: Element, layer: str) -> FeatureType:
    """Raises JobError when the schema does not describe the layer."""
    local = layer.rpartition(":")[2]
    reader = _Schema(schema)
    element = reader.named("element", local)
    if element is None:
        raise JobError(
            f"the server's schema (DescribeFeatureType) does not say what features of {layer} have"
        )
    return FeatureType(local, tuple(reader.properties(element)))


class _Schema:
    def __init__(self, root: Element) -> None:
        self._root = root

    def named(self, tag: str, name: str) -> Element | None:
        """A declaration at the top."""
        found = (e for e in self._root.findall(f"{_XSD}{tag}") if e.get("name") == name)
        return next(found, None)

    def properties(self, element: Element) -> Iterator[Property]:
        declared = element.get("type")
        inside = self._type(declared) if declared else element.find(f"{_XSD}complexType")
        if inside is not None:
            yield from self._members(inside)

    def _type(self, name: str) -> Element | None:
        return self.named("complexType", _local(name))

    def _members(self, declared: Element, below: tuple[Element, ...] = ()) -> Iterator[Property]:
        """below: the types that are made of this one."""
        extension = declared.find(f"{_XSD}complexContent/{_XSD}extension")
        if extension is not None:
            base = self._type(extension.get("base", ""))
            if base is declared or base in below:
                raise _made_of_itself(declared)
            if base is not None:
                yield from self._members(base, (*below, declared))
        holder = declared if extension is None else extension
        for group in ("sequence", "all", "choice"):
            for element in holder.findall(f"{_XSD}{group}/{_XSD}element"):
                yield self._property(element)

    def _property(self, element: Element) -> Property:
        name = element.get("name") or _local(element.get("ref", ""))
        declared = self._simple(element)
        kind, below = _kind(declared)
        repeats = element.get("maxOccurs", "1") not in ("0", "1")
        path = f"{name}|{below}" if below else name
        return Property(name, kind, path, repeats, _local(declared))

    def _simple(self, element: Element) -> str:
        """The name of an element's type; of a simple type made here, that which it restricts."""
        name = element.get("type", "")
        simple = self.named("simpleType", _local(name)) if name else None
        if simple is None and not name:
            simple = element.find(f"{_XSD}simpleType")
        seen: list[Element] = []
        while simple is not None:
            if simple in seen:
                raise _made_of_itself(simple)
            seen.append(simple)
            restriction = simple.find(f"{_XSD}restriction")
            if restriction is None:
                return "string"
            name = restriction.get("base", "string")
            simple = self.named("simpleType", _local(name))
        return name


def _made_of_itself(declared: Element) -> JobError:
    return JobError(
        f"the server's schema (DescribeFeatureType) makes the type {declared.get('name')!r} of "
        "itself, and does not say what it has"
    )


def _kind(declared: str) -> tuple[Kind, str]:
    name = _local(declared)
    if name in _TIMES:
        return "time", _TIMES[name]
    if _GEOMETRY.fullmatch(name):
        return "geometry", ""
    return _KINDS.get(name, "structure"), ""


def _local(name: str) -> str:
    return name.rpartition(":")[2]
