"""How far each task has read its source, in the source's own terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import cursor as Cursor

from dapu.registry.store import Registry
from dapu.registry.values import from_text, to_text


@dataclass(frozen=True)
class Watermark:
    """The highest value of `column` that a task has read."""

    column: str
    value: Any


def restore(column: str, kind: str, text: str) -> Watermark:
    """A watermark as it is kept."""
    return Watermark(column, from_text(kind, text))


def move(
    cursor: Cursor, registry: Registry, task: str, action: int, mark: Watermark, job: int
) -> None:
    """Stores a watermark in the caller's transaction. Raises JobError for an unordered value."""
    kind, text = to_text(mark.value, mark.column)
    registry.run(
        cursor,
        "watermark.move",
        task=task,
        action=action,
        column=mark.column,
        kind=kind,
        value=text,
        job=job,
    )


def reset(cursor: Cursor, registry: Registry, task: str) -> None:
    """Forgets how far a task has read: its next run reads everything."""
    registry.run(cursor, "watermark.reset", task=task)
