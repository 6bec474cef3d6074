"""Parts of a source that a task has read, and how they were then."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from dapu.registry.store import Registry


def remember(
    cursor: Cursor,
    registry: Registry,
    task: str,
    source: str,
    parts: Mapping[str, Any],
    job: int,
) -> None:
    """Stores how parts are now, in the caller's transaction. source: what they are parts of."""
    rows = [(task, source, item, Json(state), job) for item, state in parts.items()]
    registry.many(cursor, "source_state.put", rows)


def forget_others(cursor: Cursor, registry: Registry, task: str, sources: Collection[str]) -> None:
    """Forgets the parts of what a task no longer reads. sources: what it reads."""
    registry.run(cursor, "source_state.forget_others", task=task, sources=list(sources))


def reset(cursor: Cursor, registry: Registry, task: str) -> None:
    """Forgets all parts: the task's next run reads everything."""
    registry.run(cursor, "source_state.reset", task=task)


def take_over(cursor: Cursor, registry: Registry, task: str, old: str) -> None:
    """What a deleted task has read is what another has."""
    registry.run(cursor, "source_state.take_over", task=task, old=old)
