"""`Now`: what runs, what waits and why, what is next, what ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from dapu.pages.all_tasks import BAD, AllTasks
from dapu.pages.frame import Reading
from dapu.registry import control
from dapu.registry.activity import EndedJob, RunningJob, WaitingJob, activity
from dapu.registry.overview import Overview
from dapu.registry.why import reasons

_NEXT = 10  # tasks
_TROUBLE = 8
_BY_CLOCK = (None, "cron", "pause", "day_part")


class WaitingLine(NamedTuple):
    """A job that waits, with why. at: when that may end by itself."""

    job: WaitingJob
    why: str
    at: datetime | None


class Running(NamedTuple):
    """A job that runs. rate: rows a second; None while it loads none."""

    job: RunningJob
    rate: float | None
    usual: float | None


class TaskAt(NamedTuple):
    """A task and a word or time for it."""

    task: Overview
    condition: str
    at: datetime | None


class AliveWorker(NamedTuple):
    """A worker that has not ended."""

    worker: int
    host: str
    started_at: datetime
    jobs: int


@dataclass(frozen=True)
class NowPage:
    """What it shows. paused_by: who paused the warehouse; None when nobody did."""

    paused_by: str | None
    paused_routes: list[tuple[str, str]]
    running: list[Running]
    waiting: list[WaitingLine]
    waiting_count: int
    oldest: datetime | None
    next: list[TaskAt]
    ended: list[EndedJob]
    workers: list[AliveWorker]
    trouble: list[TaskAt]
    bad: int
    total: int
    conditions: dict[str, str]

    @property
    def idle_actions(self) -> frozenset[str]:
        """The actions that would change nothing now."""
        return frozenset({"resume" if self.paused_by is None else "pause"})


def now_page(reading: Reading, known: AllTasks) -> NowPage:
    """Reads it."""
    cursor, registry = reading.cursor, reading.registry
    settings, now = reading.warehouse.settings, reading.frame.at
    pause = control.paused(cursor, registry)
    found = activity(cursor, registry)
    waiting, oldest = registry.row(cursor, "page.waiting") or (0, None)
    why = reasons(cursor, registry, settings, [job.task for job in found.next], now)
    bad = [one for one in known.tasks if known.conditions[one.task] in BAD]
    return NowPage(
        str(pause.get("by")) if pause else None,
        [(route, by) for route, by in control.routes(cursor, registry).items() if by],
        [_running(job, known) for job in found.running],
        [
            WaitingLine(job, why[job.task].sentence, why[job.task].at)
            if job.task in why
            else WaitingLine(job, "it is a request, and waits for a worker", None)
            for job in found.next
        ],
        waiting,
        oldest,
        _next(known, reading),
        found.ended,
        [AliveWorker(*row) for row in registry.rows(cursor, "page.workers")],
        [TaskAt(one, known.conditions[one.task], one.last_ended_at) for one in bad[:_TROUBLE]],
        len(bad),
        len(known.tasks),
        known.conditions,
    )


def _running(job: RunningJob, known: AllTasks) -> Running:
    seconds = job.took.total_seconds()
    task = known.by_name.get(job.task)
    done = [run["seconds"] for run in task.runs() if run["status"] == "done"] if task else []
    usual = sorted(done)[len(done) // 2] if done else None
    return Running(job, job.rows / seconds if job.rows and seconds > 0 else None, usual)


def _next(known: AllTasks, reading: Reading) -> list[TaskAt]:
    """The tasks whose time comes next by the clock."""
    settings = reading.warehouse.settings
    timed = [one for one in known.tasks if one.now is None and one.reason in _BY_CLOCK]
    timed.sort(key=lambda one: (one.due_from, one.task))
    found = [
        TaskAt(one, known.conditions[one.task], one.next_run(settings, known.at))
        for one in timed[: 3 * _NEXT]
    ]
    return sorted(found, key=lambda one: one.at or known.at)[:_NEXT]
