"""The actions: who may do each, to what, and what it does in words and in the registry."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Annotated, Literal, NamedTuple

from psycopg2.extensions import cursor as Cursor
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dapu.components import steering
from dapu.components.steering import ACTIVE, STATUSES, JobFilter, Operator
from dapu.durations import moment
from dapu.errors import ConfigurationError
from dapu.registry.selectors import select, selectable
from dapu.registry.store import Registry
from dapu.server.parameters import BIGINT, Text
from dapu.text import counted
from dapu.warehouse.duration_field import Duration
from dapu.warehouse.login_settings import Role

Status = Literal["waiting", "running", "done", "failed", "skipped", "lost", "cancelled"]

Number = Annotated[int, Field(ge=0, le=BIGINT)]


def _some_time(length: timedelta) -> timedelta:
    if length <= timedelta(0):
        raise ValueError("is no time at all; write, for example, `4 hours`")
    return length


Length = Annotated[Duration, AfterValidator(_some_time)]


class Asked(BaseModel):
    """To what something is to be done, and how."""

    model_config = ConfigDict(extra="forbid")

    task: list[Text] = Field([], max_length=1000, description="Tasks by their ids")
    job: list[Number] = Field([], max_length=1000, description="Jobs by their numbers")
    select: Text = Field("", description="Tasks by selectors, with blanks between: `tag:nightly`")
    status: list[Status] = Field([], description="Jobs that are so")
    since: Text = Field(
        "",
        description="Jobs that ended, or were queued, from then on: a time, `yesterday`, `2 hours`",
    )
    until: Text = Field("", description="And before then")
    upto: Number | None = Field(None, description="Jobs up to this number, which a preview showed")
    most: Number | None = Field(
        None, description="Nothing is done where it is more jobs than these, which a preview showed"
    )
    shown: Text = Field(
        "",
        description="Nothing is done where it is other tasks than a preview showed, by its mark",
    )
    route: Text | None = Field(None, description="Of a pause; without it the whole warehouse")
    length: Length | None = Field(None, description="Of a blacklist; without it for good")
    note: Text | None = Field(None, description="Why, for the next operator")
    full: bool = Field(False, description="Read everything, whatever the watermark")
    next: Text = Field("", description="The page that comes after, for browsers")


@dataclass(frozen=True)
class Target:
    """What is meant: jobs, tasks, or a route (None: all)."""

    jobs: JobFilter
    tasks: Sequence[str]
    asked: Asked

    def fields(self) -> list[tuple[str, str]]:
        """What a form sends back of what was asked; its times as they are now."""
        of_form = {"length", "note", "full", "next", "since", "until", "upto", "most", "shown"}
        given = self.asked.model_dump(mode="json", exclude_defaults=True, exclude=of_form)
        times = {"since": self.jobs.since, "until": self.jobs.until}
        given |= {key: at.isoformat() for key, at in times.items() if at}
        return [
            (key, str(one))
            for key, value in given.items()
            for one in (value if isinstance(value, list) else [value])
        ]


class Preview(NamedTuple):
    """How many, some of them, and what a form sends so that no more is done than was seen."""

    number: int
    lines: list[tuple[str, str]]
    bounds: Sequence[tuple[str, str]] = ()


_TAKES = {
    "job": ("job", "task", "select", "status", "since", "until", "upto", "most"),
    "task": ("task", "select", "shown"),
    "place": ("route",),
}


@dataclass(frozen=True)
class Action:
    """Something to do.

    act: does it, and says to what it was done. of: to which of some tasks it does something at all.
    """

    name: str
    title: str
    role: Role
    kind: Literal["job", "task", "place"]
    words: str
    act: Callable[[Cursor, Registry, Target, Operator], list[str]]
    asks: Sequence[str] = ()
    statuses: Sequence[str] = STATUSES
    is_danger: bool = False
    of: Callable[[Cursor, Registry, Sequence[str]], set[str]] | None = None

    @property
    def takes(self) -> tuple[str, ...]:
        """Its parameters."""
        return (*_TAKES[self.kind], *self.asks)

    def sentence(self, target: Target) -> str:
        """What it will do, in words."""
        route = target.asked.route
        return self.words.format(place=f"route {route}" if route else "the whole warehouse")

    def preview(self, cursor: Cursor, registry: Registry, target: Target, most: int) -> Preview:
        """To what it would be done now."""
        if self.kind == "place":
            return Preview(1, [])
        if self.kind == "task":
            shown = target.tasks[:most]
            marks = steering.watermarks(cursor, registry, shown) if self.is_danger else {}
            lines = [(task, marks.get(task, "")) for task in shown]
            return Preview(len(target.tasks), lines, [("shown", _mark(target.tasks))])
        found = steering.count(cursor, registry, target.jobs)
        first = steering.first(cursor, registry, target.jobs, most)
        lines = [(f"{one.job} {one.task}", f"{one.status}: {one.message or ''}") for one in first]
        bounds = [("upto", str(found.newest or 0)), ("most", str(found.jobs))]
        return Preview(found.jobs, lines, bounds)


def target_of(
    cursor: Cursor, registry: Registry, zone: tzinfo, action: Action, asked: Asked
) -> Target:
    """What is meant, for the preview and the act alike.

    Raises ConfigurationError where that is not said, there is none, or it is not what was shown.
    """
    if action.kind == "place":
        return Target(JobFilter(), [], asked)
    if action.kind == "task":
        return Target(JobFilter(), _tasks(cursor, registry, action, asked), asked)
    jobs = _jobs(cursor, registry, zone, action, asked)
    if asked.most is not None:
        _check_number(steering.count(cursor, registry, jobs).jobs, asked.most)
    return Target(jobs, [], asked)


def _tasks(cursor: Cursor, registry: Registry, action: Action, asked: Asked) -> list[str]:
    selectors = [*asked.task, *asked.select.split()]
    tasks = select(selectors, selectable(cursor, registry)) if selectors else []
    if not tasks:
        raise ConfigurationError("say which tasks: `task`, or `select`")
    if action.of:
        some = action.of(cursor, registry, tasks)
        tasks = [task for task in tasks if task in some]
    if asked.shown and asked.shown != _mark(tasks):
        now = f"{counted(len(tasks), 'task')} now, and not those that were shown"
        raise ConfigurationError(f"it is {now}: nothing was done; look again")
    return tasks


def _mark(tasks: Sequence[str]) -> str:
    """By which it is seen that tasks are no longer the same; short, for they may be thousands."""
    return hashlib.sha256("\n".join(sorted(tasks)).encode()).hexdigest()[:16]


def _jobs(
    cursor: Cursor, registry: Registry, zone: tzinfo, action: Action, asked: Asked
) -> JobFilter:
    if not asked.model_dump(exclude_defaults=True, exclude={"upto", "most", "next"}):
        raise ConfigurationError("say which jobs: `job`, `task`, `select`, `status` or a time")
    tasks: list[str] | None = asked.task or None
    if asked.select:
        tasks = select([*asked.task, *asked.select.split()], selectable(cursor, registry))
    return JobFilter(
        asked.job or None,
        tasks,
        [one for one in action.statuses if one in (asked.status or action.statuses)],
        _moment(asked.since, zone),
        _moment(asked.until, zone),
        asked.upto,
    )


def _check_number(now: int, most: int) -> None:
    """Raises ConfigurationError: jobs can come to those that a person saw, as when one fails."""
    if now > most:
        raise ConfigurationError(
            f"it is {counted(now, 'job')} now, more than the {most:,} that were shown: "
            "nothing was done; look again"
        )


def _moment(text: str, zone: tzinfo) -> datetime | None:
    try:
        return moment(text, zone) if text else None
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(str(error)) from None


def _run(cursor: Cursor, registry: Registry, target: Target, by: Operator) -> list[str]:
    queued = steering.run(cursor, registry, target.tasks, by, full=target.asked.full)
    return [f"{one.job} {one.task}" for one in queued]


def _retry(cursor: Cursor, registry: Registry, target: Target, by: Operator) -> list[str]:
    if target.jobs.jobs and len(target.jobs.jobs) == 1:
        one = steering.retry_job(cursor, registry, target.jobs.jobs[0], by, target.jobs)
        return [f"{one.job} {one.task}"]
    return [f"{one.job} {one.task}" for one in steering.retry(cursor, registry, target.jobs, by)]


def _cancel(cursor: Cursor, registry: Registry, target: Target, by: Operator) -> list[str]:
    if target.jobs.jobs and len(target.jobs.jobs) == 1:
        one = steering.cancel_job(cursor, registry, target.jobs.jobs[0], by, target.jobs)
        return [f"{one.job} {one.task}"]
    return [f"{one.job} {one.task}" for one in steering.cancel(cursor, registry, target.jobs, by)]


def _pause(cursor: Cursor, registry: Registry, target: Target, by: Operator) -> list[str]:
    steering.pause(cursor, registry, target.asked.route, by)
    return [target.asked.route or "the warehouse"]


def _resume(cursor: Cursor, registry: Registry, target: Target, by: Operator) -> list[str]:
    was_paused = steering.resume(cursor, registry, target.asked.route, by)
    return [target.asked.route or "the warehouse"] if was_paused else []


def _blacklist(cursor: Cursor, registry: Registry, target: Target, by: Operator) -> list[str]:
    length: timedelta | None = target.asked.length
    return steering.blacklist(cursor, registry, target.tasks, by, length, target.asked.note)


def _unblacklist(cursor: Cursor, registry: Registry, target: Target, by: Operator) -> list[str]:
    return steering.unblacklist(cursor, registry, target.tasks, by)


def _clear(cursor: Cursor, registry: Registry, target: Target, by: Operator) -> list[str]:
    return steering.clear_watermarks(cursor, registry, target.tasks, by)


ACTIONS = {
    action.name: action
    for action in (
        Action(
            "run",
            "Run now",
            "operator",
            "task",
            "They are queued at the highest priority, each behind those of them that it depends "
            "on, due or not. The next worker runs them.",
            _run,
            asks=("full",),
        ),
        Action(
            "retry",
            "Retry",
            "operator",
            "job",
            "The tasks of these jobs are queued again, each once, at the highest priority and with "
            "all their tries. The jobs themselves stay as they are, but that one which waits for "
            "its next try waits no longer.",
            _retry,
            statuses=[status for status in STATUSES if status != "running"],
        ),
        Action(
            "cancel",
            "Cancel",
            "operator",
            "job",
            "These jobs end: of those that run, nothing is kept. Their tasks are still due, so the "
            "Manager may queue them again: blacklist a task to keep it off.",
            _cancel,
            statuses=ACTIVE,
            is_danger=True,
        ),
        Action(
            "pause",
            "Pause",
            "operator",
            "place",
            "From now on nothing of {place} is queued or started. Running jobs go on to their end.",
            _pause,
        ),
        Action(
            "resume",
            "Resume",
            "operator",
            "place",
            "The pause of {place} ends: what is due is queued and started again.",
            _resume,
        ),
        Action(
            "blacklist",
            "Blacklist",
            "operator",
            "task",
            "Neither the Manager nor a master queues them, until the time is over. What waits or "
            "runs already goes on, and by hand they can still be run.",
            _blacklist,
            asks=("length", "note"),
        ),
        Action(
            "unblacklist",
            "End the blacklist",
            "operator",
            "task",
            "They are queued again when they are due.",
            _unblacklist,
            of=steering.blacklisted,
        ),
        Action(
            "clear-watermark",
            "Clear the watermark",
            "admin",
            "task",
            "They forget how far they have read their sources: the next run reads everything, "
            "which may take long. Where rows are appended, those that are in the table already "
            "come a second time; where they are merged, replaced or kept as history, none does. "
            "Nothing is deleted now.",
            _clear,
            is_danger=True,
            of=steering.have_read,
        ),
    )
}
