"""The queue: jobs from queued to ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from dapu.registry import watermarks
from dapu.registry.events import StorableEvent
from dapu.registry.store import Registry
from dapu.registry.watermarks import Watermark
from dapu.warehouse.postgres_session import session_of

Ending = Literal["done", "failed", "skipped", "lost", "cancelled"]
AfterCommit = Literal["changed", "unchanged"]


class Job(NamedTuple):
    """A job as a worker has it in hand.

    is_master: other tasks depend on its task. after_commit: it is done but for what runs after its
    commit, and says whether it changed the table.
    """

    number: int
    task: str
    tries: int
    priority: int
    full_load: bool
    cause: str
    timeout: timedelta
    backfill: dict[str, str | None] | None = None
    is_master: bool = False
    rebuild: bool = False
    after_commit: AfterCommit | None = None
    worker: int | None = None


@dataclass(frozen=True)
class Claim:
    """A job, and its task as it was registered when the job was claimed.

    connection: of the task's route.
    watermarks: how far the task has read each of its sources.
    source_state: what it remembers of their parts.
    """

    job: Job
    hash: str
    definition: dict[str, Any]
    connection: str
    watermarks: dict[str, Watermark]
    source_state: dict[str, dict[str, Any]]


class PastJob(NamedTuple):
    """A job as `status` shows it. hash: of the definition with which it started."""

    number: int
    status: str
    cause: str
    tries: int
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    rows: int | None
    message: str | None
    hash: str | None


class FoundJob(NamedTuple):
    """A job as an operator names it."""

    task: str
    status: str
    full_load: bool
    backfill: dict[str, str | None] | None
    rows: int | None
    message: str | None
    rebuild: bool


class JobState(NamedTuple):
    """A job as who waits for it sees it. may_start: its time has come, and it is not yet taken."""

    job: int
    task: str
    status: str
    rows: int | None
    message: str | None
    may_start: bool


class Outlook(NamedTuple):
    """What a worker without a job may wait for.

    running: whether jobs run. task, at, seconds: the next try of a job that waits for its time.
    """

    running: bool
    task: str | None = None
    at: datetime | None = None
    seconds: float | None = None


def take_turn(cursor: Cursor, registry: Registry) -> None:
    """Waits for who is at claiming a job; no other does until the caller's transaction ends."""
    registry.run(cursor, "agenda.take_turn", key=registry.lock_key("claim"))


def claim(cursor: Cursor, registry: Registry, worker: int, backend: int) -> Claim | None:
    """Takes the most urgent job that may run now; None when there is none.

    cursor: of a session in autocommit, for other workers wait until the claim is committed.
    backend: the server process of the session in which the job will run.
    """
    row = registry.prepared(
        cursor,
        "agenda.claim",
        after=["agenda.take_turn"],
        key=registry.lock_key("claim"),
        worker=worker,
        backend=backend,
    )
    return None if row is None else _claimed(row, worker)


def claim_job(
    cursor: Cursor, registry: Registry, worker: int, backend: int, job: int
) -> Claim | None:
    """Takes one job that an operator wants to run now; None when it cannot start.

    cursor, backend: see `claim`.
    """
    row = registry.prepared(
        cursor,
        "agenda.claim_job",
        after=["agenda.take_turn"],
        key=registry.lock_key("claim"),
        worker=worker,
        backend=backend,
        job=job,
    )
    return None if row is None else _claimed(row, worker)


def claim_after_commit(cursor: Cursor, registry: Registry, worker: int) -> Claim | None:
    """Takes over a job whose worker ended before what runs after its commit; None without one."""
    row = registry.row(cursor, "agenda.claim_after_commit", worker=worker)
    return None if row is None else _claimed(row, worker)


def _claimed(row: tuple[Any, ...], worker: int) -> Claim:
    *of_job, digest, definition, connection, marks, seen = row
    source_state: dict[str, dict[str, Any]] = {}
    for source, item, state in seen or ():
        source_state.setdefault(source, {})[item] = state
    return Claim(
        Job(*of_job)._replace(worker=worker),
        digest,
        definition,
        connection,
        watermarks={of: watermarks.restore(*parts) for of, parts in (marks or {}).items()},
        source_state=source_state,
    )


