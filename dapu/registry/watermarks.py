"""How far each task has read its source, in the source's own terms."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import cursor as Cursor

from dapu.registry.ordered_values import from_text, to_text
from dapu.registry.store import Registry


@dataclass(frozen=True)
class Watermark:
    """The highest value of `column` that a task has read."""

    column: str
    value: Any


def restore(column: str, kind: str, text: str) -> Watermark:
    """A watermark as it is kept."""
    return Watermark(column, from_text(kind, text))


def move(
    cursor: Cursor, registry: Registry, task: str, source: str, mark: Watermark, job: int | None
) -> None:
    """Stores a watermark in the caller's transaction. Raises JobError for an unordered value.

    source: what it is the watermark of. job: that moves it; None when a person does.
    """
    kind, text = to_text(mark.value, mark.column)
    registry.run(
        cursor,
        "watermark.move",
        task=task,
        source=source,
        column=mark.column,
        kind=kind,
        value=text,
        job=job,
    )


def forget_others(cursor: Cursor, registry: Registry, task: str, sources: Collection[str]) -> None:
    """Forgets how far a task has read what it no longer reads.

    sources: what it reads.
    """
    registry.run(cursor, "watermark.forget_others", task=task, sources=list(sources))


def reset(cursor: Cursor, registry: Registry, task: str) -> None:
    """Forgets how far a task has read: its next run reads everything."""
    registry.run(cursor, "watermark.reset", task=task)


def take_over(cursor: Cursor, registry: Registry, task: str, old: str) -> None:
    """How far a deleted task has read is how far another has."""
    registry.run(cursor, "watermark.take_over", task=task, old=old)


def is_set(cursor: Cursor, registry: Registry, task: str) -> bool:
    """Whether a task has read its source before."""
    return registry.row(cursor, "watermark.is_set", task=task) == (True,)
