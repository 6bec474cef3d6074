"""Blocks of a source's rows, as they were read last."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.registry.ordered_values import from_text, to_text
from dapu.registry.store import Registry


class StoredBlock(NamedTuple):
    """low: the lowest key of the block; None for the first, which begins before all keys."""

    low: Any
    rows: int
    hash: str


def stored(cursor: Cursor, registry: Registry, task: str, action: int) -> list[StoredBlock]:
    """The blocks of a task's action in the order of the key; none before its first run."""
    rows = registry.rows(cursor, "blocks.stored", task=task, action=action)
    return [
        StoredBlock(None if low is None else from_text(kind, low), count, digest)
        for kind, low, count, digest in rows
    ]


def store(
    cursor: Cursor,
    registry: Registry,
    task: str,
    action: int,
    key: str,
    blocks: Iterable[tuple[Any, int, str]],
    job: int,
) -> None:
    """Keeps (low, rows, hash) of all blocks, in the caller's transaction.

    Raises JobError when the key's values have no order.
    """
    registry.run(cursor, "blocks.forget", task=task, action=action)
    rows = []
    for number, (low, count, digest) in enumerate(blocks):
        kind, text = ("none", None) if low is None else to_text(low, key)
        rows.append((task, action, number, kind, text, count, digest, job))
    registry.many(cursor, "blocks.put", rows)


def reset(cursor: Cursor, registry: Registry, task: str) -> None:
    """Forgets all blocks of a task: its next run reads everything."""
    registry.run(cursor, "blocks.reset", task=task)
