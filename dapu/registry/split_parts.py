"""Parts of a split load that is under way, each written with its rows in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

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


def done(
    cursor: Cursor, registry: Registry, task: str, action: int, part: SplitPart, rows: int, job: int
) -> bool:
    """Notes a part as read, in the transaction of its rows.

    False when it was read already, or its plan gave way to another.
    """
    values = {"number": part.number, "plan": part.plan, "rows": rows, "job": job}
    found = registry.row(cursor, "split_parts.done", task=task, action=action, **values)
    return found is not None


def forget(cursor: Cursor, registry: Registry, task: str, action: int) -> None:
    """The load is over."""
    registry.run(cursor, "split_parts.forget", task=task, action=action)
