"""Views that show a group a table with some columns masked.

Each is called as its table, in a schema for the group: `staging.customer` is
`staging_for_analysts.customer`. A comment marks it as this warehouse's, and has a hash of its text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.definitions.grants import Group, Readable
from dapu.named_sql import compose, statement
from dapu.statement import TableName

_DIGITS = 12  # of the hash in the comment


class TableColumns(NamedTuple):
    """A table as masks see it. types: of its columns, in their order."""

    is_table: bool
    types: Mapping[str, str]


Tables = Mapping[tuple[str, str], TableColumns]


@dataclass(frozen=True)
class MaskedView:
    """A view. of: the table. group: who may read it. masks: by column."""

    group: str
    of: TableName
    columns: Sequence[tuple[str, str]]
    masks: Mapping[str, str]

    @property
    def name(self) -> TableName:
        """Where it is."""
        return TableName(f"{self.of.schema}_for_{self.group}", self.of.table)

    def __str__(self) -> str:
        masked = ", ".join(f"{column} ({how})" for column, how in self.masks.items())
        return f"{self.group}: the view {self.name}, with masked {masked}"

    def comment(self, mark: str) -> str:
        """What marks it, and says what it was made of."""
        text = repr((self.of, list(self.columns), sorted(self.masks.items())))
        digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
        return f"{_beginning(mark)}{self.of} ({digest})"

    def statements(self, mark: str) -> Iterator[sql.Composed]:
        """What makes it, where it is not."""
        view = self.name.identifier
        yield compose("gatekeeper.create_schema", schema=sql.Identifier(self.name.schema))
        columns = sql.SQL(", ").join(_expression(*one, self.masks) for one in self.columns)
        of = self.of.identifier
        yield compose("gatekeeper.create_view", view=view, columns=columns, table=of)
        comment = sql.Literal(self.comment(mark))
        yield compose("gatekeeper.comment_view", view=view, comment=comment)


def masked_views(groups: Mapping[str, Group], tables: Tables) -> Iterator[MaskedView]:
    """The views that the file asks for, of tables that have all columns that it masks.

    A table without one of them gets none: a slip of the pen would show what is to be masked.
    """
    for name, group in groups.items():
        for readable in group.reads:
            for (schema, table), found in _masked(readable, tables):
                if not set(readable.mask) <= set(found.types):
                    continue
                shown = readable.columns or list(found.types)
                columns = [(one, found.types[one]) for one in shown if one in found.types]
                masks = {column: how for column, how in readable.mask.items() if column in shown}
                yield MaskedView(name, TableName(schema, table), columns, masks)


def missing_masks(groups: Mapping[str, Group], tables: Tables) -> Iterator[str]:
    """Tables that get no view, since they have not all that is to be masked."""
    for name, group in groups.items():
        for readable in group.reads:
            for (schema, table), found in _masked(readable, tables):
                for column in readable.mask.keys() - found.types.keys():
                    yield f"{name}: {schema}.{table} has no column {column} to mask, so no view"


def present_views(cursor: Cursor, mark: str) -> dict[TableName, str]:
    """The views that are there, with their comments."""
    cursor.execute(statement("gatekeeper.masked_views"), {"beginning": _beginning(mark)})
    return {TableName(schema, view): comment for schema, view, comment in cursor.fetchall()}


def changed_views(
    wanted: Iterable[MaskedView], present: Mapping[TableName, str], mark: str
) -> tuple[list[MaskedView], list[TableName]]:
    """The views to make, and those to drop before: what is not wanted, or not as it is wanted."""
    comments = {view.name: view.comment(mark) for view in wanted}
    made = [view for view in wanted if present.get(view.name) != comments[view.name]]
    dropped = [name for name, comment in present.items() if comments.get(name) != comment]
    return made, sorted(dropped, key=str)


def _masked(readable: Readable, tables: Tables) -> Iterator[tuple[tuple[str, str], TableColumns]]:
    if readable.mask:
        yield from ((place, it) for place, it in tables.items() if readable.means(*place))


def _beginning(mark: str) -> str:
    return f"{mark}, masked: "


def _expression(column: str, kind: str, masks: Mapping[str, str]) -> sql.Composed:
    name = sql.Identifier(column)
    how, _, count = masks.get(column, "").partition(" ")
    pieces = {"column": name, "type": sql.SQL(kind), "count": sql.SQL(count)}
    if how == "hide":
        return compose("gatekeeper.mask_all", **pieces)
    if how == "first":
        return compose("gatekeeper.mask_all_but_first", **pieces)
    if how == "last":
        return compose("gatekeeper.mask_all_but_last", **pieces)
    if how == "year":
        return compose("gatekeeper.mask_within_year", **pieces)
    return sql.Composed([name])
