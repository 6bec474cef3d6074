"""A table built aside takes the place of another, in one short transaction.

The new table is built under its own name in a scratch schema, where its indexes and keys may
have the names that they are to keep. Then the two tables change places: readers wait for that
moment only. Views are told to read the new table; they keep their own grants and dependents.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.definitions.templates import TableName
from dapu.errors import JobError
from dapu.loading.tables import analyze, oid_of
from dapu.named_sql import compose, statement

# A swap that waits for a long reader makes all later readers wait behind it: it waits briefly,
# steps back, and comes again.
_LOCK_WAIT = 2.0  # seconds, while nothing is held
_LOCK_WAIT_HOLDING = 0.8  # less than the second after which PostgreSQL looks for a deadlock
_LOCK_PATIENCE = 300.0


@dataclass(frozen=True)
class Aside:
    """The new table, not yet in its place."""

    target: TableName
    oid: int  # of the table that is there now
    schema: str  # where the new table is

    @property
    def table(self) -> sql.Identifier:
        """The quoted name of the new table."""
        return sql.Identifier(self.schema, self.target.table)


def hindrance(cursor: Cursor, oid: int) -> str | None:
    """Why a table cannot be swapped, or None."""
    cursor.execute(statement("swap.hindrance"), {"oid": oid})
    row = cursor.fetchone()
    return None if row is None else str(row[0])


def build_aside(cursor: Cursor, target: TableName, oid: int) -> Aside:
    """Makes an empty table like the target, without its indexes and keys."""
    schema = f"dapu_new_{cursor.connection.get_backend_pid()}"
    aside = Aside(target, oid, schema)
    cursor.execute(compose("swap.create_schema", schema=sql.Identifier(schema)))
    cursor.execute(compose("swap.create_like", aside=aside.table, table=target.identifier))
    cursor.execute(statement("swap.options"), {"oid": oid})
    row = cursor.fetchone()
    if row is not None:  # before the rows come: a fillfactor is for them
        options = sql.SQL(", ".join(row[0]))
        cursor.execute(compose("swap.set_options", table=aside.table, options=options))
    return aside


def finish_aside(cursor: Cursor, aside: Aside) -> None:
    """Gives the filled table the keys and indexes of the target."""
    values: dict[str, object] = {"oid": aside.oid, "schema": aside.schema}
    path = SearchPath(cursor)
    # What PostgreSQL shows names the target without its schema, and then means the new table.
    path.set(aside.target.schema)
    cursor.execute(statement("swap.constraints"), values)
    constraints = cursor.fetchall()
    cursor.execute(statement("swap.indexes"), values)
    indexes = [row[0] for row in cursor.fetchall()]
    path.set(aside.schema, aside.target.schema)
    for name, definition in constraints:
        cursor.execute(
            compose(
                "swap.add_constraint",
                table=aside.table,
                name=sql.Identifier(name),
                definition=sql.SQL(definition),
            )
        )
    for definition in indexes:
        cursor.execute(definition)
    path.restore()
    for create, _ in _statistics(cursor, aside):
        cursor.execute(create)
    cursor.execute(statement("swap.details"), values)
    for (detail,) in cursor.fetchall():
        cursor.execute(detail)
    analyze(cursor, aside.table)


def drop_aside(cursor: Cursor, aside: Aside) -> None:
    """Leaves the target as it is."""
    cursor.execute(compose("table.drop", table=aside.table))
    cursor.execute(compose("swap.drop_schema", schema=sql.Identifier(aside.schema)))


def swap(cursor: Cursor, aside: Aside) -> None:
    """Puts the new table in the target's place and drops the old one.

    Raises JobError when a view cannot read the new table, or the lock is not to be had.
    """
    target = aside.target
    old_schema = aside.schema.replace("new", "old", 1)
    copy_properties(cursor, aside.table, aside.oid, "table")
    lock(cursor, target, aside.oid)
    views = _views(cursor, aside.oid)
    statistics = _statistics(cursor, aside)
    cursor.execute(compose("swap.create_schema", schema=sql.Identifier(old_schema)))
    _move(cursor, target.identifier, old_schema)
    _move(cursor, aside.table, target.schema)
    for view in views:
        view.point_to_new(cursor, target)
    old = sql.Identifier(old_schema, target.table)
    cursor.execute(compose("table.drop", table=old))
    for _, when_the_name_is_free in statistics:
        for command in when_the_name_is_free:
            cursor.execute(command)
    for schema in (old_schema, aside.schema):
        cursor.execute(compose("swap.drop_schema", schema=sql.Identifier(schema)))


def _statistics(cursor: Cursor, aside: Aside) -> list[tuple[str, list[str]]]:
    """What makes the target's extended statistics for the new table, and puts them in place."""
    cursor.execute(statement("swap.statistics"), {"oid": aside.oid, "schema": aside.schema})
    return cursor.fetchall()


