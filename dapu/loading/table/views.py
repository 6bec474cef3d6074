"""Views: a task's own, and those that read a table whose columns change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.loading.result import LoadResult
from dapu.loading.table.properties import (
    Properties,
    copy_properties,
    give_properties,
    properties_of,
)
from dapu.loading.table.relation import VIEW, describe, make_schema, oid_of
from dapu.loading.table.search_path import SearchPath
from dapu.named_sql import compose, statement
from dapu.statement import TableName


def put_view(cursor: Cursor, name: TableName, query: sql.Composable) -> LoadResult:
    """Makes the view, or lets it have a new query; it keeps its grants and dependents.

    Raises JobError when there is a table of that name, or when the columns change and something
    depends on the view, so that PostgreSQL cannot replace it.
    """
    make_schema(cursor, name.schema)
    present = describe(cursor, name)
    if present is None:
        cursor.execute(compose("table.create_view", view=name.identifier, query=query))
        return LoadResult(0, ("view made",))
    if present.kind != VIEW:
        raise JobError(f"{name} is not a view; drop it, or give the task another name")
    if _definition(cursor, present.oid) == _definition_of(cursor, query):
        return LoadResult(0, ("nothing changed",), changed=False)
    cursor.execute("savepoint dapu_view")
    try:
        cursor.execute(compose("table.replace_view", view=name.identifier, query=query))
    except psycopg2.errors.InvalidTableDefinition:  # it may only get more columns at its end
        cursor.execute("rollback to savepoint dapu_view")
        why_not = make_anew(cursor, name, present.oid, query)
        if why_not is not None:
            raise JobError(
                f"the columns of the view {name} changed, and it cannot be made anew: {why_not}. "
                "Drop what depends on it by hand, or let the query give the columns that it gave"
            ) from None
        return LoadResult(0, ("view made anew, since its columns changed",))
    return LoadResult(0, ("view replaced",))


def make_anew(cursor: Cursor, name: TableName, oid: int, query: sql.Composable) -> str | None:
    """Drops a view and makes another in its place, with its owner, grants and comment.

    oid: of the view that exists.
    Returns why it cannot be, as when another view reads it: then it stays as it is.
    """
    aside = TableName(name.schema, "dapu_new_view")
    cursor.execute("savepoint dapu_view")
    try:
        cursor.execute(compose("table.create_view", view=aside.identifier, query=query))
        copy_properties(cursor, aside.identifier, oid, "view")
        cursor.execute(compose("table.drop_view", view=name.identifier))
    except (psycopg2.errors.DependentObjectsStillExist, psycopg2.errors.UndefinedColumn) as error:
        cursor.execute("rollback to savepoint dapu_view")
        return error.diag.message_detail or error.diag.message_primary
    new_name = sql.Identifier(name.table)
    cursor.execute(compose("table.rename_view", view=aside.identifier, name=new_name))
    return None


@dataclass(frozen=True)
class DroppedView:
    """A view that was dropped, with all that it had. columns: statements for its columns."""

    name: TableName
    definition: str
    properties: Properties
    columns: tuple[str, ...]

    def make(self, cursor: Cursor) -> None:
        """Makes it again."""
        # Text that PostgreSQL itself gave for this view.
        query = sql.SQL(self.definition.rstrip().rstrip(";"))
        cursor.execute(compose("table.create_view", view=self.name.identifier, query=query))
        for command in self.columns:
            cursor.execute(command)
        give_properties(cursor, self.name.identifier, self.properties, "view")


def readers(cursor: Cursor, oid: int, columns: Sequence[str]) -> list[tuple[int, TableName, str]]:
    """The views that read columns of a table, and those above: oid, name and definition.

    In the order in which they can be made.
    """
    path = SearchPath(cursor)
    path.set("pg_catalog")  # so that every name in a definition has its schema
    cursor.execute(statement("views.readers"), {"oid": oid, "columns": list(columns)})
    found = [(view, TableName(*name), text) for view, *name, text in cursor.fetchall()]
    path.restore()
    return found


def drop_readers(cursor: Cursor, oid: int, columns: Sequence[str]) -> list[DroppedView]:
    """Drops the views that read columns of a table, and those above; they are to be made again.

    Raises JobError or psycopg2.Error when one has, or is read by, what would be lost.
    """
    found = readers(cursor, oid, columns)
    cursor.execute(statement("views.not_made_again"), {"oids": [view for view, _, _ in found]})
    for (why_not,) in cursor.fetchall():
        raise JobError(why_not)
    dropped = []
    path = SearchPath(cursor)
    path.set("pg_catalog")
    for view, name, definition in found:
        cursor.execute(statement("views.columns"), {"oid": view})
        details = tuple(row[0] for row in cursor.fetchall())
        given = properties_of(cursor, str(name), view)
        dropped.append(DroppedView(name, definition, given, details))
    path.restore()
    for one in reversed(dropped):
        cursor.execute(compose("table.drop_view", view=one.name.identifier))
    return dropped


def _definition(cursor: Cursor, oid: int) -> str:
    cursor.execute(statement("table.view_definition"), {"oid": oid})
    row = cursor.fetchone()
    return str(row[0]) if row else ""


def _definition_of(cursor: Cursor, query: sql.Composable) -> str:
    """The query as PostgreSQL would show it in a view."""
    view = sql.Identifier("pg_temp", "dapu_view")
    cursor.execute(compose("table.create_view", view=view, query=query))
    definition = _definition(cursor, oid_of(cursor, view))
    cursor.execute(compose("table.drop_view", view=view))
    return definition
