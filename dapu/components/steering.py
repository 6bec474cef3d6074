"""What operators do, by a command or on a page: each of it is an event that says who did it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from dapu.components.provenance import who
from dapu.errors import ConfigurationError
from dapu.registry import agenda, control
from dapu.registry.events import Level
from dapu.registry.storable import storable
from dapu.registry.store import Registry
from dapu.suggest import nearest

ACTIVE = ("waiting", "running")
STATUSES = ("waiting", "running", "done", "failed", "skipped", "lost", "cancelled")


@dataclass(frozen=True)
class Operator:
    """Who does something. way: by what it is known who it is, as `login`."""

    name: str
    way: str

    def __str__(self) -> str:
        return storable(f"{self.name} ({self.way})")

    def values(self, **data: Any) -> dict[str, Any]:
        """What each statement wants of it."""
        return {"by": str(self), "data": Json({"by": self.name, "way": self.way, **data})}


@dataclass(frozen=True)
class JobFilter:
    """Which jobs are meant. None: whatever they have there.

    since, until: of when they ended, or were queued. upto: the last that a person saw.
    """

    jobs: Sequence[int] | None = None
    tasks: Sequence[str] | None = None
    statuses: Sequence[str] = STATUSES
    since: datetime | None = None
    until: datetime | None = None
    upto: int | None = None

    def values(self) -> dict[str, Any]:
        """What statements with a filter want."""
        return {
            "jobs": None if self.jobs is None else list(self.jobs),
            "tasks": None if self.tasks is None else list(self.tasks),
            "statuses": list(self.statuses),
            "since": self.since,
            "until": self.until,
            "upto": self.upto,
        }


_ANY = JobFilter()


class JobCount(NamedTuple):
    """How many jobs a filter takes, and the newest."""

    jobs: int
    newest: int | None


class JobLine(NamedTuple):
    """One of them."""

    job: int
    task: str
    status: str
    message: str | None


class Cancelled(NamedTuple):
    """A job that was cancelled, and what it was before."""

    job: int
    task: str
    was: str


class Queued(NamedTuple):
    """A job that waits now."""

    job: int
    task: str


def at_the_shell() -> Operator:
    """Who runs this process."""
    return Operator(who(), "command")


def count(cursor: Cursor, registry: Registry, which: JobFilter) -> JobCount:
    """How many jobs a filter takes."""
    row = registry.row(cursor, "steering.count", **which.values())
    assert row is not None
    return JobCount(*row)


def first(cursor: Cursor, registry: Registry, which: JobFilter, most: int) -> list[JobLine]:
    """The newest of the jobs that a filter takes."""
    rows = registry.rows(cursor, "steering.first", **which.values(), most=most)
    return [JobLine(*row) for row in rows]


def cancel(cursor: Cursor, registry: Registry, which: JobFilter, by: Operator) -> list[Cancelled]:
    """Cancels those of some jobs that wait or run."""
    rows = registry.rows(cursor, "steering.cancel", **which.values(), **by.values())
    return [Cancelled(*row) for row in rows]


def cancel_job(
    cursor: Cursor, registry: Registry, job: int, by: Operator, rest: JobFilter = _ANY
) -> Cancelled:
    """Cancels a job. rest: what else it has to fit.

    Raises ConfigurationError where it neither waits nor runs, or does not fit.
    """
    done = cancel(cursor, registry, replace(rest, jobs=[job]), by)
    if done:
        return done[0]
    found = agenda.find(cursor, registry, job)
    if found is None:
        raise ConfigurationError(f"there is no job {job}")
    if found.status not in ACTIVE:
        raise ConfigurationError(f"job {job} is {found.status} already")
    raise _unfit(job, found)


def retry(cursor: Cursor, registry: Registry, which: JobFilter, by: Operator) -> list[Queued]:
    """Queues the tasks of some jobs again, but for those that are running."""
    rows = registry.rows(cursor, "steering.retry", **which.values(), **by.values())
    return [Queued(*row) for row in rows]


def retry_job(
    cursor: Cursor, registry: Registry, job: int, by: Operator, rest: JobFilter = _ANY
) -> Queued:
    """Queues the task of a job again. rest: what else the job has to fit.

    Raises ConfigurationError where that cannot be, or it does not fit.
    """
    found = agenda.find(cursor, registry, job)
    if found is None:
        raise ConfigurationError(f"there is no job {job}")
    if found.status == "running":
        raise ConfigurationError(f"job {job} ({found.task}) is running; cancel it first")
    which = replace(rest, jobs=[job])
    if not count(cursor, registry, which).jobs:
        raise _unfit(job, found)
    queued = retry(cursor, registry, which, by)
    if not queued:
        raise ConfigurationError(f"{found.task} of job {job} is no longer registered")
    return queued[0]


def run(
    cursor: Cursor, registry: Registry, tasks: Sequence[str], by: Operator, *, full: bool = False
) -> list[Queued]:
    """Queues tasks, each behind those of them that it depends on. full: they read everything."""
    rows = registry.rows(cursor, "steering.run", tasks=list(tasks), full=full, **by.values())
    queued = [Queued(*row) for row in rows]
    if len(queued) > 1:
        registry.run(cursor, "steering.follow", jobs=[one.job for one in queued])
    return queued


def note_queued(cursor: Cursor, registry: Registry, jobs: Sequence[int], by: Operator) -> None:
    """Notes who queued jobs, where something else did it than `run`."""
    registry.run(cursor, "steering.queued", jobs=list(jobs), **by.values())


def blacklist(
    cursor: Cursor,
    registry: Registry,
    tasks: Sequence[str],
    by: Operator,
    length: timedelta | None,
    note: str | None = None,
) -> list[str]:
    """Neither the Manager nor a master queues the tasks, for a length of time; None: for good."""
    values = {"tasks": list(tasks), "length": length, "note": note and storable(note)}
    return [
        task for (task,) in registry.rows(cursor, "steering.blacklist", **values, **by.values())
    ]


def unblacklist(
    cursor: Cursor, registry: Registry, tasks: Sequence[str], by: Operator
) -> list[str]:
    """Ends that; returns those that were blacklisted."""
    rows = registry.rows(cursor, "steering.unblacklist", tasks=list(tasks), **by.values())
    return [task for (task,) in rows]


def clear_watermarks(
    cursor: Cursor, registry: Registry, tasks: Sequence[str], by: Operator
) -> list[str]:
    """Tasks forget how far they have read: their next run reads everything."""
    rows = registry.rows(cursor, "steering.clear_watermarks", tasks=list(tasks), **by.values())
    return [task for (task,) in rows]


def have_read(cursor: Cursor, registry: Registry, tasks: Sequence[str]) -> set[str]:
    """Those of some tasks that know how far they have read their sources."""
    return {task for (task,) in registry.rows(cursor, "steering.have_read", tasks=list(tasks))}


def blacklisted(cursor: Cursor, registry: Registry, tasks: Sequence[str]) -> set[str]:
    """Those of some tasks that are blacklisted."""
    return {task for (task,) in registry.rows(cursor, "steering.blacklisted", tasks=list(tasks))}


def watermarks(cursor: Cursor, registry: Registry, tasks: Sequence[str]) -> dict[str, str]:
    """How far tasks have read their sources, in words; without those that have no watermark."""
    return dict(registry.rows(cursor, "steering.watermarks", tasks=list(tasks)))


def pause(cursor: Cursor, registry: Registry, route: str | None, by: Operator) -> None:
    """Nothing is queued or started from now on: of a route, or (None) at all.

    Raises ConfigurationError for a route that there is not.
    """
    if route is None:
        control.pause(cursor, registry, str(by))
    elif not control.pause_route(cursor, registry, route, str(by)):
        raise _no_route(cursor, registry, route)
    log(cursor, registry, f"{_named(route)} paused by {by}", by, route=route)


def resume(cursor: Cursor, registry: Registry, route: str | None, by: Operator) -> bool:
    """Ends a pause; False when there was none. Raises ConfigurationError as `pause` does."""
    if route is None:
        was_paused: bool | None = control.resume(cursor, registry)
    else:
        was_paused = control.resume_route(cursor, registry, route)
        if was_paused is None:
            raise _no_route(cursor, registry, route)
    if was_paused:
        log(cursor, registry, f"{_named(route)} resumed by {by}", by, route=route)
    return bool(was_paused)


def log(
    cursor: Cursor,
    registry: Registry,
    message: str,
    by: Operator,
    level: Level = "info",
    **data: Any,
) -> None:
    """Stores an event that belongs to no task."""
    values = by.values(**data)
    registry.run(
        cursor, "steering.log", level=level, message=storable(message), data=values["data"]
    )


def _unfit(job: int, found: agenda.FoundJob) -> ConfigurationError:
    what = f"job {job} ({found.task}) is {found.status}, and does not fit all that is asked for"
    return ConfigurationError(what)


def _named(route: str | None) -> str:
    return "the warehouse" if route is None else f"route {route}"


def _no_route(cursor: Cursor, registry: Registry, route: str) -> ConfigurationError:
    near = nearest(route, control.routes(cursor, registry))
    return ConfigurationError(f"there is no route `{route}` in the registry{near}")
