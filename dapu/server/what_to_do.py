"""The actions: who may do each, to what, and what it does in words and in the registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Annotated, Literal, NamedTuple

from psycopg2.extensions import cursor as Cursor
from pydantic import BaseModel, ConfigDict, Field

from dapu.components import steering
from dapu.components.steering import STATUSES, JobFilter, Operator
from dapu.durations import moment
from dapu.errors import ConfigurationError
from dapu.registry.selectors import select, selectable
from dapu.registry.store import Registry
from dapu.server.parameters import BIGINT, Text
from dapu.warehouse.duration_field import Duration
from dapu.warehouse.login_settings import Role

Status = Literal["waiting", "running", "done", "failed", "skipped", "lost", "cancelled"]


Number = Annotated[int, Field(ge=0, le=BIGINT)]


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
    route: Text | None = Field(None, description="Of a pause; without it the whole warehouse")
    length: Duration | None = Field(None, description="Of a blacklist; without it for good")
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
        of_form = {"length", "note", "full", "next", "since", "until"}
        given = self.asked.model_dump(mode="json", exclude_defaults=True, exclude=of_form)
        times = {"since": self.jobs.since, "until": self.jobs.until}
        given |= {key: at.isoformat() for key, at in times.items() if at}
        return [
            (key, str(one))
            for key, value in given.items()
            for one in (value if isinstance(value, list) else [value])
        ]


class Preview(NamedTuple):
    """How many, some of them, and the newest job that a person saw."""

    number: int
    lines: list[tuple[str, str]]
    upto: int | None = None


@dataclass(frozen=True)
class Action:
    """Something to do. act: does it, and says to what it was done."""

    name: str
    title: str
    role: Role
    kind: Literal["job", "task", "place"]
    words: str
    act: Callable[[Cursor, Registry, Target, Operator], list[str]]
    asks: Sequence[str] = ()
    statuses: Sequence[str] = STATUSES
    is_danger: bool = False

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
            return Preview(len(target.tasks), [(task, marks.get(task, "")) for task in shown])
        found = steering.count(cursor, registry, target.jobs)
        first = steering.first(cursor, registry, target.jobs, most)
        lines = [(f"{one.job} {one.task}", f"{one.status}: {one.message or ''}") for one in first]
        return Preview(found.jobs, lines, found.newest)


def target_of(
    cursor: Cursor, registry: Registry, zone: tzinfo, action: Action, asked: Asked
) -> Target:
    """What is meant. Raises ConfigurationError where that is not said, or there is none."""
    tasks = list(asked.task)
    if action.kind == "place":
        return Target(JobFilter(), [], asked)
    if asked.select or (tasks and action.kind == "task"):
        tasks = select([*asked.task, *asked.select.split()], selectable(cursor, registry))
    if action.kind == "task" and not tasks:
        raise ConfigurationError("say which tasks: `task`, or `select`")
    if action.kind == "job" and not asked.model_dump(
        exclude_defaults=True, exclude={"upto", "next"}
    ):
        raise ConfigurationError("say which jobs: `job`, `task`, `select`, `status` or a time")
    statuses = [one for one in action.statuses if one in (asked.status or action.statuses)]
    jobs = JobFilter(
        asked.job or None,
        tasks or (None if not asked.select else []),
        statuses,
        _moment(asked.since, zone),
        _moment(asked.until, zone),
        asked.upto,
    )
    return Target(jobs, tasks, asked)


def _moment(text: str, zone: tzinfo) -> datetime | None:
    try:
        return moment(text, zone) if text else None
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def _run(cursor: Cursor, registry: Registry, target: Target, by: Operator) -> list[str]:
    queued = steering.run(cursor, registry, target.tasks, by, full=target.asked.full)
    return [f"{one.job} {one.task}" for one in queued]


def _retry(cursor: Cursor, registry: Registry, target: Target, by: Operator) -> list[str]:
    if target.jobs.jobs and len(target.jobs.jobs) == 1:
        one = steering.retry_job(cursor, registry, target.jobs.jobs[0], by)
        return [f"{one.job} {one.task}"]
    return [f"{one.job} {one.task}" for one in steering.retry(cursor, registry, target.jobs, by)]


def _cancel(cursor: Cursor, registry: Registry, target: Target, by: Operator) -> list[str]:
    if target.jobs.jobs and len(target.jobs.jobs) == 1:
        one = steering.cancel_job(cursor, registry, target.jobs.jobs[0], by)
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
            statuses=["waiting", "running"],
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
        ),
    )
}
