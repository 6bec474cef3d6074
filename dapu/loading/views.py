"""A task's view: made, replaced when it differs, untouched when it does not."""

from __future__ import annotations

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.definitions.templates import TableName
from dapu.errors import JobError
from dapu.loading.result import LoadResult
from dapu.loading.swap import copy_properties
from dapu.loading.tables import VIEW, describe
from dapu.named_sql import compose, statement


def put_view(cursor: Cursor, name: TableName, query: sql.Composable) -> LoadResult:
    """Makes the view, or lets it have a new query; it keeps its grants and dependents.

    Raises JobError when there is a table of that name, or when the columns change and something
    depends on the view, so that PostgreSQL cannot replace it.
    """
    schema = sql.Identifier(name.schema)
    cursor.execute(compose("server.create_schema", schema=schema))
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

    oid: of the view that is there.
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


def _definition(cursor: Cursor, oid: int) -> str:
    cursor.execute(statement("table.view_definition"), {"oid": oid})
    row = cursor.fetchone()
    return str(row[0]) if row else ""


def _definition_of(cursor: Cursor, query: sql.Composable) -> str:
    """The query as PostgreSQL would show it in a view."""
    view = sql.Identifier("pg_temp", "dapu_view")
    cursor.execute(compose("table.create_view", view=view, query=query))
    cursor.execute(statement("swap.oid"), {"name": "pg_temp.dapu_view"})
    row = cursor.fetchone()
    definition = _definition(cursor, row[0] if row else 0)
    cursor.execute(compose("table.drop_view", view=view))
    return definition
