"""What must hold after a task's actions; a failed check fails the job, and nothing is kept."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.definitions.models import Check, Task
from dapu.errors import JobError
from dapu.named_sql import compose
from dapu.rows.python_values import read_exactly
from dapu.secrets import redact
from dapu.statement import Statement, TableName
from dapu.text import counted, shortened

MOST_ROWS = 20  # that the event of a failed check shows
_LONGEST = 200  # characters of a value that is shown
_MOST_KEYS = 3  # that the message has


def keys_of(task: Task) -> set[str]:
    """The columns that tell a task's rows apart, as its actions and checks have them."""
    columns = [getattr(action, "key", None) for action in task.actions]
    columns += [check.unique for check in task.checks]
    return {name for some in columns for name in some or ()}


def run_check(
    cursor: Cursor, table: TableName, check: Check, query: Statement | None, keys: Collection[str]
) -> None:
    """Runs one check.

    query: the statement of a `sql` check. keys: columns that may be in a log.
    Raises JobError with up to 20 offending rows in its data, which stays in the registry: other
    columns may be what nobody is to read in a log or a mail of cron.
    """
    label, text = _query(table, check, query)
    read_exactly(cursor)
    try:
        cursor.execute(text)
    except psycopg2.errors.QueryCanceled:
        raise
    except psycopg2.Error as error:
        raise JobError(f"the check {label} cannot be run: {error.diag.message_primary}") from error
    if cursor.description is None:
        raise JobError(f"the check {label} is not a query: it must give the offending rows")
    rows = cursor.fetchmany(MOST_ROWS + 1)
    if rows:
        names = [column.name for column in cursor.description]
        several = len(rows) > MOST_ROWS
        count = (
            f"more than {MOST_ROWS} offending rows"
            if several
            else counted(len(rows), "offending row")
        )
        shown = [dict(zip(names, map(_shown, row), strict=True)) for row in rows[:MOST_ROWS]]
        found = _keys(shown, keys)
        raise JobError(
            f"the check {label} failed: {count}{found}; `dapu status DIR TASK` shows them",
            {"check": label, "rows": shown},
        )


def _keys(rows: list[dict[str, Any]], keys: Collection[str]) -> str:
    """The keys of the first rows, where they have any."""
    each = [
        ", ".join(f"{name} {value}" for name, value in row.items() if name in keys)
        for row in rows[:_MOST_KEYS]
    ]
    more = ["…"] if len(rows) > _MOST_KEYS else []
    return f" ({'; '.join([*each, *more])})" if any(each) else ""


def _shown(value: Any) -> Any:
    """The value, or the beginning of a long one."""
    text = redact(str(value))
    return value if len(text) <= _LONGEST else shortened(text, _LONGEST)


def _query(table: TableName, check: Check, query: Statement | None) -> tuple[str, sql.Composable]:
    most = sql.Literal(MOST_ROWS + 1)
    if query is not None:
        return f"`sql: {check.sql}`", query.composed()
    columns = check.unique or check.not_null or []
    names = [sql.Identifier(column) for column in columns]
    if check.unique is not None:
        listed = sql.SQL(", ").join(names)
        label = f"`unique: [{', '.join(columns)}]`"
        text = compose("check.unique", table=table.identifier, columns=listed, most=most)
        return label, text
    missing = sql.SQL(" or ").join(sql.SQL("{} is null").format(name) for name in names)
    label = f"`not_null: [{', '.join(columns)}]`"
    return label, compose("check.not_null", table=table.identifier, missing=missing, most=most)
