"""The queue of groups of views, and which views are whose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from dapu.registry.storable import storable
from dapu.registry.store import Registry

# Of a group in one run: a view may read one that another group makes a moment later.
MOST_TRIES = 3
FIRST_WAIT = timedelta(seconds=0.5)  # and twice that before the third


class TakenGroup(NamedTuple):
    """A group that a consumer has in hand. views: name, query, comment and hash of each."""

    key: str
    position: int
    hash: str
    views: list[list[Any]]


class PresentView(NamedTuple):
    """What there is of a name that a group wants: None where there is nothing."""

    name: str
    oid: int | None
    kind: str | None
    task: str | None
    key: str | None
    hash: str | None


class FailedGroup(NamedTuple):
    """A group that could not be made."""

    key: str
    message: str
    statement: str | None


class QueuedGroup(NamedTuple):
    """A group as it is queued. fault: why it cannot be made, known before it is tried."""

    key: str
    hash: str
    views: list[tuple[str, str, str | None, str]]
    fault: str | None


def intact(cursor: Cursor, registry: Registry, task: str) -> dict[str, str]:
    """The hashes of the groups that were made and are all there, by key."""
    return dict(registry.rows(cursor, "view_queue.intact", task=task))


def put(cursor: Cursor, registry: Registry, task: str, groups: Iterable[QueuedGroup]) -> None:
    """Queues groups, in the caller's transaction."""
    rows = [
        (
            task,
            group.key,
            "failed" if group.fault else "waiting",
            group.hash,
            len(group.views),
            Json(group.views),
            group.fault and storable(group.fault),
        )
        for group in groups
    ]
    registry.many(cursor, "view_queue.put", rows)


def take(cursor: Cursor, registry: Registry, task: str, after: int) -> TakenGroup | None:
    """The next group behind a position; it is the caller's until the transaction ends."""
    row = registry.row(cursor, "view_queue.take", task=task, after=after)
    return None if row is None else TakenGroup(*row)


def wait(cursor: Cursor, registry: Registry, task: str) -> float | None:
    """Seconds until a waiting group may be tried; None when none waits."""
    row = registry.row(cursor, "view_queue.wait", task=task)
    return None if row is None else row[0]


def present(
    cursor: Cursor, registry: Registry, schema: str, names: Sequence[str]
) -> list[PresentView]:
    """What there is of these names in a schema."""
    found = registry.rows(cursor, "view_queue.present", schema=schema, names=list(names))
    return [PresentView(*row) for row in found]


def unwanted(
    cursor: Cursor, registry: Registry, task: str, group: TakenGroup, schema: str
) -> list[tuple[str, str]]:
    """Schema and name of the views that a group has and no longer wants."""
    names = [view[0] for view in group.views]
    found = registry.rows(
        cursor, "view_queue.unwanted", task=task, key=group.key, schema=schema, names=names
    )
    return [(row[0], row[1]) for row in found]


def done(cursor: Cursor, registry: Registry, task: str, group: TakenGroup, schema: str) -> None:
    """Notes that a group is made, in the transaction that made it."""
    registry.run(
        cursor,
        "view_queue.done",
        task=task,
        key=group.key,
        schema=schema,
        names=[view[0] for view in group.views],
        hashes=[view[3] for view in group.views],
    )


def made_elsewhere(cursor: Cursor, registry: Registry, task: str) -> list[tuple[str, str, int]]:
    """Key, hash and number of views of the groups that were made in another database."""
    found = registry.rows(cursor, "view_queue.made_elsewhere", task=task)
    return [(row[0], row[1], row[2]) for row in found]


def done_elsewhere(cursor: Cursor, registry: Registry, task: str, key: str) -> None:
    """Notes that a group is made in another database."""
    registry.run(cursor, "view_queue.done_elsewhere", task=task, key=key)


def failed(
    cursor: Cursor, registry: Registry, task: str, key: str, message: str, statement: str | None
) -> bool:
    """Keeps why a group could not be made; True when it is not tried again in this run."""
    row = registry.row(
        cursor,
        "view_queue.failed",
        task=task,
        key=key,
        most=MOST_TRIES,
        wait=FIRST_WAIT,
        message=storable(message),
        statement=statement,
    )
    return row is not None and row[0] == "failed"


def failures(cursor: Cursor, registry: Registry, task: str) -> list[FailedGroup]:
    """The groups of a task that could not be made."""
    return [FailedGroup(*row) for row in registry.rows(cursor, "view_queue.failures", task=task)]


def own(
    cursor: Cursor, registry: Registry, task: str, keys: Sequence[str] | None
) -> list[tuple[str, str, str]]:
    """Key, schema and name of the views that a task made and that exist."""
    given = None if keys is None else list(keys)
    found = registry.rows(cursor, "view_queue.own", task=task, keys=given)
    return [(row[0], row[1], row[2]) for row in found]


def forget(cursor: Cursor, registry: Registry, task: str, keys: Sequence[str] | None) -> None:
    """Forgets groups and their views, as when these are dropped."""
    given = None if keys is None else list(keys)
    registry.run(cursor, "view_queue.forget_views", task=task, keys=given)
    registry.run(cursor, "view_queue.forget_groups", task=task, keys=given)
