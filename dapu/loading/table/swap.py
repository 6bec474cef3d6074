"""A table built aside replaces another, in one short transaction.

The new table is built under its own name in a scratch schema, where its indexes and keys may
have the names that they are to keep. Then the two tables change places: readers wait for that
moment only. Views are made to read the new table; they keep their own grants and dependents.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.loading.table.attachments import Aside, Attachments, attachments_of, options_of
from dapu.loading.table.properties import Properties, give_properties, properties_of
from dapu.loading.table.relation import analyze
from dapu.loading.table.search_path import SearchPath
from dapu.named_sql import compose, statement
from dapu.statement import TableName

# A swap that waits for a long reader makes all later readers wait behind it: it waits briefly,
# steps back, and comes again.
_LOCK_WAIT = 2.0  # seconds, while nothing is held
_LOCK_WAIT_HOLDING = 0.8  # less than the second after which PostgreSQL looks for a deadlock
_LOCK_PATIENCE = 300.0
NEXT_RUN = "nothing was lost, and the next run takes it over"


def hindrance(cursor: Cursor, oid: int, *, as_partition: bool = False) -> str | None:
    """Why a table cannot be swapped, or None. as_partition: for another partition."""
    cursor.execute(statement("swap.hindrance"), {"oid": oid, "as_partition": as_partition})
    row = cursor.fetchone()
    return None if row is None else str(row[0])


def build_aside(cursor: Cursor, target: TableName, oid: int) -> Aside:
    """Makes an empty table like the target, without its indexes and keys."""
    schema = f"dapu_new_{cursor.connection.get_backend_pid()}"
    aside = Aside(target, oid, schema, options_of(cursor, oid))
    cursor.execute(compose("swap.create_schema", schema=sql.Identifier(schema)))
    cursor.execute(compose("swap.create_like", aside=aside.table, table=target.identifier))
    if aside.options:  # before the rows come: a fillfactor is for them
        options = sql.SQL(", ".join(aside.options))
        cursor.execute(compose("properties.set_options", table=aside.table, options=options))
    return aside


def drop_aside(cursor: Cursor, aside: Aside) -> None:
    """Leaves the target as it is."""
    cursor.execute(compose("table.drop", table=aside.table))
    cursor.execute(compose("swap.drop_schema", schema=sql.Identifier(aside.schema)))


def put_in_place(cursor: Cursor, aside: Aside) -> None:
    """Gives the filled table all that the target has, puts it in its place and drops the old one.

    Raises JobError when a view cannot read the new table, the lock is not to be had, or the target
    got something meanwhile that the new table has not.
    """
    taken, given = complete(cursor, aside)
    lock(cursor, aside.target, aside.oid)
    _check_unchanged(cursor, aside, taken)
    newer = properties_of(cursor, str(aside.target), aside.oid)
    if newer != given:
        give_properties(cursor, aside.table, newer, "table")
    _swap(cursor, aside, taken)


def complete(cursor: Cursor, aside: Aside) -> tuple[Attachments, Properties]:
    """Gives the filled table all that the target has, and returns that."""
    taken = replace(attachments_of(cursor, aside), options=aside.options)
    taken.make(cursor, aside)
    analyze(cursor, aside.table)
    given = properties_of(cursor, str(aside.target), aside.oid)
    give_properties(cursor, aside.table, given, "table")
    return taken, given


def _check_unchanged(cursor: Cursor, aside: Aside, taken: Attachments) -> None:
    """Raises JobError when the target has something else now than what the new table took over.

    Who made it did so while the rows were read or the indexes built; it would be lost in silence.
    """
    target = aside.target
    why_not = hindrance(cursor, aside.oid)
    if why_not is not None:
        raise JobError(f"{target} {why_not} since it began to be loaded; {NEXT_RUN}")
    before, now = taken.texts(), attachments_of(cursor, aside).texts()
    news = [f"it has {text}" for text in sorted(now - before)]
    gone = [f"it has no more {text}" for text in sorted(before - now)]
    if news or gone:
        what = "; ".join(news + gone).replace(aside.schema, target.schema)
        raise JobError(f"{target} was altered while it was loaded: {what}; {NEXT_RUN}")


def _swap(cursor: Cursor, aside: Aside, taken: Attachments) -> None:
    old_schema = aside.schema.replace("new", "old", 1)
    cursor.execute(compose("swap.create_schema", schema=sql.Identifier(old_schema)))
    exchange(cursor, aside, taken, old_schema)
    for schema in (old_schema, aside.schema):
        cursor.execute(compose("swap.drop_schema", schema=sql.Identifier(schema)))


def exchange(cursor: Cursor, aside: Aside, taken: Attachments, old_schema: str) -> None:
    """Puts the new table in the place of the old one, which is dropped.

    old_schema: an empty one, for the old table until then. Raises JobError when a view cannot read
    the new table.
    """
    target = aside.target
    views = _views(cursor, aside.oid)
    _move(cursor, target.identifier, old_schema)
    _move(cursor, aside.table, target.schema)
    for view in views:
        view.point_to_new(cursor, target)
    old = sql.Identifier(old_schema, target.table)
    cursor.execute(compose("table.drop", table=old))
    taken.put_statistics(cursor)


def lock(cursor: Cursor, target: TableName, oid: int) -> None:
    """Takes the table for this transaction alone, with short waits so that readers get by.

    Its views, and the tables that its foreign keys refer to, come first, as they do for their
    readers. With the table in hand the swap would wait for them, and they for the table.
    """
    patience = time.monotonic() + _LOCK_PATIENCE
    while not _taken(cursor, target, oid):
        if time.monotonic() > patience:
            raise JobError(f"{target} is in use by others all the time; its lock was not to be had")
    _wait_at_most(cursor, 0)


def _taken(cursor: Cursor, target: TableName, oid: int) -> bool:
    """Takes all locks, or none."""
    first = _first(cursor, oid)
    cursor.execute("savepoint dapu_lock")
    holding_until = None
    try:
        locks: list[str | sql.Composable] = [*first]
        for one in [*locks, compose("swap.lock", table=target.identifier)]:
            now = time.monotonic()
            wait = _LOCK_WAIT if holding_until is None else max(holding_until - now, 0.01)
            _wait_at_most(cursor, wait)
            cursor.execute(one)
            holding_until = holding_until or time.monotonic() + _LOCK_WAIT_HOLDING
    except psycopg2.errors.LockNotAvailable:
        cursor.execute("rollback to savepoint dapu_lock")
        return False
    except psycopg2.errors.DeadlockDetected:
        raise JobError(
            f"{target} is being altered by a session that waits for this load to end (as `create "
            f"index concurrently` does); {NEXT_RUN}"
        ) from None
    if set(_first(cursor, oid)) - set(first):  # a view is new
        cursor.execute("rollback to savepoint dapu_lock")
        return False
    return True


def _first(cursor: Cursor, oid: int) -> list[str]:
    cursor.execute(statement("swap.lock_first"), {"oid": oid})
    return [row[0] for row in cursor.fetchall()]


def _wait_at_most(cursor: Cursor, seconds: float) -> None:
    cursor.execute(statement("swap.lock_timeout"), {"timeout": f"{seconds * 1000:.0f}ms"})


@dataclass(frozen=True)
class _View:
    name: sql.Identifier
    label: str
    definition: str
    options: tuple[str, ...]

    def point_to_new(self, cursor: Cursor, target: TableName) -> None:
        # Options and definition are text that PostgreSQL itself gave for this view.
        options = sql.SQL(f"with ({', '.join(self.options)})" if self.options else "")
        try:
            cursor.execute(
                compose(
                    "swap.replace_view",
                    view=self.name,
                    options=options,
                    query=sql.SQL(self.definition.rstrip().rstrip(";")),
                )
            )
        except psycopg2.ProgrammingError as error:
            raise JobError(
                f"the view {self.label} reads {target} and does not fit its new columns: "
                f"{error.diag.message_primary}; change or drop the view first"
            ) from error


def _views(cursor: Cursor, oid: int) -> list[_View]:
    path = SearchPath(cursor)
    path.set("pg_catalog")  # so that every name in a definition has its schema
    cursor.execute(statement("swap.views"), {"oid": oid})
    views = [
        _View(sql.Identifier(schema, name), f"{schema}.{name}", definition, tuple(options or ()))
        for _, schema, name, definition, options in cursor.fetchall()
    ]
    path.restore()
    return views


def _move(cursor: Cursor, table: sql.Identifier, schema: str) -> None:
    cursor.execute(compose("swap.move", table=table, schema=sql.Identifier(schema)))
