"""Conditions as people write them, as the filters that a WFS server takes.

OGC 02-059 (Filter 1.0), 04-095 (1.1), 09-026r2 (2.0).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import sqlglot
from sqlglot import exp

from dapu.errors import FaultyCondition
from dapu.suggest import nearest

Node = Any
"""A node of sqlglot's tree, whose base class has not the same name in all versions."""

_FES, _OGC = "http://www.opengis.net/fes/2.0", "http://www.opengis.net/ogc"
_GML32, _GML = "http://www.opengis.net/gml/3.2", "http://www.opengis.net/gml"
_COMPARISONS: dict[type[Any], str] = {
    exp.EQ: "PropertyIsEqualTo",
    exp.NEQ: "PropertyIsNotEqualTo",
    exp.GT: "PropertyIsGreaterThan",
    exp.GTE: "PropertyIsGreaterThanOrEqualTo",
    exp.LT: "PropertyIsLessThan",
    exp.LTE: "PropertyIsLessThanOrEqualTo",
}
_TURNED: dict[Any, Any] = {exp.GT: exp.LT, exp.GTE: exp.LTE, exp.LT: exp.GT, exp.LTE: exp.GTE}


def parse_condition(text: str) -> Node:
    """A condition in SQL. Raises FaultyCondition when it is not one."""
    try:
        found = sqlglot.parse_one(f"select 1 where {text}", read="postgres")
    except sqlglot.errors.SqlglotError as error:
        reason = str(error).partition("\n")[0]
        raise FaultyCondition(f"{text!r} is not a condition: {reason}") from None
    where = found.find(exp.Where)
    if not isinstance(found, exp.Select) or where is None or set(_clauses(found)) != {"where"}:
        raise FaultyCondition(f"{text!r} is not a condition, such as `area > 100 and kind = 'A'`")
    return where.this


