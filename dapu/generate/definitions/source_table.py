"""A table of a source, as definitions are generated from it, whatever kind of source it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class TableColumn:
    """A column.

    source: its name in the source. name: in the warehouse. type: of PostgreSQL.
    select: how the source's query gives it under its name; empty where there is no query.
    """

    source: str
    name: str
    type: str
    comment: str | None = None
    select: str = ""


@dataclass(frozen=True)
class Offered:
    """What a source has, before it is looked at. label: how people call it.

    names: texts that its table may be named after, the best first.
    """

    label: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table, view, file, sheet or layer.

    action: the keys of an action that say what is read.
    origin: what its query reads, quoted as the source does; None where there is no query.
    key: the columns that identify a row, by their names in the warehouse.
    watermark: the column that says what changed, where name, type and index agree on it.
    loads: the modes that its agent has, the usual one last; None: all, usually `replace`.
    is_typed: the types are known before the first load.
    """

    label: str
    action: Mapping[str, Any]
    columns: Sequence[TableColumn]
    origin: str | None = None
    comment: str | None = None
    key: tuple[str, ...] = ()
    watermark: str | None = None
    loads: tuple[str, ...] | None = None
    is_typed: bool = True

    @property
    def usual_load(self) -> str:
        """The mode where nobody asks for one."""
        return self.loads[-1] if self.loads else "replace"


class Tables(Protocol):
    """The tables of a connection."""

    def offered(self) -> Sequence[Offered]:
        """All of them, by label. Raises JobError when the source does not answer."""
        ...

    def describe(self, label: str, known: Mapping[str, str]) -> Table:
        """One of them. known: names that its columns have already, by those in the source.

        Raises JobError when the source does not let it be read.
        """
        ...

    def close(self) -> None:
        """Lets the source go."""
        ...


@dataclass
class Loading:
    """How a table is loaded: keys of its action, and what a person is to know of the choice."""

    keys: dict[str, Any] = field(default_factory=dict)
    remark: str | None = None


def choose_loading(table: Table, wanted: str) -> Loading:
    """The keys that go with a load mode; `replace` where the table has not what the mode needs."""
    key = {"key": list(table.key)} if table.key else {}
    mark = {"watermark": {"column": table.watermark}} if table.watermark else {}
    if table.loads is not None:
        why = f"`load: {wanted}` is not among those of this source: {', '.join(table.loads)}"
        is_possible = wanted in table.loads
        load = wanted if is_possible else table.usual_load
        return Loading({"load": load, **key}, None if is_possible else why)
    if wanted in ("merge", "snapshot", "history") and not key:
        why = f"`load: {wanted}` needs a key, which each row must have, and there is none"
        return Loading({"load": "replace"}, why)
    if wanted == "append" and not mark:
        why = "`load: append` would add all rows each time: there is no indexed change column"
        return Loading({"load": "replace", **key}, why)
    if wanted in ("replace", "snapshot"):
        return Loading({"load": wanted, **key}, _faster(table))
    return Loading({"load": wanted, **key, **mark})


def _faster(table: Table) -> str | None:
    if not table.key or table.watermark is None:
        return None
    faster = f"`load: merge` with `watermark: {{column: {table.watermark}}}` would read"
    return f"{faster} only what changed, and see no deletions"
