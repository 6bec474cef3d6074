"""`load: append`: the old rows and the new.

With a watermark each source row is there once, ever: rows that share a value of the watermark's
column are read all or none, so that those of a value that came again replace those
that were there. Rows at the boundary are neither lost nor doubled.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.loading.modes.delete_replaced import delete_replaced
from dapu.loading.options import WatermarkOptions
from dapu.loading.result import LoadResult
from dapu.loading.table.relation import (
    Relation,
    add_key,
    analyze,
    check_fit,
    create,
    is_empty,
)
from dapu.named_sql import compose
from dapu.rows.rows import Rows, column_list
from dapu.statement import TableName


def append(
    cursor: Cursor,
    name: TableName,
    target: Relation | None,
    rows: Rows,
    key: Sequence[str] | None = None,
    *,
    watermark: WatermarkOptions | None = None,
    has_nulls: bool = True,
) -> LoadResult:
    """Adds the rows; makes the table when it is missing.

    target: the table as it is; None when it is missing.
    key: the primary key of a table that is made here.
    watermark: the column whose values come whole, each with all rows that have it.
    has_nulls: the rows have all that are without a value there, unless `nulls: skip`.
    """
    if target is None:
        create(cursor, name, rows.columns)
        if key:
            add_key(cursor, name.identifier, key)
        count = rows.fill(cursor, name.identifier, freeze=True)
        analyze(cursor, name.identifier)
        return LoadResult(count, ("table made",))
    check_fit(cursor, name, target, rows.columns)
    if watermark is None or is_empty(cursor, name):
        return LoadResult(rows.fill(cursor, name.identifier))
    no_value = has_nulls and watermark.nulls == "include"
    return _append_over_boundary(cursor, name, target, rows, watermark.column, no_value)


def _append_over_boundary(
    cursor: Cursor, name: TableName, target: Relation, rows: Rows, watermark: str, no_value: bool
) -> LoadResult:
    aside = sql.Identifier("pg_temp", "dapu_append")
    columns = column_list(rows.columns)
    cursor.execute(
        compose(
            "table.create_temporary",
            aside=sql.Identifier("dapu_append"),
            columns=columns,
            table=name.identifier,
        )
    )
    count = rows.fill(cursor, aside, freeze=True)
    column = sql.Identifier(watermark)
    pieces = {"table": name.identifier, "column": column, "source": aside}
    deletion = compose("table.delete_same_values", **pieces)
    again = delete_replaced(cursor, name, target, deletion)
    if no_value:  # a row that has a value now would be there twice
        deletion = compose("table.delete_all_nulls", table=name.identifier, column=column)
        again += delete_replaced(cursor, name, target, deletion)
    cursor.execute(
        compose("table.insert_columns", table=name.identifier, columns=columns, source=aside)
    )
    cursor.execute(compose("table.drop", table=aside))
    return LoadResult(count, (f"{again:,} of them read again",) if again else ())