def hindrance(cursor: Cursor, registry: Registry, job: int) -> str:
    """Why `claim_job` does not take a job, in words for a person."""
    row = registry.row(cursor, "agenda.hindrance", job=job)
    if row is None:
        return "it is no longer in the agenda"
    status, state, fault, disabled, most, of_task, of_route = row
    if status != "waiting":
        return f"it is {status} already"
    if state is None:
        return "its task is no longer registered"
    if state != "ready":
        return f"its task is {state}" + (f": {fault}" if fault else "")
    if of_task:
        return f"the task is running already: {of_task[0]}"
    if disabled:
        return "its route.yaml has `disabled: [worker]`"
    if most is not None and len(of_route) >= most:
        return f"its route runs {most} at once, and these are running: {', '.join(of_route)}"
    return "another worker was faster"


def outlook(cursor: Cursor, registry: Registry) -> Outlook:
    """What may bring a new job to a worker that found none."""
    row = registry.row(cursor, "agenda.outlook")
    return Outlook(*row) if row else Outlook(False)


def finish(
    cursor: Cursor,
    registry: Registry,
    job: Job,
    worker: int,
    status: Ending,
    rows: int | None,
    message: str,
    last_event: StorableEvent | None = None,
    after_commit: AfterCommit | None = None,
) -> bool:
    """Ends a job and wakes its dependents; False when the worker no longer owns it.

    What the job set or left behind in its session is reset.
    last_event: logged in the same transaction. after_commit: something is to run after it.
    """
    turn = registry.lock_key("finish")
    row = registry.prepared(
        cursor,
        "agenda.finish",
        after=["agenda.take_turn"] if status == "done" and job.is_master else [],
        first=session_of(cursor).reset_with_next(),
        key=turn,
        job=job.number,
        worker=worker,
        status=status,
        rows=rows,
        message=message,
        action=last_event and last_event.action,
        event=last_event and last_event.message,
        data=last_event and last_event.data,
        after_commit=after_commit,
    )
    if status == "done" and row == (True,):
        registry.prepared(
            cursor, "agenda.wake", after=["agenda.take_turn"], key=turn, job=job.number
        )
    return row is not None


def give_back(cursor: Cursor, registry: Registry, job: Job, worker: int, message: str) -> bool:
    """Puts an unfinished job back without counting the try; False when it cannot be."""
    row = registry.row(cursor, "agenda.give_back", job=job.number, worker=worker, message=message)
    return row is not None


def try_again(
    cursor: Cursor, registry: Registry, job: Job, worker: int, message: str
) -> timedelta | None:
    """Puts a failed job back and returns the wait before its next try; None: no tries left."""
    row = registry.row(cursor, "agenda.try_again", job=job.number, worker=worker, message=message)
    return None if row is None else row[0]


def has_tries(cursor: Cursor, registry: Registry, job: int) -> bool:
    """Whether a job that fails now would have tries left."""
    return registry.row(cursor, "agenda.has_tries", job=job) == (True,)


def is_owner(cursor: Cursor, registry: Registry, job: int, worker: int) -> bool:
    """Whether a worker still has a job, or has done it."""
    row = registry.row(cursor, "agenda.owner", job=job, worker=worker)
    return bool(row and row[0])


def hold(cursor: Cursor, registry: Registry, job: int, worker: int) -> bool:
    """Whether a job is a worker's to go on with; if so, nobody takes it until the commit."""
    return registry.row(cursor, "agenda.hold", job=job, worker=worker) is not None


def queue_due(
    cursor: Cursor, registry: Registry, now: datetime, day_parts: Sequence[str]
) -> list[tuple[int, str]]:
    """Queues all tasks that are due in these day parts; returns (job, task) of each."""
    rows = registry.rows(cursor, "agenda.queue_due", now=now, day_parts=list(day_parts))
    return [(job, task) for job, task in rows]


def fail_exhausted(cursor: Cursor, registry: Registry) -> list[tuple[int, str]]:
    """Fails waiting jobs that used up their tries; returns (job, task) of each."""
    return [(job, task) for job, task in registry.rows(cursor, "agenda.exhausted")]


