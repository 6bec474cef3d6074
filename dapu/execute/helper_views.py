"""Which helper views a schema gives: one a document type, nested record and list of records.

AFE has the view AFE, its record ADDRESS the view AFE_ADDRESS, its list OWNER the view AFE_OWNER,
and a list SHARE in each owner the view AFE_OWNER_SHARE: the names of the known client, at any
depth. How a view is said in SQL is for each target to know.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from dapu.execute.schema import LIST, RECORD, FieldType, Schema

Kind = Literal["text", "integer", "decimal", "boolean", "local_time", "time", "json"]

_KINDS: dict[str, Kind] = {
    "TEXT": "text",
    "GUID": "text",
    "UWI": "text",
    "INTEGER": "integer",
    "DECIMAL": "decimal",
    "BOOLEAN": "boolean",
}
TEXT_TYPES = {name for name, kind in _KINDS.items() if kind == "text"}
DOCUMENT_COLUMNS = ("_DELETED", "_AUTHOR", "_VERSION", "_DATE")
ITEM_ID, DOCUMENT_ID = "LISTITEM_ID", "DOCUMENT_ID"


@dataclass(frozen=True)
class ViewColumn:
    """A field. path: the keys that lead to its value, from the record that the view shows."""

    name: str
    path: tuple[str, ...]
    kind: Kind


@dataclass(frozen=True)
class HelperView:
    """A view of a record of a document type.

    lists: the keys that lead to each list on the way: from the document to the first list, then
    from an item to the next list; none when the record is in no list.
    record: the keys that lead from there to the record.
    item_ids: the name of the column for the LISTITEM_ID of each list's item.
    whole: it shows the document itself, with what Execute knows of it.
    """

    name: str
    type: str
    columns: tuple[ViewColumn, ...]
    lists: tuple[tuple[str, ...], ...] = ()
    record: tuple[str, ...] = ()
    item_ids: tuple[str, ...] = ()
    whole: bool = False


def plan_views(schema: Schema, taken: Iterable[str], longest: int) -> list[HelperView]:
    """The views of a schema, each with a name of its own, whatever the case of its letters.

    taken: names that are not free. longest: bytes of a name that the target can have.
    Document types have their names first; where a record's or a list's is taken then, it gets a
    number.
    """
    names = _Names(taken, longest)
    roots = [_Place(names.free(name), name, whole=True) for name in schema]
    return [view for root in roots for view in _views(root, schema[root.type], names)]


@dataclass(frozen=True)
class _Place:
    """A record in the schema; what stands there is as in `View`."""

    name: str
    type: str
    lists: tuple[tuple[str, ...], ...] = ()
    record: tuple[str, ...] = ()
    item_ids: tuple[str, ...] = ()
    whole: bool = False


def _views(place: _Place, fields: Mapping[str, FieldType], names: _Names) -> Iterator[HelperView]:
    fixed = [DOCUMENT_ID, *place.item_ids, *(DOCUMENT_COLUMNS if place.whole else ())]
    columns = _Names(fixed, names.longest)
    shown = tuple(
        ViewColumn(columns.free(name), *_column(name, field))
        for name, field in fields.items()
        if field.type not in (RECORD, LIST) and name not in (DOCUMENT_ID, *place.item_ids[-1:])
    )
    yield HelperView(
        place.name, place.type, shown, place.lists, place.record, place.item_ids, place.whole
    )
    for name, field in fields.items():
        if field.type in (RECORD, LIST):
            below = _below(place, name, field, names)
            yield from _views(below, field.record or {}, names)


def _below(place: _Place, name: str, field: FieldType, names: _Names) -> _Place:
    path = (*place.record, name)
    inner = replace(place, name=names.free(f"{place.name}_{name}"), whole=False)
    if field.type == RECORD:
        return replace(inner, record=path)
    outer = (*place.item_ids[:-1], *_outer_id(place))
    return replace(inner, lists=(*place.lists, path), record=(), item_ids=(*outer, ITEM_ID))


def _outer_id(place: _Place) -> tuple[str, ...]:
    """The name of the column for the item in which a list stands: OWNER_LISTITEM_ID."""
    return (f"{'_'.join(place.lists[-1])}_{ITEM_ID}",) if place.lists else ()


def _column(name: str, field: FieldType) -> tuple[tuple[str, ...], Kind]:
    if field.type == "DOCUMENT":
        return (name, DOCUMENT_ID), "text"
    if field.type == "DATETIME":
        return (name,), "local_time" if field.unzoned else "time"
    return (name,), _KINDS.get(field.type, "json")


class _Names:
    """Hands out names that differ in more than the case of their letters."""

    def __init__(self, taken: Iterable[str], longest: int) -> None:
        self._taken = {name.casefold() for name in taken}
        self.longest = longest

    def free(self, name: str) -> str:
        """The name, or the nearest one that is free and short enough."""
        found, number = shortened(name, self.longest), 2
        while found.casefold() in self._taken:
            found = shortened(f"{name}_{number}", self.longest)
            number += 1
        self._taken.add(found.casefold())
        return found


def shortened(name: str, longest: int) -> str:
    """A name that has at most so many bytes; where it must be cut, with a digest of the whole."""
    text = name.encode()
    if len(text) <= longest:
        return name
    digest = hashlib.sha256(text).hexdigest()[:8]
    return f"{text[: longest - 9].decode('utf-8', 'ignore')}_{digest}"
