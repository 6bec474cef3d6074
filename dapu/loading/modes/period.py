"""`load: period`: the days, months or years that occur in the source are replaced as a whole.

A workbook or file that holds some months of a year, and is corrected and sent again, replaces
those months; all other rows stay. Rows without a value in the period's column are a period of
their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.loading.modes.append import append
from dapu.loading.modes.delete_replaced import delete_replaced
from dapu.loading.options import PeriodOptions
from dapu.loading.result import LoadResult
from dapu.loading.table.relation import Relation, check_fit
from dapu.named_sql import compose
from dapu.rows.rows import Column, Rows, column_list
from dapu.statement import TableName
from dapu.text import counted

_STAGE = sql.Identifier("pg_temp", "dapu_period")


def period(
    cursor: Cursor,
    name: TableName,
    target: Relation | None,
    rows: Rows,
    options: PeriodOptions,
    key: Sequence[str] | None = None,
) -> LoadResult:
    """Replaces the periods that occur in the rows; makes the table when it is missing.

    target: the table as it is; None when it is missing.
    key: the primary key of a table that is made here.
    Raises JobError when the rows have no such column, or it is neither a date nor a time.
    """
    if target is None:
        _as_time(name, rows.columns, options.column)
        return append(cursor, name, None, rows, key)
    check_fit(cursor, name, target, rows.columns)
    _as_time(name, rows.columns, options.column)
    value = _as_time(name, target.columns, options.column)
    columns, table = column_list(rows.columns), name.identifier
    cursor.execute(compose("period.create_stage", columns=columns, table=table))
    count = rows.fill(cursor, _STAGE, freeze=True)
    periods, gone = _delete(cursor, name, target, options, value)
    cursor.execute(compose("table.insert_columns", table=table, columns=columns, source=_STAGE))
    cursor.execute(compose("table.drop", table=_STAGE))
    return LoadResult(
        count, (f"{counted(periods, str(options.by))} replaced", f"{counted(gone, 'old row')} gone")
    )


def _delete(
    cursor: Cursor,
    name: TableName,
    target: Relation,
    options: PeriodOptions,
    value: sql.Composable,
) -> tuple[int, int]:
    """Deletes the periods that came; returns how many those are, and how many rows they had."""
    column = sql.Identifier(options.column)
    values = {"by": options.by, "length": f"1 {options.by}"}
    cursor.execute(compose("period.count", value=value, stage=_STAGE), values)
    (periods,) = cursor.fetchone() or (0,)
    pieces: dict[str, sql.Composable] = {"table": name.identifier, "column": column}
    deletion = compose("period.delete", **pieces, value=value, stage=_STAGE)
    gone = delete_replaced(cursor, name, target, deletion, values)
    deletion = compose("table.delete_nulls", **pieces, source=_STAGE)
    return periods, gone + delete_replaced(cursor, name, target, deletion)


def _as_time(name: TableName, columns: Sequence[Column], wanted: str) -> sql.Composable:
    """The period's column as something that has periods: in the session's zone, or without one."""
    found = next((column for column in columns if column.name == wanted), None)
    if found is None:
        raise JobError(f"the rows for {name} have no column {wanted}, which `period` names")
    if found.type in ("timestamp with time zone", "timestamptz"):
        return sql.Identifier(wanted)
    if found.type in ("date", "timestamp without time zone", "timestamp"):
        return sql.SQL("{}::timestamp").format(sql.Identifier(wanted))
    raise JobError(
        f"the column {wanted} of {name} is {found.type}; `load: period` needs a date or time"
    )