class FilterWriter:
    """Writes filters for one version of the protocol.

    known: the names of all properties. Every method raises FaultyCondition.
    """

    def __init__(self, version: str, known: Sequence[str]) -> None:
        self._version, self._known = version, known
        self._space = _FES if version.startswith("2") else _OGC
        self._gml = _GML32 if version.startswith("2") else _GML

    def text(self, *parts: Element) -> str | None:
        """The filter in which all parts hold; None without any."""
        if not parts:
            return None
        whole = parts[0] if len(parts) == 1 else self._element("And", *parts)
        ElementTree.register_namespace("fes" if self._space == _FES else "ogc", self._space)
        ElementTree.register_namespace("gml", self._gml)
        return ElementTree.tostring(self._element("Filter", whole), "unicode")

    def condition(self, text: str) -> Element:
        """A condition in SQL: comparisons, `like`, `in`, `between`, `is null`, and their links."""
        return self._condition(parse_condition(text))

    def bounds(
        self, name: str, low: str | None, high: str | None, *, nulls: bool
    ) -> Iterator[Element]:
        """A property from a value to a value, both included; nulls: or without any."""
        if low is not None:
            least = self._compare("PropertyIsGreaterThanOrEqualTo", name, low)
            yield self._element("Or", least, self._null(name)) if nulls else least
        elif not nulls:
            yield self._element("Not", self._null(name))
        if high is not None:
            yield self._compare("PropertyIsLessThanOrEqualTo", name, high)

    def box(self, name: str, bounds: Sequence[float], system: str, *, turned: bool) -> Element:
        """A geometry that meets a box: least x and y, greatest x and y.

        system: the name of the reference system. turned: its first axis is y.
        """
        least, greatest = bounds[:2], bounds[2:]
        if turned:
            least, greatest = least[::-1], greatest[::-1]
        if self._version.startswith("1.0"):
            text = " ".join(",".join(map(repr, corner)) for corner in (least, greatest))
            area = self._gml_element("Box", {"srsName": system})
            area.append(self._gml_element("coordinates", text=text))
        else:
            area = self._gml_element("Envelope", {"srsName": system})
            for tag, corner in (("lowerCorner", least), ("upperCorner", greatest)):
                area.append(self._gml_element(tag, text=" ".join(map(repr, corner))))
        return self._element("BBOX", self._name(name), area)

    def _condition(self, node: Node) -> Element:
        write = _WRITERS.get(type(node))
        if write is not None:
            return write(self, node)
        if type(node) in _COMPARISONS:
            return self._comparison(node)
        raise FaultyCondition(f"`{node.sql()}` is nothing that a WFS server can filter by")

    def _comparison(self, node: Node) -> Element:
        left, right, kind = node.this, node.expression, type(node)
        if isinstance(right, exp.Column) and not isinstance(left, exp.Column):
            left, right, kind = right, left, _TURNED.get(kind, kind)
        return self._compare(_COMPARISONS[kind], _column(left), _literal(right))

    def _compare(self, tag: str, name: str, value: str) -> Element:
        return self._element(tag, self._name(name), self._value(value))

    def _like(self, node: Node) -> Element:
        escape = "escape" if self._version.startswith("1.0") else "escapeChar"
        marks = {"wildCard": "%", "singleChar": "_", escape: "\\"}
        if isinstance(node, exp.ILike):
            marks["matchCase"] = "false"
        found = self._compare("PropertyIsLike", _column(node.this), _literal(node.expression))
        found.attrib.update(marks)
        return found

    def _between(self, node: Node) -> Element:
        low, high = (
            self._element(tag, self._value(_literal(node.args[key])))
            for tag, key in (("LowerBoundary", "low"), ("UpperBoundary", "high"))
        )
        return self._element("PropertyIsBetween", self._name(_column(node.this)), low, high)

    def _in(self, node: Node) -> Element:
        name, values = _column(node.this), node.expressions
        if not values:
            raise FaultyCondition(f"`{node.sql()}` needs a list of values")
        found = [self._compare("PropertyIsEqualTo", name, _literal(value)) for value in values]
        return found[0] if len(found) == 1 else self._element("Or", *found)

    def _is(self, node: Node) -> Element:
        if not isinstance(node.expression, exp.Null):
            raise FaultyCondition(f"`{node.sql()}`: only `is null` and `is not null` are known")
        return self._null(_column(node.this))

    def _null(self, name: str) -> Element:
        return self._element("PropertyIsNull", self._name(name))

    def _both(self, tag: str, node: Node) -> Element:
        parts = list(node.flatten())
        return self._element(tag, *map(self._condition, parts))

    def _name(self, name: str) -> Element:
        if name not in self._known:
            raise FaultyCondition(f"the layer has no property {name}{nearest(name, self._known)}")
        tag = "ValueReference" if self._space == _FES else "PropertyName"
        return self._element(tag, text=name)

    def _value(self, text: str) -> Element:
        return self._element("Literal", text=text)

    def _element(self, tag: str, *children: Element, text: str | None = None) -> Element:
        element = Element(f"{{{self._space}}}{tag}")
        element.extend(children)
        element.text = text
        return element

    def _gml_element(
        self, tag: str, attributes: dict[str, str] | None = None, text: str | None = None
    ) -> Element:
        element = Element(f"{{{self._gml}}}{tag}", attributes or {})
        element.text = text
        return element


_WRITERS: dict[type[Any], Callable[[FilterWriter, Any], Element]] = {
    exp.And: lambda writer, node: writer._both("And", node),
    exp.Or: lambda writer, node: writer._both("Or", node),
    exp.Not: lambda writer, node: writer._element("Not", writer._condition(node.this)),
    exp.Paren: lambda writer, node: writer._condition(node.this),
    exp.Like: FilterWriter._like,
    exp.ILike: FilterWriter._like,
    exp.Between: FilterWriter._between,
    exp.In: FilterWriter._in,
    exp.Is: FilterWriter._is,
}


def _clauses(select: exp.Select) -> list[str]:
    return [
        key for key, value in select.args.items() if value and key not in ("expressions", "kind")
    ]


def _column(node: Node) -> str:
    if not isinstance(node, exp.Column) or node.table:
        raise FaultyCondition(f"`{node.sql()}` is not a property")
    return str(node.name)


def _literal(node: Node) -> str:
    """A value as it was written."""
    if isinstance(node, exp.Literal):
        return str(node.this)
    if isinstance(node, exp.Boolean):
        return "true" if node.this else "false"
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
        return f"-{node.this.this}"
    raise FaultyCondition(f"`{node.sql()}` is not a value; write a number, a text in '…', or true")
