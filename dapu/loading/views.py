"""A task's view: made, replaced when it differs, untouched when it does not."""

from __future__ import annotations

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.definitions.templates import TableName
from dapu.errors import JobError
from dapu.loading.result import LoadResult
from dapu.loading.tables import VIEW, describe
from dapu.named_sql import compose, statement


def put_view(cursor: Cursor, name: TableName, query: sql.Composable) -> LoadResult:
    """Makes the view, or lets it have a new query; it keeps its grants and dependents.

    Raises JobError when there is a table of that name, or when the columns change so that
    PostgreSQL cannot replace the view.
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
    try:
        cursor.execute(compose("table.replace_view", view=name.identifier, query=query))
    except psycopg2.errors.InvalidTableDefinition as error:
        raise JobError(
            f"the view {name} cannot be replaced: {error.diag.message_primary}. A view may only "
            f"get more columns at its end; drop it in a step in ver/: drop view {name};"
        ) from error
    return LoadResult(0, ("view replaced",))


def _definition(cursor: Cursor, oid: int) -> str:
    cursor.execute(statement("table.view_definition"), {"oid": oid})
    row = cursor.fetchone()
    return str(row[0]) if row else ""


def _definition_of(cursor: Cursor, query: sql.Composable) -> str:
    """The query as PostgreSQL would show it in a view."""
    view = sql.Identifier("pg_temp", "dapu_view")
    cursor.execute(compose("table.create_view", view=view, query=query))
    cursor.execute("select 'pg_temp.dapu_view'::regclass::oid::bigint")
    row = cursor.fetchone()
    definition = _definition(cursor, row[0] if row else 0)
    cursor.execute(compose("table.drop_view", view=view))
    return definition
