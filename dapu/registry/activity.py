"""What runs now, what is next, and what ended last."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.registry.store import Registry

_MOST = 10  # that are next, or ended last


class RunningJob(NamedTuple):
    """A job that runs. rows: that it is loading just now has brought; None while it loads none."""

    task: str
    job: int
    took: timedelta
    rows: int | None
    worker: int
    host: str | None


class WaitingJob(NamedTuple):
    """A job that waits."""

    task: str
    job: int
    priority: int
    not_before: datetime


class EndedJob(NamedTuple):
    """A job that ended. took: None where it never started."""

    task: str
    job: int
    status: str
    ended_at: datetime
    took: timedelta | None
    rows: int | None
    message: str | None


class Activity(NamedTuple):
    """All of it. waiting, workers: how many there are."""

    running: list[RunningJob]
    next: list[WaitingJob]
    ended: list[EndedJob]
    waiting: int
    workers: int


def activity(cursor: Cursor, registry: Registry) -> Activity:
    """What goes on at this moment."""
    counts = registry.row(cursor, "activity.counts") or (0, 0)
    return Activity(
        running=[RunningJob(*row) for row in registry.rows(cursor, "activity.running")],
        next=[WaitingJob(*row) for row in registry.rows(cursor, "activity.next", most=_MOST)],
        ended=[EndedJob(*row) for row in registry.rows(cursor, "activity.ended", most=_MOST)],
        waiting=counts[0],
        workers=counts[1],
    )
