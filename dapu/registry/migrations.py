"""SQL steps that were applied, each once and unchanged since."""

from __future__ import annotations

from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.registry.store import Registry


class Applied(NamedTuple):
    """A step as it was applied."""

    number: int
    name: str
    checksum: str


def applied(cursor: Cursor, registry: Registry, scope: str) -> dict[int, Applied]:
    """The applied steps of a scope by number."""
    rows = registry.rows(cursor, "migration.applied", scope=scope)
    return {row[0]: Applied(*row) for row in rows}


def of_tasks(cursor: Cursor, registry: Registry) -> dict[str, dict[int, Applied]]:
    """The applied steps of all tasks: by task, then by number."""
    found: dict[str, dict[int, Applied]] = {}
    for task, *step in registry.rows(cursor, "migration.of_tasks"):
        found.setdefault(task, {})[step[0]] = Applied(*step)
    return found


def dropped(cursor: Cursor, registry: Registry) -> list[str]:
    """The tasks whose steps were applied, and whose tables were dropped by hand since."""
    return [row[0] for row in registry.rows(cursor, "migration.dropped")]


def record(cursor: Cursor, registry: Registry, scope: str, step: Applied) -> None:
    """Notes a step in the transaction that applies it."""
    registry.run(
        cursor,
        "migration.record",
        scope=scope,
        number=step.number,
        name=step.name,
        checksum=step.checksum,
    )


def forget(cursor: Cursor, registry: Registry, scope: str) -> None:
    """As if no step of the scope had been applied."""
    registry.run(cursor, "migration.forget", scope=scope)


def take_over(cursor: Cursor, registry: Registry, task: str, old: str) -> None:
    """The steps of a deleted task are those of another."""
    registry.run(cursor, "migration.take_over", task=task, old=old)
