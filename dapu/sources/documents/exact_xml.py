"""XML as the same kind of values as JSON, so that JMESPath finds its parts.

An element is its text; with attributes or elements inside it is an object, in which an attribute
is called `@name`, an element by its name without the namespace, and text `#text`. An element that
occurs more than once is a list. `xsi:nil="true"` is null. Every text stays a text: XML knows no
numbers.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from dapu.errors import FaultyDocument

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def parse(data: bytes, charset: str | None = None) -> Any:
    """The root element, as an object of which it is the only key. Raises FaultyDocument."""
    try:
        parser = ElementTree.XMLParser(encoding=charset)
        root = ElementTree.fromstring(data, parser)
        return {_local(root.tag): _value(root)}
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise FaultyDocument(f"is not XML ({error})") from None
    except RecursionError:
        raise FaultyDocument("is nested too deeply") from None


def _value(element: ElementTree.Element) -> Any:
    if element.get(_NIL) in ("true", "1"):
        return None
    names = {f"@{_local(name)}": text for name, text in element.items()}
    if not names and len(element) == 0:
        return element.text or ""
    found: dict[str, Any] = dict(names)
    several: set[str] = set()
    for child in element:
        _add(found, several, _local(child.tag), _value(child))
    text = "".join([element.text or "", *(child.tail or "" for child in element)])
    if text.strip():
        found["#text"] = text
    return found


def _add(found: dict[str, Any], several: set[str], name: str, value: Any) -> None:
    if name in several:
        found[name].append(value)
    elif name in found:
        several.add(name)
        found[name] = [found[name], value]
    else:
        found[name] = value


def _local(name: str) -> str:
    return name.rpartition("}")[2]
