"""`deletes: {every: …}`: what the source no longer has, found by its keys alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.loading.modes import differences
from dapu.loading.modes.keyed import DELETED_AT, comparable
from dapu.loading.table.relation import Relation, is_empty
from dapu.rows.rows import Rows
from dapu.statement import TableName


class Removed(NamedTuple):
    """How many rows were deleted or marked, and what a person should know of it."""

    rows: int = 0
    notes: tuple[str, ...] = ()


def remove_missing(
    cursor: Cursor,
    name: TableName,
    relation: Relation,
    keys: Rows,
    key: Sequence[str],
    *,
    mark: bool,
) -> Removed:
    """Deletes, or marks, the rows whose key is not among `keys`; returns how many.

    A row that is marked and whose key came back loses its mark: a watermark does not see it
    where the source brought back the row as it was.
    relation: the table as it is. keys: the key of every row that the source has.
    Raises JobError when the source has no key at all and the table has rows: a source that was
    emptied by mistake shall not empty the warehouse.
    """
    done = "marked" if mark else "deleted"
    if is_empty(cursor, name):
        return Removed(0, (_note(0, done),))
    target = comparable(name, relation, keys, key)
    if differences.stage(cursor, target, keys, None).rows == 0:
        raise JobError(
            f"the source gives no key at all for {name}, which has rows; if the source is meant "
            f"to be empty, empty the table by hand: truncate {name.identifier.as_string(cursor)};"
        )
    if not mark:
        gone = differences.delete_missing(cursor, target)
        return Removed(gone, (_note(gone, done),))
    column = sql.Identifier(DELETED_AT)
    gone = differences.mark_missing(cursor, target, column)
    back = differences.unmark_present(cursor, target, column)
    again = (f"{back:,} that it has again no longer marked",) if back else ()
    return Removed(gone, (_note(gone, done), *again))


def _note(gone: int, done: str) -> str:
    return f"{gone:,} that the source no longer has {done}"
