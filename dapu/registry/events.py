"""What happened, written where it can be seen while a job runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.named_sql import statement
from dapu.registry.storable import storable, storable_details
from dapu.registry.store import Registry
from dapu.warehouse.postgres_session import Session

Level = Literal["info", "warning", "error"]
_LEVELS: tuple[Level, ...] = ("info", "warning", "error")


class Event(NamedTuple):
    """One thing that happened."""

    at: datetime
    job: int | None
    level: Level
    action: int | None
    message: str
    data: dict[str, Any] | None


class LoggedEvent(NamedTuple):
    """An event among those of other tasks."""

    number: int
    at: datetime
    level: Level
    task: str | None
    job: int | None
    action: int | None
    message: str
    data: dict[str, Any] | None


class StorableEvent(NamedTuple):
    """What an action reports: a text for people, and details as JSON. Without secrets."""

    action: int | None
    message: str
    data: str | None


def storable_event(action: int | None, message: str, data: dict[str, Any] | None) -> StorableEvent:
    """An event without secrets, and without what cannot be stored."""
    details = storable_details(data) if data else None
    text = json.dumps(details, ensure_ascii=False, allow_nan=False) if details else None
    return StorableEvent(action, storable(message), text)


@dataclass(frozen=True)
class EventLog:
    """Writes events over a session in autocommit, apart from any job's transaction."""

    registry: Registry
    session: Session

    def write(
        self,
        level: Level,
        message: str,
        *,
        task: str,
        job: int | None = None,
        action: int | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        """Stores an event; secrets in it are replaced.

        Details that PostgreSQL does not take are left out: no event stops the work that it reports.
        """
        values = {"job": job, "task": task, "level": level}
        with self.session.cursor() as cursor:
            try:
                event = storable_event(action, message, data)
                self.registry.run(cursor, "event.add", **values, **event._asdict())
            except Exception as error:
                if self.session.closed or data is None:
                    raise
                event = storable_event(
                    action, message, {"details that cannot be stored": str(error)}
                )
                self.registry.run(cursor, "event.add", **values, **event._asdict())


def add_once(
    cursor: Cursor,
    registry: Registry,
    level: Level,
    message: str,
    *,
    task: str,
    data: dict[str, Any] | None = None,
) -> None:
    """Stores an event of a task, and of no job, in the open transaction, without secrets.

    Not where the last one said the same: what looks every minute reports a fault once.
    """
    event = storable_event(None, message, data)
    values = {"task": task, "level": level, "message": event.message, "data": event.data}
    registry.run(cursor, "event.add_once", **values)


def events_of_task(cursor: Cursor, registry: Registry, task: str, most: int) -> list[Event]:
    """The newest events of a task, newest first."""
    return [Event(*row) for row in registry.rows(cursor, "event.of_task", task=task, most=most)]


def log(
    cursor: Cursor,
    registry: Registry,
    tasks: Sequence[str] | None,
    job: int | None,
    level: Level,
    after: datetime | None,
    most: int | None,
    seen: Sequence[int] = (),
    *,
    before: int | None = None,
) -> list[LoggedEvent]:
    """Events, the newest last.

    tasks, job: those that they belong to; None for all. level: of this weight and above.
    seen: numbers of events to leave out. before: only those with a lower number.
    """
    rows = registry.rows(
        cursor,
        "event.log",
        tasks=None if tasks is None else list(tasks),
        job=job,
        levels=list(_LEVELS[_LEVELS.index(level) :]),
        after=after,
        most=most,
        seen=list(seen),
        before=before,
    )
    return [LoggedEvent(*row) for row in reversed(rows)]


def of_jobs(
    cursor: Cursor, registry: Registry, jobs: Sequence[int], seen: Sequence[int], most: int
) -> list[LoggedEvent]:
    """Events of jobs, the oldest first. seen: numbers of events to leave out."""
    values = {"jobs": list(jobs), "seen": list(seen), "most": most}
    return [LoggedEvent(*row) for row in registry.rows(cursor, "event.of_jobs", **values)]


def now(cursor: Cursor) -> datetime:
    """The time by the clock that events go by."""
    cursor.execute(statement("event.now"))
    row = cursor.fetchone()
    assert row is not None
    at: datetime = row[0]
    return at


def prune(cursor: Cursor, registry: Registry, age: timedelta) -> int:
    """Deletes events past their age; returns how many."""
    return registry.run(cursor, "event.prune", age=age)
