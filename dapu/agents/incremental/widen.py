"""Where a source's types come from its values, they are looked at when a value does not fit.

What is in the table already says which types are expected, so that a load that goes well pays
nothing. When the table refuses a value, all is undone and read again, the column by the type that
holds all its values now: whether the table may take that is the policy's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from psycopg2.extensions import cursor as Cursor

from dapu.agents.base import Context
from dapu.errors import JobError
from dapu.loading.options import LoadOptions
from dapu.loading.result import LoadResult
from dapu.loading.table.relation import describe, seems_empty
from dapu.named_sql import statement
from dapu.sources.databases.source import Source

ColumnTypes = Mapping[str, str] | None
"""See `Source.read`."""

RefusedValues = Mapping[str, JobError]
"""See `plan`."""


def known_types(
    cursor: Cursor, context: Context, options: LoadOptions, source: Source
) -> ColumnTypes:
    """The types that the table's columns say; a text that never had a value says nothing."""
    target = describe(cursor, context.table)
    if target is None:
        return None
    known = {column.name: column.type for column in target.columns}
    if (
        source.typed_by_values
        and options.change_policy(context.action.has_steps).retyped == "widen"
    ):
        for name in seems_empty(cursor, target.oid):
            if known[name] == "text":
                del known[name]
    return known


def load_and_widen(
    cursor: Cursor,
    context: Context,
    source: Source,
    column_types: ColumnTypes,
    attempt: Callable[[ColumnTypes, RefusedValues], LoadResult],
) -> LoadResult:
    """Loads, and again as long as another column refuses a value."""
    if column_types is None:
        return attempt(None, {})
    refused_values: dict[str, JobError] = {}
    while True:
        known = {name: kind for name, kind in column_types.items() if name not in refused_values}
        cursor.execute(statement("table.before_load"))
        try:
            return attempt(known, refused_values)
        except JobError as error:
            column = error.data.get("column")
            if not source.typed_by_values or column not in known:
                raise
            cursor.execute(statement("table.undo_load"))
            refused_values[column] = error
            context.note(f"{error}: all is read again, to see which type {column} has now")
