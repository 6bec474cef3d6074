"""What checks found in runs that were kept."""

from __future__ import annotations

from datetime import timedelta

from psycopg2.extensions import cursor as Cursor

from dapu.registry.store import Registry


def add(
    cursor: Cursor,
    registry: Registry,
    task: str,
    check: str,
    job: int,
    fault: str,
    count: int | None,
) -> None:
    """Notes what a check found, in the job's transaction.

    check: as it stands in task.yaml. fault: why it did not pass, if so. count: of the table's rows.
    """
    registry.run(
        cursor,
        "checked.add",
        task=task,
        check=check,
        job=job,
        fault=fault or None,
        count=count,
    )


def counts(cursor: Cursor, registry: Registry, task: str, check: str) -> list[int]:
    """How many rows the table held at the last ten runs, the newest first."""
    return [row[0] for row in registry.rows(cursor, "checked.counts", task=task, check=check)]


def prune(cursor: Cursor, registry: Registry, age: timedelta) -> int:
    """Deletes what is older, but for the ten newest of a check; returns how many rows went."""
    return registry.run(cursor, "checked.prune", age=age)
