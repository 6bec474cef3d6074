"""What the load strategies with a key share: the first load, and the table to compare with."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.loading.modes.differences import ALWAYS, NEVER, ComparedTable, keep_newest
from dapu.loading.result import LoadResult, left_out_note
from dapu.loading.table.relation import Relation, add_key, analyze, create
from dapu.rows.rows import Column, Rows
from dapu.statement import TableName
from dapu.suggest import nearest

DELETED_AT = "_deleted_at"
"""The column in which rows are marked that the source no longer has."""

DELETED_COLUMN = Column(DELETED_AT, "timestamp with time zone")


def marked_target(
    name: TableName,
    relation: Relation,
    rows: Rows,
    key: Sequence[str],
    *,
    marks: bool,
    key_range: sql.Composable | None = None,
) -> ComparedTable:
    """The table to compare with; with marks, a row that is back is a row that changed.

    key_range: the rows of the table that count (a condition); default all.
    """
    present = ALWAYS if key_range is None else key_range
    if not marks:
        return comparable(name, relation, rows, key, present=present)
    back = sql.SQL("t.{} is not null").format(sql.Identifier(DELETED_AT))
    return comparable(name, relation, rows, key, present=present, changed_anyway=back)


def first_load(
    cursor: Cursor,
    name: TableName,
    rows: Rows,
    key: Sequence[str],
    newest: str | None,
    *,
    loader_columns: Sequence[Column] = (),
    more_key: Sequence[str] = (),
) -> LoadResult:
    """Makes the table and fills it; of the rows that share a key the newest stays.

    loader_columns: columns of the table that do not come from the source.
    more_key: those of them that belong to the primary key.
    """
    check_key(name, key, rows.columns)
    create(cursor, name, [*rows.columns, *loader_columns])
    count = rows.fill(cursor, name.identifier, freeze=True)
    left_out = 0
    cursor.execute("savepoint dapu_key")
    try:
        add_key(cursor, name.identifier, [*key, *more_key])
    except psycopg2.errors.UniqueViolation:
        cursor.execute("rollback to savepoint dapu_key")
        left_out = keep_newest(cursor, name.identifier, key, newest)
        add_key(cursor, name.identifier, [*key, *more_key])
    analyze(cursor, name.identifier)
    return LoadResult(count, ("table made", *left_out_note(left_out)))


def comparable(
    name: TableName,
    relation: Relation,
    rows: Rows,
    key: Sequence[str],
    *,
    present: sql.Composable = ALWAYS,
    changed_anyway: sql.Composable = NEVER,
) -> ComparedTable:
    """The table that is there, as something to compare the rows with."""
    check_key(name, key, rows.columns)
    types = {column.name: column.type for column in relation.columns}
    columns = [Column(column.name, types[column.name]) for column in rows.columns]
    return ComparedTable(name, columns, key, present, changed_anyway)


def check_key(name: TableName, key: Sequence[str], columns: Sequence[Column]) -> None:
    """Raises JobError when a column of the key is not given."""
    for column in key:
        check_given(f"the key column {column} of {name}", column, columns)


def check_given(what: str, name: str, columns: Sequence[Column]) -> None:
    """Raises JobError when a column is not among those of the rows. what: it is."""
    given = [column.name for column in columns]
    if name not in given:
        raise JobError(f"{what} is not in the query's result{nearest(name, given)}")
