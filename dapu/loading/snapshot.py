"""`load: snapshot`: afterwards the table is the query's result, and only differences are written.

What the source no longer has is deleted, or marked in the column `_deleted_at`.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.definitions.templates import TableName
from dapu.loading import differences
from dapu.loading.keyed import comparable, first_load
from dapu.loading.result import LoadResult
from dapu.loading.rows import Column, Rows
from dapu.loading.tables import check_fit, describe

DELETED_AT = "_deleted_at"
_MARK = sql.Identifier(DELETED_AT)


def snapshot(
    cursor: Cursor, name: TableName, rows: Rows, key: Sequence[str], *, soft: bool
) -> LoadResult:
    """Makes the table equal to the rows. soft: rows that are gone are marked, not deleted."""
    own = [Column(DELETED_AT, "timestamp with time zone")] if soft else []
    relation = describe(cursor, name)
    if relation is None:
        return first_load(cursor, name, rows, key, None, own_columns=own)
    check_fit(name, relation, rows.columns, own)
    if soft:
        there = sql.SQL("true")
        marked = sql.SQL("t.{} is not null").format(_MARK)
        target = comparable(name, relation, rows, key, present=there, changed_anyway=marked)
    else:
        target = comparable(name, relation, rows, key)
    count = differences.stage(cursor, target, rows, None)
    differences.find(cursor, target, missing=True)
    updated = differences.update(cursor, target, _MARK if soft else None)
    if soft:
        deleted = differences.mark_deleted(cursor, target, _MARK)
    else:
        deleted = differences.delete(cursor, target)
    inserted = differences.insert(cursor, target)
    return LoadResult.of_changes(count, inserted=inserted, updated=updated, deleted=deleted)
