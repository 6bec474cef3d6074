"""`load: replace`: afterwards the table is exactly the query's result.

Readers see the old rows until the new ones are complete. A table with something that a new one
cannot take over (a trigger, a foreign key of another table, …) is emptied and filled in place:
slower, and its readers do not notice either.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2.extensions import cursor as Cursor

from dapu.loading.modes.delete_replaced import delete_replaced
from dapu.loading.result import LoadResult
from dapu.loading.table.attachments import Aside
from dapu.loading.table.relation import Relation, add_key, analyze, check_fit, create
from dapu.loading.table.swap import build_aside, drop_aside, hindrance, put_in_place
from dapu.named_sql import compose
from dapu.rows.rows import Column, Rows, column_list
from dapu.statement import TableName


def replace(
    cursor: Cursor,
    name: TableName,
    target: Relation | None,
    rows: Rows,
    key: Sequence[str] | None = None,
    *,
    keep_equal: bool = False,
) -> LoadResult:
    """Loads all rows in place of those that are there; makes the table when it is missing.

    target: the table as it is; None when it is missing.
    key: the primary key of a table that is made here.
    keep_equal: leave the table untouched when it has the same rows already.
    """
    if target is None:
        return _first_load(cursor, name, rows, key)
    check_fit(cursor, name, target, rows.columns)
    why_not = hindrance(cursor, target.oid)
    if why_not is not None:
        return _in_place(cursor, name, target, rows, why_not)
    aside = build_aside(cursor, name, target.oid)
    count = rows.fill(cursor, aside.table, freeze=True)
    if keep_equal and not _differs(cursor, aside, target.columns):
        drop_aside(cursor, aside)
        return LoadResult(count, ("nothing changed",), changed=False)
    put_in_place(cursor, aside)
    return LoadResult(count)


def _first_load(
    cursor: Cursor, name: TableName, rows: Rows, key: Sequence[str] | None
) -> LoadResult:
    create(cursor, name, rows.columns)
    count = rows.fill(cursor, name.identifier, freeze=True)
    if key:
        add_key(cursor, name.identifier, key)
    analyze(cursor, name.identifier)
    return LoadResult(count, ("table made",))


def _in_place(
    cursor: Cursor, name: TableName, target: Relation, rows: Rows, why: str
) -> LoadResult:
    delete_all = compose("table.delete_all", table=name.identifier)
    delete_replaced(cursor, name, target, delete_all, whole=True)
    count = rows.fill(cursor, name.identifier)
    return LoadResult(count, (f"in place, since the table {why}",))


def _differs(cursor: Cursor, aside: Aside, columns: Sequence[Column]) -> bool:
    cursor.execute(
        compose(
            "table.rows_differ",
            table=aside.target.identifier,
            source=aside.table,
            columns=column_list(columns),
        )
    )
    row = cursor.fetchone()
    return bool(row and row[0])
