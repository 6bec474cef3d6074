"""Why a task does not run now, and when it will.

Two things hold a task back, one after the other: the Manager's rule for what it queues, which is
the function `readiness` of the registry, and then what a worker's `claim` asks of the job.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.registry.store import Registry
from dapu.warehouse.clock import day_parts_at
from dapu.warehouse.settings import Settings

_MINUTES_OF_A_DAY = 24 * 60
_NAMED = 10  # tasks in a sentence


class Why(NamedTuple):
    """Why a task does not run now.

    reason: a word for programs; `due` when the Manager will queue it, `ready` when a worker will
    start its job. sentence: for a person. at: the earliest time at which that may change by
    itself; None when it waits for something else than the clock.
    """

    task: str
    reason: str
    sentence: str
    at: datetime | None


class _Readiness(NamedTuple):
    reason: str | None
    due_from: datetime
    day_parts: list[str]
    fault: str | None
    cron: str | None
    note: str | None
    blacklisted_until: datetime | None
    paused_by: str | None
    never_ran: list[str]
    without_table: list[str]
    masters: list[str]
    failed: list[str]


class _Job(NamedTuple):
    number: int
    status: str
    started_at: datetime | None
    not_before: datetime
    is_early: bool
    tries: int
    is_exhausted: bool
    is_disabled: bool
    is_route_paused: bool
    concurrency: int | None
    on_route: list[str]
    leaders: list[int]
    masters: list[str]
    ahead: int
    workers: int


def why(
    cursor: Cursor, registry: Registry, settings: Settings, task: str, now: datetime
) -> Why | None:
    """Why a task does not run at a time; None when it is not registered."""
    return reasons(cursor, registry, settings, [task], now).get(task)


def reasons(
    cursor: Cursor, registry: Registry, settings: Settings, tasks: Sequence[str], now: datetime
) -> dict[str, Why]:
    """Why tasks do not run at a time, by task; without those that are not registered."""
    values = {"tasks": list(tasks), "now": now}
    parts = day_parts_at(settings, now)
    jobs = {task: _Job(*job) for task, *job in registry.rows(cursor, "agenda.holds", **values)}
    return {
        task: _why(task, _Readiness(*found), jobs.get(task), settings, now)
        for task, *found in registry.rows(cursor, "agenda.readiness", **values, day_parts=parts)
    }


def _why(task: str, found: _Readiness, job: _Job | None, settings: Settings, now: datetime) -> Why:
    if job is not None and found.reason != "faulty":
        return Why(task, *_of_job(job, found, settings))
    if found.reason in (None, "day_part", "cron", "pause"):
        return Why(task, *_of_clock(found, settings, now))
    ends = found.blacklisted_until if found.reason == "blacklisted" else None
    return Why(task, str(found.reason), _of_rule(found, settings), ends)


def _of_clock(found: _Readiness, settings: Settings, now: datetime) -> tuple[str, str, datetime]:
    at = next_in(found.day_parts, found.due_from, settings)
    if found.reason is None:
        return "due", "it is due: the Manager queues it in its next round", now
    because = {
        "day_part": f"it runs only in its part of the day ({', '.join(found.day_parts)})",
        "cron": f"its cron time (`{found.cron}`) has not come",
        "pause": "its pause (`run.pause`) is not over",
    }[found.reason]
    said = f"{because}: the Manager queues it from {_shown(at, settings)} on"
    return found.reason, said + (f"; override: {found.note}" if found.note else ""), at


def _of_rule(found: _Readiness, settings: Settings) -> str:
    until = found.blacklisted_until
    ends = _shown(until, settings) if until else "that row is changed"
    failed = f"; of them {_listed(found.failed)} failed last" if found.failed else ""
    note = f" ({found.note})" if found.note else ""
    has, its = ("has", "its") if len(found.never_ran) == 1 else ("have", "their")
    return {
        "paused": f"the warehouse is paused (by {found.paused_by}), until `dapu resume`",
        "faulty": f"its definition has a fault: {found.fault}",
        "upgrading": "steps of its `ver/` are being applied, by the Registrar",
        "route_paused": f"its route is paused (by {found.paused_by}), until `dapu resume --route`",
        "route_disabled": "its route.yaml has `disabled: [manager]`",
        "blacklisted": f"an override has `blacklisted`{note}, until {ends}",
        "on_masters": f"it runs when {_one_of(found.masters)} has run next{failed}",
        "master_never_ran": f"{_listed(found.never_ran)} {has} never run to {its} end{failed}",
        "no_master_table": f"the table of {_listed(found.without_table)} is not there",
    }[str(found.reason)]


def _of_job(job: _Job, found: _Readiness, settings: Settings) -> tuple[str, str, datetime | None]:
    if job.status == "running":
        assert job.started_at is not None
        return (
            "running",
            f"it runs since {_shown(job.started_at, settings)} (job {job.number})",
            None,
        )
    for reason, holds, said in _hindrances(job, found):
        if holds:
            return reason, f"job {job.number} waits: {said}", None
    if job.is_early:
        said = "its next try is at" if job.tries else "it may start from"
        at = _shown(job.not_before, settings)
        return "not_before", f"job {job.number} waits: {said} {at}", job.not_before
    if job.ahead:
        jobs = "1 job is" if job.ahead == 1 else f"{job.ahead:,} jobs are"
        idle = "" if job.workers else ", and no worker runs"
        return "ahead", f"job {job.number} waits: {jobs} before it{idle}", None
    workers = "a worker takes it next" if job.workers else "no worker runs; the next one takes it"
    return "ready", f"job {job.number} waits: {workers}", None


def _hindrances(job: _Job, found: _Readiness) -> list[tuple[str, bool, str]]:
    """What keeps a worker from a job, other than the clock and its turn."""
    most = job.concurrency
    return [
        ("paused", found.reason == "paused", f"the warehouse is paused (by {found.paused_by})"),
        ("exhausted", job.is_exhausted, "its tries are used up; the Manager fails it"),
        ("upgrading", found.reason == "upgrading", "steps of its `ver/` are being applied"),
        ("route_paused", job.is_route_paused, f"its route is paused (by {found.paused_by})"),
        ("route_disabled", job.is_disabled, "its route.yaml has `disabled: [worker]`"),
        ("after", bool(job.leaders), f"it follows job {', '.join(map(str, job.leaders))}"),
        ("masters", bool(job.masters), f"{_listed(job.masters)} is to run before"),
        (
            "route_full",
            most is not None and len(job.on_route) >= most,
            f"its route runs {most} at once, and {_listed(job.on_route)} runs",
        ),
    ]


def next_in(parts: Sequence[str], at: datetime, settings: Settings) -> datetime:
    """The first moment from a time on that lies in one of the parts of the day."""
    if not parts or set(parts) & set(day_parts_at(settings, at)):
        return at
    moment = at.replace(second=0, microsecond=0)
    for _ in range(_MINUTES_OF_A_DAY + 120):  # a day of 25 hours has each minute too
        moment += timedelta(minutes=1)
        if set(parts) & set(day_parts_at(settings, moment)):
            return moment
    return at


def _shown(at: datetime, settings: Settings) -> str:
    return f"{at.astimezone(settings.zone):%Y-%m-%d %H:%M:%S}"


def _one_of(tasks: list[str]) -> str:
    return _listed(tasks) if len(tasks) == 1 else f"one of {_listed(tasks)}"


def _listed(tasks: list[str]) -> str:
    more = len(tasks) - _NAMED
    return ", ".join(tasks[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
