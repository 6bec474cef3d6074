"""Worker processes, and which of them are alive.

A worker holds a session-level advisory lock on its number. The lock falls with the session,
however the process ends, so that a dead worker is known at once and without heartbeats.
"""

from __future__ import annotations

import os
import platform
from datetime import timedelta
from typing import Literal, NamedTuple

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.named_sql import compose, statement
from dapu.registry import agenda
from dapu.registry.store import Registry
from dapu.version import __version__


def enrol(cursor: Cursor, registry: Registry) -> int:
    """Makes the session that of a new worker; returns its number."""
    table = registry.table("worker").as_string(cursor)
    row = registry.row(cursor, "worker.next_number", table=table)
    number = int(row[0]) if row else 0
    registry.run(cursor, "worker.take_number", registry=registry.worker_lock_class, worker=number)
    registry.run(
        cursor,
        "worker.add",
        worker=number,
        host=platform.node(),
        pid=os.getpid(),
        version=__version__,
    )
    return number


def alive_here(cursor: Cursor, registry: Registry) -> int:
    """How many workers of this machine, or container, are alive."""
    values = {"registry": registry.worker_lock_class, "host": platform.node()}
    row = registry.row(cursor, "worker.alive_on", **values)
    return int(row[0]) if row else 0


def leave(
    cursor: Cursor, registry: Registry, worker: int, ending: Literal["done", "stopped"], jobs: int
) -> None:
    """Ends a worker that knows that it ends."""
    registry.run(cursor, "worker.end", worker=worker, ending=ending, jobs=jobs)


def listen(cursor: Cursor, registry: Registry) -> None:
    """From now on the session notices when another worker found nothing left to wait for."""
    channel = sql.Identifier(_channel(registry))
    cursor.execute(compose("worker.listen", channel=channel))


def wake_others(cursor: Cursor, registry: Registry) -> None:
    """Lets the workers that wait look now: for another job, or parts of one to read."""
    registry.run(cursor, "worker.wake_others", channel=_channel(registry))


def _channel(registry: Registry) -> str:
    return f"dapu workers {registry.worker_lock_class}"


def is_served(cursor: Cursor, backend: int, seconds: float) -> bool:
    """Whether the server works on what a session asked of it; `cursor` is another's.

    It does not when the session has ended, or when it has waited there for so long itself: then
    what one side said no longer reaches the other.
    """
    cursor.execute(statement("worker.is_served"), {"backend": backend, "seconds": seconds})
    return cursor.fetchone() == (True,)


def free_jobs_of_the_dead(cursor: Cursor, registry: Registry) -> list[tuple[int, str, str]]:
    """Lets the jobs of dead workers wait again; returns (job, task, its status now) of each.

    Where only the session with a worker's lock broke, the session of its job still is there with
    the job's locks, and is ended.
    """
    registry.run(cursor, "worker.bury", registry=registry.worker_lock_class)
    registry.run(cursor, "worker.end_sessions")
    return agenda.free(cursor, registry)


class Former(NamedTuple):
    """The sessions that a worker had before it connected anew: its number, its jobs' process."""

    worker: int
    backend: int


def end_former(cursor: Cursor, registry: Registry, former: Former) -> None:
    """Ends them where the server has not noticed that they broke: they would keep their locks."""
    values = {"registry": registry.worker_lock_class, **former._asdict()}
    registry.run(cursor, "worker.end_former", **values)


def prune(cursor: Cursor, registry: Registry, age: timedelta) -> int:
    """Deletes ended workers past their age; returns how many."""
    return registry.run(cursor, "worker.prune", age=age)
