"""`Jobs` and `Events`: what ran, and what happened; an error in full."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from dapu.durations import moment
from dapu.errors import ConfigurationError
from dapu.pages.frame import Reading
from dapu.pages.task import files_of
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


class Detail(NamedTuple):
    """Something that an event has beside its sentence: a text, or rows with these columns."""

    name: str
    text: str
    columns: list[str]
    rows: list[list[str]]


class JobEvent(NamedTuple):
    """An event of the job, with its details."""

    event: LoggedEvent
    details: list[Detail]


@dataclass(frozen=True)
class JobPage:
    """The job. action: of the definition, at which it failed; files: those of its task with SQL."""

    job: JobFacts
    events: list[JobEvent]
    action: str | None
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
    failed = next((one.action for one in reversed(found) if one.level == "error"), None)
    actions = record.registered.definition.get("actions", []) if record else []
    action = None
    if failed is not None and 0 < failed <= len(actions):
        action = json.dumps(actions[failed - 1], indent=2, ensure_ascii=False)
    return JobPage(
        job,
        [JobEvent(one, details_of(one.data or {})) for one in found],
        action,
        record is not None and record.registered.hash == job.hash,
        files_of(reading, job.task) if job.status in ("failed", "lost", "waiting") else [],
    )


def details_of(data: dict[str, Any]) -> list[Detail]:
    """The details of an event, each with its name."""
    return [_detail(name.replace("_", " "), value) for name, value in data.items()]


def _detail(name: str, value: Any) -> Detail:
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        columns = list(value[0])
        return Detail(
            name, "", columns, [[_text(row.get(key)) for key in columns] for row in value]
        )
    return Detail(name, _text(value), [], [])


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
