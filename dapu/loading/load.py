"""Rows into the task's table, as the action's options say."""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor

from dapu.definitions.templates import TableName
from dapu.loading.append import append
from dapu.loading.options import LoadOptions
from dapu.loading.replace import replace
from dapu.loading.result import LoadResult
from dapu.loading.rows import Rows


def load(
    cursor: Cursor, name: TableName, rows: Rows, options: LoadOptions, *, keep_equal: bool = False
) -> LoadResult:
    """Runs the load strategy that the options name, in the caller's transaction.

    keep_equal: a replace leaves a table untouched that has the same rows already.
    """
    if options.load == "append":
        column = options.watermark.column if options.watermark else None
        return append(cursor, name, rows, options.key, watermark=column)
    return replace(cursor, name, rows, options.key, keep_equal=keep_equal)
