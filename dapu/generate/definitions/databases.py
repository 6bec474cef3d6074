"""The tables and views of a database."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property

from dapu.errors import JobError
from dapu.generate.definitions.names import name_column
from dapu.generate.definitions.source_table import Offered, Table, TableColumn
from dapu.loading.modes.history import HISTORY_COLUMNS
from dapu.sources.databases.fragments import fragment
from dapu.sources.databases.introspect import FoundTable, tables
from dapu.sources.databases.open import open_source
from dapu.sources.databases.source import Source
from dapu.statement import Statement
from dapu.warehouse.connections import MAIN
from dapu.warehouse.warehouse import Warehouse

_CHANGED = re.compile(
    r"(.*_)?(last_?)?(modif(ied|ication)|updated?|chang(ed?|ed_?on))"
    r"(_?(at|on|date|time|ts|tstamp|timestamp|datetime|utc))*"
)
# Values of these have no order, so that they cannot be a key.
_WITHOUT_ORDER = ("json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle")


class DatabaseTables:
    """See `Tables`. Types are those that the loader itself would give a new table."""

    def __init__(self, warehouse: Warehouse, connection: str) -> None:
        self._warehouse, self._connection = warehouse, connection
        self._open: Source | None = None

    @cached_property
    def _found(self) -> dict[str, FoundTable]:
        own = self._warehouse.settings.registry.schema_name if self._connection == MAIN else None
        found = tables(self._warehouse, self._connection)
        meant = [one for one in found if one.is_meant and one.schema != own]
        return {f"{one.schema}.{one.name}": one for one in meant}

    def offered(self) -> Sequence[Offered]:
        """See `Tables`."""
        return [
            Offered(label, (one.name, f"{one.schema}_{one.name}"))
            for label, one in self._found.items()
        ]

    def describe(self, label: str, known: Mapping[str, str]) -> Table:
        """See `Tables`."""
        found = self._found[label]
        try:
            return self._describe(label, found, known)
        except JobError:
            self.close()  # a refused query may have ended its transaction
            raise

    def close(self) -> None:
        """See `Tables`."""
        if self._open is not None:
            self._open.close()
            self._open = None

    @property
    def _source(self) -> Source:
        if self._open is None:
            self._open = open_source(self._warehouse, self._connection)
        return self._open

    def _describe(self, label: str, found: FoundTable, known: Mapping[str, str]) -> Table:
        quote = self._source.quote
        names = _names(found, known)
        origin = f"{quote(found.schema)}.{quote(found.name)}"
        selects = [_select(quote(source), quote(name)) for source, name in names.items()]
        if not selects:
            why = found.fault or "is it broken?"
            raise JobError(f"{label}: the source does not say which columns it has; {why}")
        types = self._source.columns(
            Statement((fragment("generate.extract", columns=", ".join(selects), origin=origin),))
        )
        columns = [
            TableColumn(one.name, names[one.name], typed.type, one.comment, select)
            for one, typed, select in zip(found.columns, types, selects, strict=True)
        ]
        return Table(
            label,
            {"do": "database", "query": "extract.sql"},
            columns,
            origin,
            found.comment,
            self._key(found, columns, origin),
            _watermark(found, columns),
        )

    def _key(
        self, found: FoundTable, columns: Sequence[TableColumn], origin: str
    ) -> tuple[str, ...]:
        """The primary key, unless it cannot be one in PostgreSQL: SQLite's may be without value."""
        by_source = {column.source: column for column in columns}
        key = [by_source[name] for name in found.key if name in by_source]
        if any(column.type.startswith(_WITHOUT_ORDER) for column in key):
            return ()
        optional = {column.name for column in found.columns if not column.required}
        asked = [self._source.quote(one.source) for one in key if one.source in optional]
        if asked:
            condition = " or ".join(f"{name} is null" for name in asked)
            count = fragment("generate.has_nulls", origin=origin, condition=condition)
            if self._source.value(Statement((count,))):
                return ()
        return tuple(column.name for column in key)


def _select(source: str, name: str) -> str:
    return source if source == name else f"{source} as {name}"


def _names(found: FoundTable, known: Mapping[str, str]) -> dict[str, str]:
    """The columns' names in the warehouse by those in the source; known ones stay."""
    names, taken = {}, {*known.values(), *(column.name for column in HISTORY_COLUMNS)}
    for position, column in enumerate(found.columns, start=1):
        name = known.get(column.name) or name_column(column.name, f"column_{position}", taken)
        taken.add(name)
        names[column.name] = name
    return names


def _watermark(found: FoundTable, columns: Sequence[TableColumn]) -> str | None:
    """The column whose name, type and index say that it is when a row last changed."""
    for column in columns:
        is_time = column.type.startswith("timestamp")
        if is_time and column.source in found.indexed and _CHANGED.fullmatch(column.name):
            return column.name
    return None
