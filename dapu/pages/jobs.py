"""`Jobs` and `Events`: what ran, and what happened; an error in full."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from dapu.durations import moment
from dapu.errors import ConfigurationError
from dapu.pages.failure import Detail, Failure, details_of, failure_of, files_of
from dapu.pages.frame import Reading
from dapu.registry import events
from dapu.registry.events import LoggedEvent
from dapu.registry.selectors import is_one_task, select, selectable
from dapu.registry.task_record import record_of

PAGE = 50
STATUSES = ("waiting", "running", "done", "failed", "skipped", "lost", "cancelled")
LEVELS: tuple[events.Level, ...] = ("info", "warning", "error")


class ListedJob(NamedTuple):
    """A job in the list."""

    job: int
    task: str
    status: str
    cause: str
    tries: int
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    rows: int | None
    message: str | None

    @property
    def took(self) -> Any:
        """How long it ran; None where it never did, or still does."""
        return self.ended_at - self.started_at if self.ended_at and self.started_at else None


@dataclass(frozen=True)
class Filter:
    """What is asked for: tasks by name or selector, a status or level, and since when."""

    task: str = ""
    status: str = ""
    since: str = ""
    before: int | None = None


@dataclass(frozen=True)
class JobsPage:
    """The list. before: where the next page begins; fault: of what was asked for."""

    jobs: list[ListedJob]
    asked: Filter
    before: int | None
    fault: str
    statuses: tuple[str, ...] = STATUSES

    @property
    def idle_actions(self) -> frozenset[str]:
        """The actions that would change nothing now."""
        return frozenset() if self.jobs else frozenset({"retry", "cancel"})


@dataclass(frozen=True)
class EventsPage:
    """The same of events."""

    events: list[LoggedEvent]
    asked: Filter
    before: int | None
    fault: str
    statuses: tuple[str, ...] = LEVELS


class _Wanted(NamedTuple):
    tasks: list[str] | None
    since: datetime | None
    fault: str


def jobs_page(reading: Reading, asked: Filter) -> JobsPage:
    """Reads a page of the list."""
    wanted = _wanted(reading, asked)
    found = [] if wanted.fault else reading.registry.rows(
        reading.cursor, "page.jobs", tasks=wanted.tasks, since=wanted.since, before=asked.before,
        statuses=[asked.status] if asked.status in STATUSES else None, most=PAGE + 1,
    )  # fmt: skip
    jobs = [ListedJob(*row) for row in found]
    return JobsPage(
        jobs[:PAGE], asked, jobs[PAGE - 1].job if len(jobs) > PAGE else None, wanted.fault
    )


def events_page(reading: Reading, asked: Filter) -> EventsPage:
    """Reads a page of the list."""
    wanted = _wanted(reading, asked)
    level: events.Level = next((one for one in LEVELS if one == asked.status), "info")
    found = [] if wanted.fault else events.log(
        reading.cursor, reading.registry, wanted.tasks, None, level, wanted.since, PAGE + 1,
        before=asked.before,
    )[::-1]  # fmt: skip
    more = found[PAGE - 1].number if len(found) > PAGE else None
    return EventsPage(found[:PAGE], asked, more, wanted.fault)


def _wanted(reading: Reading, asked: Filter) -> _Wanted:
    try:
        since = moment(asked.since, reading.frame.zone) if asked.since else None
        names = asked.task.split()
        if is_one_task(names):  # whether it is still registered or not
            return _Wanted(names, since, "")
        known = selectable(reading.cursor, reading.registry) if names else []
        return _Wanted(select(names, known) if names else None, since, "")
    except (ConfigurationError, ValueError, OverflowError) as error:
        return _Wanted(None, None, str(error))


class JobFacts(NamedTuple):
    """A job in full."""

    job: int
    task: str
    status: str
    cause: str
    tries: int
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    rows: int | None
    message: str | None
    hash: str | None
    worker: int | None
    host: str | None
    priority: int
    full_load: bool
    not_before: datetime


class JobEvent(NamedTuple):
    """An event of the job, with its details."""

    event: LoggedEvent
    details: list[Detail]


@dataclass(frozen=True)
class JobPage:
    """The job. failure: of its last error in full; files: those of its task with SQL."""

    job: JobFacts
    events: list[JobEvent]
    failure: Failure | None
    is_same_definition: bool
    files: list[tuple[str, str]]

    @property
    def idle_actions(self) -> frozenset[str]:
        """The actions that would change nothing now."""
        return frozenset({"retry" if self.job.status in ("waiting", "running") else "cancel"})


def job_page(reading: Reading, number: int) -> JobPage | None:
    """Reads it; None when there is no such job."""
    cursor, registry = reading.cursor, reading.registry
    row = registry.row(cursor, "page.job", job=number)
    if row is None:
        return None
    job = JobFacts(*row)
    found = events.log(cursor, registry, None, number, "info", None, 200)
    record = record_of(cursor, registry, job.task)
    is_same = record is not None and record.registered.hash == job.hash
    last = next((one for one in reversed(found) if one.level == "error"), None)
    failure = None
    if last is not None and job.status != "done":
        failure = failure_of(reading, job.task, last.data, job.hash or "")
    has_ended_badly = job.status in ("failed", "lost", "waiting")
    return JobPage(
        job,
        [JobEvent(one, [] if one is last and failure else _details(one)) for one in found],
        failure,
        is_same,
        files_of(reading, job.task) if has_ended_badly and not (failure and failure.sql) else [],
    )


def _details(event: LoggedEvent) -> list[Detail]:
    return details_of(event.data or {})
