"""The registry of dapu 0.8, which may stand in the same database: it is read, never changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.registry.store import Registry

GUIDE = "docs/coming-from-0.8.md"


def is_there(cursor: Cursor, place: Registry) -> bool:
    """Whether a schema has the tables of dapu 0.8, with this prefix."""
    row = place.row(cursor, "dapu_0_8.is_there", schema=place.schema, prefix=place.prefix)
    return row == (True,)


class OldTask(NamedTuple):
    """A task in the registry of dapu 0.8."""

    task: str
    table_version: int
    synced_until: datetime | None
    last_started_at: datetime | None
    last_ended_at: datetime | None


def tasks(cursor: Cursor, place: Registry) -> list[OldTask]:
    """The tasks that were registered."""
    return [OldTask(*row) for row in place.rows(cursor, "dapu_0_8.tasks")]


def is_stopped(cursor: Cursor, place: Registry) -> bool:
    """Whether dapu 0.8 refuses to run, so that it does not load what another loads too."""
    return place.row(cursor, "dapu_0_8.is_stopped") == (True,)


def running(cursor: Cursor, place: Registry) -> list[str]:
    """The tasks of which a job is running."""
    return [row[0] for row in place.rows(cursor, "dapu_0_8.running")]


def applied_files(cursor: Cursor, place: Registry) -> set[str]:
    """The names of the files of the project's own `ver/` that were applied."""
    return {row[0] for row in place.rows(cursor, "dapu_0_8.applied_files")}


class OldOverride(NamedTuple):
    """What an operator changed of a task; None: as its definition says."""

    task: str
    pause: timedelta | None
    timeout: timedelta | None
    blacklisted: bool
    day_parts: list[str] | None


def overrides(cursor: Cursor, place: Registry) -> list[OldOverride]:
    """What operators changed. Raises psycopg2.Error for an interval that is none."""
    return [OldOverride(*row) for row in place.rows(cursor, "dapu_0_8.overrides")]


class OldRoute(NamedTuple):
    """A route. concurrency: None: no limit. disabled: words with anything between."""

    name: str
    concurrency: int | None
    disabled: str


def routes(cursor: Cursor, place: Registry) -> list[OldRoute]:
    """The routes, with what operators changed of them."""
    return [OldRoute(*row) for row in place.rows(cursor, "dapu_0_8.routes")]


def timezone(cursor: Cursor, place: Registry) -> str:
    """The server's zone for this role, by which dapu 0.8 told the parts of the day."""
    row = place.row(cursor, "dapu_0_8.timezone")
    return str(row[0]) if row else ""
