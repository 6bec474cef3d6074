"""How far each task has read its source, in the source's own terms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.registry.store import Registry


@dataclass(frozen=True)
class Watermark:
    """The highest value of `column` that a task has read."""

    column: str
    value: Any


def restore(column: str, kind: str, text: str) -> Watermark:
    """A watermark as it is kept."""
    return Watermark(column, _from_text(kind, text))


def move(
    cursor: Cursor, registry: Registry, task: str, action: int, mark: Watermark, job: int
) -> None:
    """Stores a watermark in the caller's transaction. Raises JobError for an unordered value."""
    kind, text = _to_text(mark)
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


def _to_text(mark: Watermark) -> tuple[str, str]:
    value = mark.value
    match value:
        case bool():
            pass
        case int():
            return "integer", str(value)
        case Decimal():
            return "decimal", str(value)
        case float():
            return "float", repr(value)
        case str():
            return "text", value
        case datetime():
            return ("timestamptz" if value.tzinfo else "timestamp"), value.isoformat()
        case date():
            return "date", value.isoformat()
    raise JobError(
        f"watermark.column {mark.column} has values of type {type(value).__name__}; "
        "a watermark is a number, a text, a date or a timestamp"
    )


def _from_text(kind: str, text: str) -> Any:
    match kind:
        case "integer":
            return int(text)
        case "decimal":
            return Decimal(text)
        case "float":
            return float(text)
        case "date":
            return date.fromisoformat(text)
        case "timestamp" | "timestamptz":
            return datetime.fromisoformat(text)
    return text
