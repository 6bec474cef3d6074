"""Makes the views of a group, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import DapuError
from dapu.generate.views.planned import PlannedView
from dapu.loading.table.views import make_anew
from dapu.named_sql import compose
from dapu.registry import view_queue
from dapu.registry.store import Registry
from dapu.registry.view_queue import PresentView, TakenGroup
from dapu.statement import TableName
from dapu.warehouse.postgres_session import given_path

_KINDS = {"v": "view", "m": "materialized view", "S": "sequence"}


class CannotMake(DapuError):
    """A view cannot be made. statement: what was tried."""

    def __init__(self, message: str, statement: str | None = None) -> None:
        super().__init__(message)
        self.statement = statement


def make_group(
    cursor: Cursor, registry: Registry, task: str, schema: str, group: TakenGroup
) -> int:
    """Makes what is new or changed of a group, drops what it no longer wants, and notes it.

    Returns how many views were made. Raises CannotMake; the transaction is to be rolled back to
    before the group then.
    """
    wanted = [(PlannedView(*view[:3]), str(view[3])) for view in group.views]
    found = view_queue.present(cursor, registry, schema, [view.name for view, _ in wanted])
    there = {one.name: one for one in found if one.oid is not None}
    for one in there.values():
        _check_is_own(one, task, group.key, schema)
    for name in view_queue.unwanted(cursor, registry, task, group, schema):
        try_statement(
            cursor, compose("make_views.drop", view=sql.Identifier(*name)), ".".join(name)
        )
    changed = [
        view for view, digest in wanted if view.name not in there or there[view.name].hash != digest
    ]
    with given_path(cursor):
        _make(cursor, schema, changed, there)
    view_queue.done(cursor, registry, task, group, schema)
    return len(changed)


def replacement(schema: str, view: PlannedView) -> sql.Composed:
    """The statements that make a view, or replace an older one."""
    name = sql.Identifier(schema, view.name)
    query = sql.SQL(view.query)
    return compose("table.replace_view", view=name, query=query) + _comment(schema, view)


def _comment(schema: str, view: PlannedView) -> sql.Composed:
    if view.comment is None:
        return sql.Composed([])
    name = sql.Identifier(schema, view.name)
    text = sql.Literal(view.comment)
    return sql.SQL(";\n") + compose("make_views.comment", view=name, comment=text)


def _check_is_own(one: PresentView, task: str, key: str, schema: str) -> None:
    if (one.task, one.key) == (task, key):
        return
    if one.task is None:
        kind = _KINDS.get(one.kind or "", "table")
        raise CannotMake(
            f"there is a {kind} {schema}.{one.name} that `do: views` did not make: rename or drop "
            "it, or give these views another name"
        )
    whose = f"the group {one.key}" if one.task == task else f"the task {one.task}"
    raise CannotMake(f"the view {schema}.{one.name} is that of {whose}: give it another name")


def _make(
    cursor: Cursor, schema: str, views: Iterable[PlannedView], there: dict[str, PresentView]
) -> None:
    """All at once; only when that fails one by one, to find the one that does."""
    text = ";\n".join(replacement(schema, view).as_string(cursor) for view in views)
    if not text:
        return
    cursor.execute("savepoint dapu_views")
    try:
        cursor.execute(text)
    except psycopg2.errors.QueryCanceled:
        raise
    except psycopg2.Error:
        cursor.execute("rollback to savepoint dapu_views")
        for view in views:
            _make_one(cursor, schema, view, there.get(view.name))


def _make_one(cursor: Cursor, schema: str, view: PlannedView, before: PresentView | None) -> None:
    statement = replacement(schema, view)
    cursor.execute("savepoint dapu_view_of_group")
    try:
        cursor.execute(statement)
    except psycopg2.errors.InvalidTableDefinition as error:  # it may only gain columns at its end
        cursor.execute("rollback to savepoint dapu_view_of_group")
        name = TableName(schema, view.name)
        if before is None or before.oid is None:
            raise _cannot(cursor, error, str(name), statement) from error
        why_not = make_anew(cursor, name, before.oid, sql.SQL(view.query))
        if why_not is not None:
            raise CannotMake(
                f"the columns of {name} changed, and it cannot be made anew: {why_not}; drop what "
                "depends on it",
                statement.as_string(cursor),
            ) from None
        if view.comment is not None:
            text = sql.Literal(view.comment)
            cursor.execute(compose("make_views.comment", view=name.identifier, comment=text))
    except psycopg2.errors.QueryCanceled:
        raise
    except psycopg2.Error as error:
        raise _cannot(cursor, error, f"{schema}.{view.name}", statement) from error


def try_statement(cursor: Cursor, statement: sql.Composed, name: str) -> None:
    """Runs a statement for a view. Raises CannotMake with what the server says."""
    try:
        cursor.execute(statement)
    except psycopg2.errors.QueryCanceled:
        raise
    except psycopg2.Error as error:
        raise _cannot(cursor, error, name, statement) from error


def _cannot(
    cursor: Cursor, error: psycopg2.Error, name: str, statement: sql.Composed
) -> CannotMake:
    """What the server says of a view."""
    if cursor.connection.closed:
        raise error
    parts = (error.diag.message_primary, error.diag.message_detail, error.diag.message_hint)
    reason = "; ".join(part for part in parts if part) or str(error)
    return CannotMake(f"{name}: {reason}", statement.as_string(cursor))