def lock(cursor: Cursor, target: TableName, oid: int) -> None:
    """Takes the table for this transaction alone, with short waits so that readers get by.

    Its views, and the tables that its foreign keys refer to, come first, as they do for their
    readers. With the table in hand the swap would wait for them, and they for the table.
    """
    cursor.execute(statement("swap.lock_first"), {"oid": oid})
    locks = [row[0] for row in cursor.fetchall()]
    locks.append(compose("swap.lock", table=target.identifier))
    patience = time.monotonic() + _LOCK_PATIENCE
    while not _taken(cursor, locks):
        if time.monotonic() > patience:
            raise JobError(f"{target} is in use by others all the time; its lock was not to be had")
    _wait_at_most(cursor, 0)


def _taken(cursor: Cursor, locks: Sequence[sql.Composable | str]) -> bool:
    """Takes all locks, or none."""
    cursor.execute("savepoint dapu_lock")
    holding_until = None
    try:
        for one in locks:
            now = time.monotonic()
            wait = _LOCK_WAIT if holding_until is None else max(holding_until - now, 0.01)
            _wait_at_most(cursor, wait)
            cursor.execute(one)
            holding_until = holding_until or time.monotonic() + _LOCK_WAIT_HOLDING
    except psycopg2.errors.LockNotAvailable:
        cursor.execute("rollback to savepoint dapu_lock")
        return False
    return True


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


@dataclass(frozen=True)
class Properties:
    """What belongs to a table or view beside its columns and rows.

    grants: column (None: the whole), role (None: PUBLIC), privilege, and whether it may grant it.
    """

    owner: str
    options: tuple[str, ...]
    comment: str | None
    grants: tuple[tuple[str | None, str | None, str, bool], ...]


def properties_of(cursor: Cursor, name: str, oid: int) -> Properties:
    """Owner, storage options, comment and grants of a table or view.

    Raises JobError when it was dropped. name: of it, for the message.
    """
    cursor.execute(statement("swap.properties"), {"oid": oid})
    found = cursor.fetchone()
    if found is None:
        raise JobError(f"{name} was dropped meanwhile")
    owner, options, comment = found
    return Properties(owner, tuple(options or ()), comment, tuple(_grants(cursor, oid)))


def give_properties(
    cursor: Cursor, table: sql.Identifier, given: Properties, kind: Literal["table", "view"]
) -> None:
    """Gives a table or view these properties; its grants are those, and no others."""
    cursor.execute(compose("swap.set_owner", table=table, role=sql.Identifier(given.owner)))
    if given.options:
        # Text that PostgreSQL itself gave.
        text = sql.SQL(", ".join(given.options))
        cursor.execute(compose("swap.set_options", table=table, options=text))
    if given.comment is not None:
        comment = compose("swap.set_comment", kind=sql.SQL(kind), table=table)
        cursor.execute(comment, {"comment": given.comment})
    _give_grants(cursor, table, given)


def copy_properties(
    cursor: Cursor, table: sql.Identifier, oid: int, kind: Literal["table", "view"]
) -> None:
    """Gives a new table or view the owner, storage options, comment and grants of another.

    oid: of the other. Raises JobError when it was dropped.
    """
    give_properties(cursor, table, properties_of(cursor, table.strings[-1], oid), kind)


def _give_grants(cursor: Cursor, table: sql.Identifier, given: Properties) -> None:
    for _, role, _, _ in _grants(cursor, oid_of(cursor, table)):  # what default privileges gave
        cursor.execute(compose("swap.revoke_all", table=table, role=_role(role)))
    for column, role, privilege, grantable in given.grants:
        # The privilege is a word of PostgreSQL's own.
        what = sql.SQL(privilege)
        if column is not None:
            what = sql.SQL("{} ({})").format(what, sql.Identifier(column))  # type: ignore[assignment]
        to = _role(role)
        grant = compose("swap.grant", privilege=what, table=table, role=to)
        cursor.execute(grant + sql.SQL(" with grant option") if grantable else grant)


def _grants(cursor: Cursor, oid: int) -> list[tuple[str | None, str | None, str, bool]]:
    cursor.execute(statement("swap.grants"), {"oid": oid})
    return cursor.fetchall()


def _role(name: str | None) -> sql.Composable:
    return sql.SQL("public") if name is None else sql.Identifier(name)


class SearchPath:
    """The session's search_path, changed for a few statements."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        cursor.execute(statement("swap.current_search_path"))
        row = cursor.fetchone()
        self._before = str(row[0]) if row else ""

    def set(self, *schemas: str) -> None:
        """Names of other schemas have their schema in what PostgreSQL shows."""
        path = sql.SQL(", ").join(map(sql.Identifier, schemas)).as_string(self._cursor)
        self._cursor.execute(statement("swap.search_path"), {"path": path})

    def restore(self) -> None:
        """As it was."""
        self._cursor.execute(statement("swap.search_path"), {"path": self._before})
