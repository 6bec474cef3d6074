"""When the source's columns change: compare, plan, and alter the table, or say what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.loading.options import SchemaChange
from dapu.loading.table.relation import Relation, TargetColumn, adding, shown
from dapu.loading.table.retype import Change, Retyping, advice
from dapu.named_sql import compose
from dapu.rows.rows import Column
from dapu.statement import TableName


def plan(
    cursor: Cursor,
    name: TableName,
    relation: Relation,
    columns: Sequence[Column],
    loader_columns: Sequence[str],
    policy: SchemaChange,
    *,
    fail_on_bad_value: bool = True,
    refused_values: Mapping[str, JobError] | None = None,
) -> Evolution:
    """What makes the table take the rows' columns, as the policy says.

    columns: those of the rows, with types that hold their values.
    loader_columns: columns of the table that the load strategy fills, and that no source has.
    fail_on_bad_value: a value that does not fit fails the load, so that a column may have to
    become text; else its row or value is left out.
    refused_values: by column, what was said of a value that the table refused; the column's type
    is the one that holds all values now.
    Raises JobError where a column's type and the source's have no common kind.
    """
    known = {column.name: column for column in relation.columns}
    added = [column for column in columns if column.name not in known]
    given = {column.name for column in columns}
    removed = [
        column
        for column in relation.columns
        if column.name not in given and column.name not in loader_columns and not column.computed
    ]
    retyping = Retyping(cursor, name, relation, policy, fail_on_bad_value, refused_values or {})
    return Evolution(cursor, name, policy, added, removed, retyping, retyping.changes(columns))


@dataclass(frozen=True)
class Evolution:
    """The changes of a table's columns that a load needs."""

    cursor: Cursor
    name: TableName
    policy: SchemaChange

    added: Sequence[Column]
    """Columns of the rows that the table does not have."""

    removed: Sequence[TargetColumn]
    """Columns of the table that the rows do not have."""

    retyping: Retyping

    changes: Sequence[Change]
    """Columns whose type must hold more."""

    @property
    def adds(self) -> bool:
        """Whether the table gets new columns."""
        return bool(self.added) and self.policy.added == "add"

    @property
    def alters(self) -> bool:
        """Whether the table will be altered, and so be locked until the commit."""
        return (
            self.adds
            or (bool(self.removed) and self.policy.removed == "drop")
            or (bool(self.changes) and self.policy.retyped == "widen")
        )

    def make(self) -> list[str]:
        """Makes the changes; returns what was done.

        Raises JobError, with the statement to put into ver/, where the policy is to fail.
        """
        notes = _add(self.cursor, self.name, self.added, self.policy)
        notes += _remove(self.cursor, self.name, self.removed, self.policy)
        return notes + self.retyping.make(self.changes)


def _add(
    cursor: Cursor, name: TableName, added: Sequence[Column], policy: SchemaChange
) -> list[str]:
    if not added or policy.added == "ignore":
        return [f"the new column {column.name} is left out" for column in added]
    if policy.added == "fail":
        raise JobError(
            advice(
                cursor,
                "the source has a new column",
                [adding(sql.SQL(str(name)), column) for column in added],
            )
        )
    for column in added:
        _put(cursor, name, column, added)
    return [f"the new column {column.name} ({column.type}) is added" for column in added]


def _put(cursor: Cursor, name: TableName, column: Column, added: Sequence[Column]) -> None:
    try:
        cursor.execute(adding(name.identifier, column))
    except psycopg2.errors.InsufficientPrivilege as error:
        statements = shown(cursor, [adding(sql.SQL(str(name)), column) for column in added])
        raise JobError(
            f"the source has a new column, and dapu {error.diag.message_primary}; let the owner "
            f"of the table put: {statements}"
        ) from error


def _remove(
    cursor: Cursor, name: TableName, removed: Sequence[TargetColumn], policy: SchemaChange
) -> list[str]:
    if removed and policy.removed == "fail":
        raise JobError(
            advice(
                cursor,
                "the source no longer has a column",
                [_dropping(sql.SQL(str(name)), column.name) for column in removed],
            )
        )
    if policy.removed == "keep":
        return []
    # A column with a default is somebody's own: it never came from the query.
    return [_drop(cursor, name, column.name) for column in removed if not column.has_default]


def _drop(cursor: Cursor, name: TableName, column: str) -> str:
    cursor.execute("savepoint dapu_column")
    try:
        cursor.execute(_dropping(name.identifier, column))
    except psycopg2.errors.DependentObjectsStillExist as error:
        cursor.execute("rollback to savepoint dapu_column")
        why = (error.diag.message_detail or "something depends on it").splitlines()[0]
        return f"the column {column}, which the source no longer has, stays without values: {why}"
    return f"the column {column}, which the source no longer has, is dropped"


def _dropping(table: sql.Composable, column: str) -> sql.Composed:
    return compose("table.drop_column", table=table, column=sql.Identifier(column))
