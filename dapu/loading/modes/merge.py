"""`load: merge`: one row a key, the newest. Rows that did not change are not written."""

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


def merge(
    cursor: Cursor,
    name: TableName,
    relation: Relation | None,
    rows: Rows,
    key: Sequence[str],
    newest: str | None,
    *,
    marks: bool = False,
    goes_back: bool = True,
) -> LoadResult:
    """Inserts rows with a new key, and updates those that changed.

    relation: the table as it is; None when it is missing.
    newest: the column by which the newest of the rows with one key is found; without it the
    last that was read is.
    marks: the table marks rows that the source no longer has; one that is back loses its mark.
    goes_back: a row may replace a newer one, since all that the source has were read.
    """
    loader_columns = [DELETED_COLUMN] if marks else []
    if relation is None:
        return first_load(cursor, name, rows, key, newest, loader_columns=loader_columns)
    check_fit(cursor, name, relation, rows.columns, loader_columns)
    target = marked_target(name, relation, rows, key, marks=marks)
    staged = differences.stage(cursor, target, rows, newest)
    differences.find(cursor, target, missing=False, newest=None if goes_back else newest)
    mark = sql.Identifier(DELETED_AT) if marks else None
    done = differences.write(cursor, target, deletes=False, mark=mark)
    return LoadResult.of_changes(
        staged.rows, inserted=done.inserted, updated=done.updated, left_out=staged.left_out
    )
