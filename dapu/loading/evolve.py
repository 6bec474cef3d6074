"""When the source's columns change: compare, plan, and alter the table, or say what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.definitions.templates import TableName
from dapu.errors import JobError
from dapu.loading.options import SchemaChange
from dapu.loading.rows import Column
from dapu.loading.tables import Relation, TargetColumn, describe
from dapu.loading.types import holds, is_text, is_widened, widened
from dapu.loading.views import drop_readers, readers
from dapu.named_sql import compose, statement


def evolve(
    cursor: Cursor,
    name: TableName,
    relation: Relation,
    columns: Sequence[Column],
    own: Sequence[str],
    policy: SchemaChange,
    *,
    refuses: bool = True,
) -> list[str]:
    """Makes the table take the rows' columns, as the policy says; returns what was done.

    columns: those of the rows, with types that hold their values.
    own: columns of the table that the load strategy fills, and that no source has.
    refuses: a value that does not fit fails the load, so that a column may have to become text;
    else its row or value is left out.
    Raises JobError, with the statement to put into ver/, where the policy is to fail.
    """
    known = {column.name: column for column in relation.columns}
    added = [column for column in columns if column.name not in known]
    given = {column.name for column in columns}
    removed = [
        column
        for column in relation.columns
        if column.name not in given and column.name not in own and not column.computed
    ]
    retyped = _retyped(name, known, columns, refuses)
    notes = _add(cursor, name, added, policy)
    notes += _remove(cursor, name, removed, policy)
    return notes + _widen(cursor, name, retyped, known, policy)


def _retyped(
    name: TableName, known: Mapping[str, TargetColumn], columns: Sequence[Column], refuses: bool
) -> list[Column]:
    """The columns that must hold more, with the types that do."""
    found = []
    for column in columns:
        here = known.get(column.name)
        if here is None or holds(here.type, column.type):
            continue
        wider = Column(column.name, widened(here.type, column.type))
        if is_widened(here.type, column.type):
            found.append(wider)
        elif refuses and not is_text(column.type):
            raise JobError(_unlike(name, here, column))
        elif refuses:
            found.append(wider)
    return found


def _unlike(name: TableName, here: Column, column: Column) -> str:
    return (
        f"{name}.{column.name} is {here.type} and the query gives {column.type}, which would lose "
        f"something there; cast the column in the query, or put this into the next step in ver/: "
        f"alter table {name} {_retype(column, here)};"
    )


def _add(
    cursor: Cursor, name: TableName, added: Sequence[Column], policy: SchemaChange
) -> list[str]:
    if not added or policy.added == "ignore":
        return [f"the new column {column.name} is left out" for column in added]
    if policy.added == "fail":
        raise JobError(
            _advice(
                name,
                "the source has a new column",
                [f"add column {_quoted(column.name)} {column.type}" for column in added],
            )
        )
    for column in added:
        cursor.execute(
            compose(
                "table.add_column",
                table=name.identifier,
                column=sql.Identifier(column.name),
                type=sql.SQL(column.type),
            )
        )
    return [f"the new column {column.name} ({column.type}) is added" for column in added]


def _remove(
    cursor: Cursor, name: TableName, removed: Sequence[TargetColumn], policy: SchemaChange
) -> list[str]:
    if removed and policy.removed == "fail":
        raise JobError(
            _advice(
                name,
                "the source no longer has a column",
                [f"drop column {_quoted(column.name)}" for column in removed],
            )
        )
    if policy.removed == "keep":
        return []
    # A column with a default is somebody's own: it never came from the query.
    return [_drop(cursor, name, column.name) for column in removed if not column.has_default]


def _drop(cursor: Cursor, name: TableName, column: str) -> str:
    cursor.execute("savepoint dapu_column")
    try:
        cursor.execute(
            compose("table.drop_column", table=name.identifier, column=sql.Identifier(column))
        )
    except psycopg2.errors.DependentObjectsStillExist as error:
        cursor.execute("rollback to savepoint dapu_column")
        why = (error.diag.message_detail or "something depends on it").splitlines()[0]
        return f"the column {column}, which is gone, stays without values: {why}"
    return f"the column {column} is gone, and dropped"


def _widen(
    cursor: Cursor,
    name: TableName,
    retyped: Sequence[Column],
    known: Mapping[str, Column],
    policy: SchemaChange,
) -> list[str]:
    """Gives columns other types; views that read them are dropped for that, and made again."""
    if not retyped:
        return []
    commands = [_retype(column, known[column.name]) for column in retyped]
    if policy.retyped == "fail":
        raise JobError(_advice(name, "a column of the source has another type", commands))
    relation = describe(cursor, name)
    oid, names = relation.oid if relation else 0, [column.name for column in retyped]
    cursor.execute(statement("table.all_float_digits"))
    cursor.execute("savepoint dapu_column")
    try:
        views = drop_readers(cursor, oid, names)
        for command in commands:
            change = sql.SQL(command)
            cursor.execute(compose("table.alter", table=name.identifier, change=change))
        for view in views:
            view.make(cursor)
    except (psycopg2.Error, JobError) as error:
        cursor.execute("rollback to savepoint dapu_column")
        by_hand = _by_hand(name, commands, [view for _, view, _ in readers(cursor, oid, names)])
        must = " and ".join(f"{name}.{column.name} must become {column.type}" for column in retyped)
        raise JobError(f"{must}, and cannot: {_reason(error)}. {by_hand}") from error
    cursor.execute("release savepoint dapu_column")
    notes = [
        f"the column {column.name} is widened from {known[column.name].type} to {column.type}"
        for column in retyped
    ]
    if views:
        made = ", ".join(str(view.name) for view in views)
        notes.append(f"views that read it made again: {made}")
    return notes


def _reason(error: Exception) -> str:
    if not isinstance(error, psycopg2.Error):
        return str(error)
    said = (error.diag.message_primary or str(error), error.diag.message_detail)
    return "; ".join(filter(None, said)).rstrip(".")


def _by_hand(name: TableName, commands: Sequence[str], views: Sequence[TableName]) -> str:
    """The statements that do it; the views that read the table stand in the way."""
    alters = " ".join(f"alter table {name} {command};" for command in commands)
    if not views:
        return f"Change what hinders it, then: {alters}"
    drops = " ".join(f"drop view {view};" for view in reversed(views))
    return f"By hand, in one transaction: {drops} {alters} and make the views again"


def _retype(column: Column, before: Column) -> str:
    quoted = _quoted(column.name)
    text = f"alter column {quoted} type {column.type}"
    if _is_shortened(column, before):
        return f"{text} using {quoted}::text::{column.type}"
    return text


def _is_shortened(column: Column, before: Column) -> bool:
    """Whether PostgreSQL's own cast keeps 6 or 15 digits only."""
    return column.type.startswith("numeric") and before.type in ("real", "double precision")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _advice(name: TableName, what: str, changes: Sequence[str]) -> str:
    statements = " ".join(f"alter table {name} {change};" for change in changes)
    return f"{what}; put this into the next step in ver/: {statements}"
