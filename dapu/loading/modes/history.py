"""`load: history`: every version that a row ever had (slowly changing dimension, type 2).

Each version says from when to when it held, whether it holds now, and why it began and ended.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.loading.modes import differences
from dapu.loading.modes.keyed import comparable, first_load
from dapu.loading.result import LoadResult, left_out_note
from dapu.loading.table.relation import Relation, check_fit
from dapu.named_sql import compose
from dapu.rows.rows import Column, Rows
from dapu.statement import TableName

HISTORY_COLUMNS = (
    Column("valid_from", "timestamp with time zone not null default now()"),
    Column("valid_to", "timestamp with time zone"),
    Column("is_current", "boolean not null default true"),
    Column("began_by", "text not null default 'new'"),
    Column("ended_by", "text"),
)


def history(
    cursor: Cursor,
    name: TableName,
    relation: Relation | None,
    rows: Rows,
    key: Sequence[str],
    newest: str | None,
    *,
    complete: bool,
    goes_back: bool = True,
) -> LoadResult:
    """Ends the versions that no longer hold and begins those that do from now on.

    relation: the table as it is; None when it is missing.
    complete: the rows are all that the source has, so that a key that is missing was deleted.
    goes_back: see `merge`.
    """
    if relation is None:
        return _first(cursor, name, rows, key, newest)
    check_fit(cursor, name, relation, rows.columns, HISTORY_COLUMNS)
    if relation.key and set(relation.key) <= set(key):
        raise JobError(
            f"the primary key of {name} ({', '.join(relation.key)}) has room for one version of a "
            f"row; add valid_from to it"
        )
    current = sql.SQL("is_current")
    target = comparable(name, relation, rows, key, present=current)
    staged = differences.stage(cursor, target, rows, newest)
    differences.find(cursor, target, missing=complete, newest=None if goes_back else newest)
    ended = differences.end_versions(cursor, target)
    begun = differences.begin_versions(cursor, target)
    notes = (f"{begun:,} versions begun", f"{ended:,} ended", *left_out_note(staged.left_out))
    return LoadResult(staged.rows, notes, changed=bool(begun or ended))


def _first(
    cursor: Cursor, name: TableName, rows: Rows, key: Sequence[str], newest: str | None
) -> LoadResult:
    # The versions of one moment: no two may share a key, which the second index would refuse.
    result = first_load(
        cursor, name, rows, key, newest, loader_columns=HISTORY_COLUMNS, more_key=["valid_from"]
    )
    columns = sql.SQL(", ").join(map(sql.Identifier, key))
    cursor.execute(compose("differences.history_index", table=name.identifier, key=columns))
    return result
