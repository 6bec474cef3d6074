"""Everything that the registry knows of one task, for a person who asks."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.registry.store import Registry


class Relative(NamedTuple):
    """A task that it depends on, or that depends on it."""

    task: str
    last_status: str | None
    last_ended_at: datetime | None


class Mark(NamedTuple):
    """How far it has read a source. job: that moved it; None when a person did."""

    source: str
    column: str
    value: str
    job: int | None
    moved_at: datetime


class Step(NamedTuple):
    """A step of its ver/ that was applied."""

    name: str
    applied_at: datetime


class Registered(NamedTuple):
    """The task as it was registered last, and how its last run went.

    by: `user@host`. git_commit: None where its files are not in git.
    override: what an operator changed without a deploy, as meta.override has it; None for nothing.
    """

    definition: dict[str, Any]
    hash: str
    at: datetime
    by: str | None
    git_commit: str | None
    last_status: str | None
    last_started_at: datetime | None
    last_ended_at: datetime | None
    last_done_at: datetime | None
    override: dict[str, Any] | None


class TaskRecord(NamedTuple):
    """All of it."""

    registered: Registered
    masters: list[Relative]
    dependents: list[Relative]
    watermarks: list[Mark]
    steps: list[Step]


def record_of(cursor: Cursor, registry: Registry, task: str) -> TaskRecord | None:
    """What is known of a task; None when it is not registered."""
    row = registry.row(cursor, "task_record.registered", task=task)
    if row is None:
        return None
    relatives = registry.rows(cursor, "task_record.relatives", task=task)
    return TaskRecord(
        Registered(*row),
        masters=[Relative(*one) for below, *one in relatives if not below],
        dependents=[Relative(*one) for below, *one in relatives if below],
        watermarks=[
            Mark(*one) for one in registry.rows(cursor, "task_record.watermarks", task=task)
        ],
        steps=[Step(*one) for one in registry.rows(cursor, "task_record.steps", task=task)],
    )
