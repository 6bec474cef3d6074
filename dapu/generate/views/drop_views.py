"""Drops the views that a task made, and no others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from psycopg2 import sql
from psycopg2.extensions import connection as PgSession
from psycopg2.extensions import cursor as Cursor

from dapu.generate.views.make_views import CannotMake, try_statement
from dapu.named_sql import compose
from dapu.registry import view_queue
from dapu.registry.store import Registry

Names = list[tuple[str, str]]


@dataclass
class Dropped:
    """What became of a task's views."""

    views: Names = field(default_factory=list)
    """Schema and name of those that were dropped."""

    failures: dict[str, str] = field(default_factory=dict)
    """Why a group stays, by its key."""


def drop_own(
    session: PgSession,
    registry: Registry,
    task: str,
    only: Sequence[str] | None,
    *,
    dry_run: bool = False,
) -> Dropped:
    """Drops a task's views, group by group: each in a transaction, for all would be many locks.

    only: of these groups alone. A group that others read stays until those are dropped; what
    somebody else built on it stays, and the group with it.
    """
    dropped = Dropped()
    with session.cursor() as cursor:
        left: dict[str, Names] = defaultdict(list)
        for key, schema, name in view_queue.own(cursor, registry, task, only):
            left[key].append((schema, name))
        session.commit()
        if dry_run:
            return Dropped([name for names in left.values() for name in names])
        before = -1
        while left and len(left) != before:  # a group may read views of one that comes later
            before, dropped.failures = len(left), {}
            for key in list(left):
                _drop_group(cursor, registry, task, key, left, dropped)
        if not left:  # groups that never had a view, too
            view_queue.forget(cursor, registry, task, only)
            session.commit()
    return dropped


def _drop_group(
    cursor: Cursor,
    registry: Registry,
    task: str,
    key: str,
    left: dict[str, Names],
    dropped: Dropped,
) -> None:
    try:
        for name in left[key]:
            view = compose("make_views.drop", view=sql.Identifier(*name))
            try_statement(cursor, view, ".".join(name))
        view_queue.forget(cursor, registry, task, [key])
        cursor.connection.commit()
        dropped.views += left.pop(key)
    except CannotMake as error:
        cursor.connection.rollback()
        dropped.failures[key] = str(error)
