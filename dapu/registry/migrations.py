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
