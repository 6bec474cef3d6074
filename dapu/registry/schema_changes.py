"""How tables changed: by loads that found other columns, and by the steps in ver/."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.registry.storable import storable
from dapu.registry.store import Registry


class SchemaChange(NamedTuple):
    """What changed, in words; of a step, its file. job: None where a step did it."""

    at: datetime
    job: int | None
    change: str


def add(cursor: Cursor, registry: Registry, task: str, job: int, changes: Sequence[str]) -> None:
    """Notes how a job changed its table, in the job's transaction."""
    if changes:
        texts = [storable(change) for change in changes]
        registry.run(cursor, "schema_change.add", task=task, job=job, changes=texts)


def of_task(cursor: Cursor, registry: Registry, task: str, most: int) -> list[SchemaChange]:
    """What changed of a task's table, the newest first."""
    rows = registry.rows(cursor, "schema_change.of_task", task=task, most=most)
    return [SchemaChange(*row) for row in rows]


def prune(cursor: Cursor, registry: Registry, age: timedelta) -> int:
    """Deletes what is older, but for the fifty newest of a task; returns how many rows went."""
    return registry.run(cursor, "schema_change.prune", age=age)
