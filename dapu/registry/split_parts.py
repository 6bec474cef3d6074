"""Parts of a split load that is under way, each written with its rows in one commit.

Whoever reads a part has its row locked until that commit; other workers find it by an offer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from dapu.registry.store import Registry


class SplitPart(NamedTuple):
    """From `low` to before `high`, as text; None: no bound. rows: None until it was read.

    job: the last that planned or read it.
    """

    number: int
    plan: str
    low: str | None
    high: str | None
    rows: int | None
    job: int


def of_action(cursor: Cursor, registry: Registry, task: str, action: int) -> list[SplitPart]:
    """The parts of a load that is under way; none when there is no such load."""
    rows = registry.rows(cursor, "split_parts.of_action", task=task, action=action)
    return [SplitPart(*row) for row in rows]


def are_too_old(cursor: Cursor, registry: Registry, task: str, action: int) -> bool:
    """Whether the first part was read more than a day ago."""
    row = registry.row(cursor, "split_parts.too_old", task=task, action=action)
    return bool(row and row[0])


def plan(
    cursor: Cursor, registry: Registry, task: str, action: int, parts: Sequence[SplitPart]
) -> None:
    """Begins a load of these parts."""
    forget(cursor, registry, task, action)
    rows = [(task, action, part.number, part.plan, part.low, part.high, part.job) for part in parts]
    registry.many(cursor, "split_parts.put", rows)


def take(
    cursor: Cursor, registry: Registry, task: str, action: int, plan: str, at_once: int
) -> SplitPart | None:
    """A part that nobody reads, until the end of the transaction.

    None when there is none now, or `at_once` are being read already.
    """
    slots = [registry.lock_key(f"part {task} {action} {slot}") for slot in range(at_once)]
    values = {"task": task, "action": action, "plan": plan, "slots": slots}
    row = registry.row(cursor, "split_parts.take", **values)
    return None if row is None else SplitPart(*row)


def done(
    cursor: Cursor,
    registry: Registry,
    task: str,
    action: int,
    part: SplitPart,
    rows: int,
    job: int,
    worker: int | None = None,
) -> bool:
    """Notes a part as read, in the transaction of its rows.

    worker: which read it for the job; None when the job did. False when it was read already, or its
    plan gave way to another.
    """
    values = {"number": part.number, "plan": part.plan, "rows": rows, "job": job, "worker": worker}
    found = registry.row(cursor, "split_parts.done", task=task, action=action, **values)
    return found is not None


def left(cursor: Cursor, registry: Registry, task: str, action: int, plan: str) -> int:
    """How many parts are not read yet."""
    row = registry.row(cursor, "split_parts.left", task=task, action=action, plan=plan)
    return int(row[0]) if row else 0


def read_by_others(cursor: Cursor, registry: Registry, task: str, action: int, plan: str) -> int:
    """How many parts other workers have read."""
    row = registry.row(cursor, "split_parts.read_by_others", task=task, action=action, plan=plan)
    return int(row[0]) if row else 0


def idle_workers(cursor: Cursor, registry: Registry) -> int:
    """How many workers have no job of their own, and may read parts."""
    row = registry.row(cursor, "split_parts.idle_workers")
    return int(row[0]) if row else 0


class PartOffer(NamedTuple):
    """A split load that others may help with: its job, and its task as the job found it.

    reading: see `dapu.agents.incremental.part_reader.Reading`.
    """

    offer: str
    action: int
    at_once: int
    reading: dict[str, Any]
    job: int
    task: str
    tries: int
    priority: int
    cause: str
    hash: str
    definition: dict[str, Any]
    connection: str


def offer(
    cursor: Cursor,
    registry: Registry,
    task: str,
    action: int,
    *,
    name: str,
    job: int,
    at_once: int,
    reading: dict[str, Any],
) -> None:
    """Lets other workers read parts of a load, until `withdraw` or the end of the job's try."""
    values = {"offer": name, "job": job, "at_once": at_once, "reading": Json(reading)}
    registry.run(cursor, "split_parts.offer", task=task, action=action, **values)


def withdraw(cursor: Cursor, registry: Registry, name: str) -> None:
    """Who still reads a part for it is to stop."""
    registry.run(cursor, "split_parts.withdraw", offer=name)


def is_offered(cursor: Cursor, registry: Registry, name: str) -> bool:
    """Whether a part that is read for an offer is still wanted."""
    return registry.row(cursor, "split_parts.is_offered", offer=name) == (True,)


def offers(cursor: Cursor, registry: Registry, worker: int) -> list[PartOffer]:
    """The split loads of other workers that have parts left, the most urgent first."""
    return [PartOffer(*row) for row in registry.rows(cursor, "split_parts.offers", worker=worker)]


def forget(cursor: Cursor, registry: Registry, task: str, action: int) -> None:
    """The load is over."""
    registry.run(cursor, "split_parts.forget", task=task, action=action)
