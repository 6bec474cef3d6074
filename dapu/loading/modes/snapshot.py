"""`load: snapshot`: afterwards the table is the query's result, and only differences are written.

What the source no longer has is deleted, or marked in the column `_deleted_at`.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.loading.modes import differences
from dapu.loading.modes.keyed import DELETED_AT, DELETED_COLUMN, first_load, marked_target
from dapu.loading.result import LoadResult
from dapu.loading.table.relation import Relation, check_fit
from dapu.rows.rows import Rows
from dapu.statement import TableName


def snapshot(
    cursor: Cursor,
    name: TableName,
    relation: Relation | None,
    rows: Rows,
    key: Sequence[str],
    *,
    soft: bool,
    key_range: sql.Composable | None = None,
) -> LoadResult:
    """Makes the table equal to the rows.

    relation: the table as it is; None when it is missing.
    soft: rows that the source no longer has are marked, not deleted.
    key_range: the part of the table that is to be equal (a condition); default the whole.
    """
    loader_columns = [DELETED_COLUMN] if soft else []
    if relation is None:
        return first_load(cursor, name, rows, key, None, loader_columns=loader_columns)
    check_fit(cursor, name, relation, rows.columns, loader_columns)
    mark = sql.Identifier(DELETED_AT) if soft else None
    target = marked_target(name, relation, rows, key, marks=soft, key_range=key_range)
    staged = differences.stage(cursor, target, rows, None)
    differences.find(cursor, target, missing=True)
    done = differences.write(cursor, target, deletes=True, mark=mark)
    return LoadResult.of_changes(
        staged.rows,
        inserted=done.inserted,
        updated=done.updated,
        deleted=done.deleted,
        left_out=staged.left_out,
    )
