"""What happened, written where it can be seen while a job runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from psycopg2.extensions import connection as PgSession
from psycopg2.extensions import cursor as Cursor

from dapu.registry.storable import storable, storable_details
from dapu.registry.store import Registry

Level = Literal["info", "warning", "error"]


class Event(NamedTuple):
    """One thing that happened."""

    at: datetime
    job: int | None
    level: Level
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
    session: PgSession

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


def events_of_task(cursor: Cursor, registry: Registry, task: str, most: int) -> list[Event]:
    """The newest events of a task, newest first."""
    return [Event(*row) for row in registry.rows(cursor, "event.of_task", task=task, most=most)]


def prune(cursor: Cursor, registry: Registry, age: timedelta) -> int:
    """Deletes events past their age; returns how many."""
    return registry.run(cursor, "event.prune", age=age)