def cancel_followers(cursor: Cursor, registry: Registry) -> list[tuple[int, str]]:
    """Cancels jobs that were to follow one that did not end well; returns (job, task) of each."""
    return [(job, task) for job, task in registry.rows(cursor, "agenda.cancel_followers")]


def add(
    cursor: Cursor,
    registry: Registry,
    task: str,
    cause: Literal["run", "retry"],
    full: bool,
    backfill: dict[str, str | None] | None = None,
    after: Sequence[int] = (),
    *,
    rebuild: bool = False,
) -> int | None:
    """Queues one task at the highest priority; None when it is not registered.

    backfill: read `from` one value of the watermark's column `to` another, and leave the watermark.
    after: jobs that must be done before. rebuild: the table is made anew, with `full`.
    """
    values: dict[str, Any] = {"task": task, "cause": cause, "priority": 1, "after": list(after)}
    if backfill is None:
        row = registry.row(cursor, "agenda.add", full=full, rebuild=rebuild, **values)
    else:
        row = registry.row(cursor, "agenda.add_backfill", backfill=Json(backfill), **values)
    return None if row is None else int(row[0])


def withdraw(cursor: Cursor, registry: Registry, tasks: Sequence[str], message: str) -> list[str]:
    """Cancels the waiting jobs of tasks; returns those of which everything was to be read."""
    found = registry.rows(cursor, "agenda.withdraw", tasks=list(tasks), message=message)
    return [task for task, full_load in found if full_load]


def free(cursor: Cursor, registry: Registry) -> list[tuple[int, str, str]]:
    """Lets the jobs of dead workers wait again; returns (job, task, its status now) of each."""
    registry.run(cursor, "agenda.give_up_after_commit")
    rows = registry.rows(cursor, "agenda.free")
    return [(job, task, status) for job, task, status in rows]


def cancel(cursor: Cursor, registry: Registry, job: int) -> tuple[str, str] | None:
    """Cancels a waiting or running job; returns its task and what it was, None for neither."""
    row = registry.row(cursor, "agenda.cancel", job=job)
    return None if row is None else (row[0], row[1])


def find(cursor: Cursor, registry: Registry, job: int) -> FoundJob | None:
    """A job by its number."""
    row = registry.row(cursor, "agenda.job", job=job)
    return None if row is None else FoundJob(*row)


def does_already(
    cursor: Cursor, registry: Registry, task: str, since: datetime, *, full: bool, done: bool
) -> int | None:
    """The job that started after a time, and after its masters; None where it is to be queued.

    full: only one that reads everything. done: it may have ended well, too.
    """
    values = {"task": task, "since": since, "full": full, "done": done}
    row = registry.row(cursor, "agenda.does_already", **values)
    return None if row is None else int(row[0])


def states(cursor: Cursor, registry: Registry, jobs: Sequence[int]) -> list[JobState]:
    """How jobs are now; without those that were pruned."""
    return [JobState(*row) for row in registry.rows(cursor, "agenda.states", jobs=list(jobs))]


def running(cursor: Cursor, registry: Registry) -> list[tuple[int, str]]:
    """(job, task) of each job that is running now."""
    return [(row[0], row[1]) for row in registry.rows(cursor, "agenda.running")]


def history(cursor: Cursor, registry: Registry, task: str, most: int) -> list[PastJob]:
    """The newest jobs of a task, newest first."""
    rows = registry.rows(cursor, "agenda.history", task=task, most=most)
    return [PastJob(*row) for row in rows]


def counts(cursor: Cursor, registry: Registry) -> dict[str, int]:
    """Jobs by status: waiting and running now, and what ended in the last day."""
    return dict(registry.rows(cursor, "agenda.counts"))


def prune(cursor: Cursor, registry: Registry, age: timedelta) -> int:
    """Deletes ended jobs past their age; returns how many."""
    return registry.run(cursor, "agenda.prune", age=age)


def end_after_commit(cursor: Cursor, registry: Registry, job: Job, fault: str = "") -> None:
    """What runs after a job's commit has ended. fault: what its message is to say of it."""
    registry.run(cursor, "agenda.end_after_commit", job=job.number, fault=fault)
