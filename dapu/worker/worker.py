"""The Worker: takes jobs from the agenda and runs them, until its time is over or none is left."""

from __future__ import annotations

import math
import os
import select
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dapu.agents.installed import known_agents
from dapu.errors import DatabaseUnreachable
from dapu.registry import agenda, split_parts, workers
from dapu.registry.agenda import Claim, Job
from dapu.registry.events import EventLog, Level
from dapu.registry.store import Registry
from dapu.registry.version import check_registry, registry_of
from dapu.warehouse.postgres_session import Session
from dapu.warehouse.warehouse import Warehouse
from dapu.worker.job import JobRunner, Outcome
from dapu.worker.job_watch import Watch
from dapu.worker.part_help import PartHelp

_POLL = 0.5  # seconds between looks for a job that may start now
_LISTEN = 0.1  # seconds between looks whether it is to stop, while it listens to other workers
_LOOK_FOR_DEAD = 3.0  # seconds between looks for dead workers
_RECONNECT = 2.0  # seconds between tries to reach a database that is away
GRACE = 20.0  # seconds that the job in hand has to end after SIGTERM


class Reporter(Protocol):
    """Shows a worker's doings to a person."""

    def started(self, job: Job) -> None:
        """A job begins."""

    def progress(self, job: Job, rows: int) -> None:
        """A running job has brought so many rows until now."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """A job is over."""

    def note(self, level: Level, task: str, message: str) -> None:
        """Something happened. `task` may be empty."""


@dataclass
class JobCounts:
    """How many jobs came out how.

    failing: tasks whose last job went wrong, with how it ended: failed, lost, waiting for its next
    try, or done but for what runs after its commit.
    faults: what else went wrong.
    """

    endings: Counter[str] = field(default_factory=Counter)
    failing: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def add(self, job: Job, outcome: Outcome) -> None:
        """Counts a job."""
        self.endings[outcome.status] += 1
        self.failing.pop(job.task, None)  # a later try may fix it
        if outcome.status in ("failed", "waiting", "lost") or outcome.fault is not None:
            self.failing[job.task] = outcome.status

    @property
    def jobs(self) -> int:
        """All jobs that were run."""
        return self.endings.total()


@dataclass(frozen=True)
class _Lost:
    """A job whose session broke. worker: the number under which it was claimed."""

    job: Job
    worker: int
    why: str


class Worker:
    """One worker process.

    stays: it waits for jobs until its minutes are over, also when nothing is left.
    """

    def __init__(
        self, warehouse: Warehouse, reporter: Reporter, minutes: float, *, stays: bool = False
    ) -> None:
        self._warehouse, self._reporter, self._stays = warehouse, reporter, stays
        self._until = time.monotonic() + minutes * 60
        self._stopping = threading.Event()
        self._watch: Watch | None = None
        self._counts = JobCounts()
        self._lost: _Lost | None = None
        self._former: workers.Former | None = None
        self._begun: set[int] = set()
        self._waits_for: tuple[str | None, datetime | None] = (None, None)

    def run(self, only: Iterable[int] | None = None) -> JobCounts:
        """Takes jobs until the minutes are over, none is left, or it is to stop.

        only: the jobs to run, instead of the most urgent ones, in this order; those that follow
        one that is not done stay where they are.
        When the warehouse's database goes away, it waits for it and goes on.
        Raises DapuError when there is no database at the start, or no registry.
        """
        connected, away = False, False
        while not self._over():
            try:
                with _Connection(self._warehouse, self._reporter) as connection:
                    if away:
                        self._reporter.note("info", "", "the warehouse's database is back")
                    connected, away = True, False
                    self._watch = connection.watch
                    connection.end_former(self._former)
                    self._former = connection.former
                    self._end_lost(connection)
                    self._work(connection) if only is None else self._work_on(connection, only)
                    connection.leave(
                        "stopped" if self._stopping.is_set() else "done", self._counts.jobs
                    )
                    return self._counts
            except (
                psycopg2.OperationalError,
                psycopg2.InterfaceError,
                DatabaseUnreachable,
            ) as error:
                if not connected:
                    raise
                if not away:
                    self._note_outage(error)
                away = True
                self._stopping.wait(_RECONNECT)
        if self._lost is not None:
            self._ended(self._lost.job, Outcome("waiting", 0, self._lost.why))
        return self._counts

    def stop(self, grace: float = GRACE) -> None:
        """Takes no further job; the one in hand has `grace` seconds before it is given back."""
        self._stopping.set()
        timer = threading.Timer(grace, self._give_back)
        timer.daemon = True
        timer.start()

    def _give_back(self) -> None:
        if self._watch is not None:
            self._watch.give_back("the worker was asked to stop")

    def _over(self) -> bool:
        return self._stopping.is_set() or time.monotonic() > self._until

    def _work_on(self, connection: _Connection, jobs: Iterable[int]) -> None:
        """The jobs in their order, once each; passes over those that cannot start."""
        for job in jobs:
            if self._over():
                break
            if job in self._begun:  # before the connection broke
                continue
            connection.free_jobs_of_the_dead()
            claim = connection.claim(job)
            if claim is not None:
                self._begun.add(job)
                self._run(connection, claim)

    def _work(self, connection: _Connection) -> None:
        looked, last_look = -math.inf, False
        while not self._over():
            if time.monotonic() - looked > _LOOK_FOR_DEAD:
                connection.free_jobs_of_the_dead()
                self._run_after_commits(connection)
                looked = time.monotonic()
            claim = connection.claim()
            if claim is not None:
                self._run(connection, claim)
            elif connection.help_others():
                last_look = False
                continue
            if claim is None and last_look:
                break
            # What ends between a claim and a look at what is running may leave a job to claim.
            last_look = claim is None and not self._wait(connection)

    def _run(self, connection: _Connection, claim: Claim) -> None:
        self._reporter.started(claim.job)
        try:
            outcome = connection.runner.run(claim)
        except psycopg2.Error as error:
            if type(error) is psycopg2.DatabaseError:  # so psycopg2 reports a loss during COPY
                error = psycopg2.OperationalError(str(error))
            if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
                broke = f"the connection to the warehouse's database broke: {_reason(error)}"
                why = connection.watch.reason or broke
                self._lost = _Lost(claim.job, connection.runner.worker, why)
            raise error
        self._ended(claim.job, outcome)

    def _run_after_commits(self, connection: _Connection) -> None:
        """What dead workers left that was to run after their jobs' commits."""
        while not self._over() and (claim := connection.claim_after_commit()) is not None:
            self._run(connection, claim)

    def _end_lost(self, connection: _Connection) -> None:
        """The job whose session broke fails as any other: with a wait, and not for ever."""
        if self._lost is not None:
            lost = self._lost
            outcome = connection.runner.end_lost(lost.job, lost.worker, lost.why)
            self._lost = None
            self._ended(lost.job, outcome)

    def _ended(self, job: Job, outcome: Outcome) -> None:
        self._counts.add(job, outcome)
        self._reporter.ended(job, outcome)

    def _wait(self, connection: _Connection) -> bool:
        """Waits until a job may be there; False when it has nothing to wait for."""
        running, task, at, seconds = connection.outlook()
        in_time = seconds is not None and time.monotonic() + seconds < self._until
        if not (running or in_time or self._stays):
            connection.wake_others()
            return False
        if not running and at is not None and self._waits_for != (task, at):
            self._waits_for = (task, at)
            self._reporter.note("info", task or "", f"waits for its next try at {at:%H:%M:%S}")
        longest = _POLL if running else _LOOK_FOR_DEAD
        longest = longest if seconds is None else min(seconds, longest)
        connection.wait(longest, self._stopping)
        return True

    def _note_outage(self, error: Exception) -> None:
        self._reporter.note(
            "warning", "", f"the warehouse's database is away ({_reason(error)}); waiting for it"
        )


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class _Connection:
    """A worker's connection to its database: two sessions, its number, the watch over its jobs."""

    def __init__(self, warehouse: Warehouse, reporter: Reporter) -> None:
        self._registry: Registry = registry_of(warehouse)
        self._reporter = reporter
        self._aside: Session = warehouse.connect("worker")
        self._aside.autocommit = True
        with self._aside.cursor() as cursor:
            check_registry(cursor, self._registry)
            self._registry.run(cursor, "worker.settings_for_claims")
            self._worker = workers.enrol(cursor, self._registry)
        self._session = warehouse.connect(f"worker {self._worker}", for_jobs=True)
        self._backend = self._session.backend
        self.former = workers.Former(self._worker, self._backend)
        self._listens = False
        agents = known_agents(warehouse.settings)
        self.watch = Watch(
            self._registry,
            self._aside,
            self._worker,
            lambda: warehouse.connect("watch"),
            reporter.progress,
        )
        self.runner = JobRunner(
            warehouse,
            self._registry,
            agents,
            agents.reader(warehouse.settings),
            self._worker,
            self._session,
            EventLog(self._registry, self._aside),
            self.watch,
        )
        self._help = PartHelp(self.runner)

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.watch.close()
        self._session.close()
        self._aside.close()

    @contextmanager
    def _cursor(self) -> Iterator[Cursor]:
        """For what the worker asks between jobs."""
        with self.watch.awaits(self._aside), self._aside.cursor() as cursor:
            yield cursor

    def claim(self, only: int | None = None) -> Claim | None:
        with self._cursor() as cursor:
            if only is not None:
                return agenda.claim_job(cursor, self._registry, self._worker, self._backend, only)
            return agenda.claim(cursor, self._registry, self._worker, self._backend)

    def help_others(self) -> bool:
        """Reads a part of another worker's load, if there is one."""
        with self._cursor() as cursor:
            offers = split_parts.offers(cursor, self._registry, self._worker)
        read = self._help.read_one(offers) if offers else None
        if read is not None:
            self._reporter.note("info", *read)
        return read is not None

    def claim_after_commit(self) -> Claim | None:
        with self._cursor() as cursor:
            return agenda.claim_after_commit(cursor, self._registry, self._worker)

    def end_former(self, former: workers.Former | None) -> None:
        # After a crash the number may be given again; then nothing of before is there.
        if former is not None and former.worker != self._worker:
            with self._cursor() as cursor:
                workers.end_former(cursor, self._registry, former)

    def free_jobs_of_the_dead(self) -> None:
        with self._cursor() as cursor:
            try:
                freed = workers.free_jobs_of_the_dead(cursor, self._registry)
            except psycopg2.errors.UniqueViolation:
                return  # one of their tasks was queued this very moment; the next look sees it
        for _, task, status in freed:
            self._reporter.note("warning", task, f"its worker died; the job is {status}")

    def outlook(self) -> agenda.Outlook:
        with self._cursor() as cursor:
            return agenda.outlook(cursor, self._registry)

    def wait(self, seconds: float, stopping: threading.Event) -> None:
        """Waits so long, or until another worker found nothing left, or this one is to stop."""
        if not self._listens:
            with self._cursor() as cursor:
                workers.listen(cursor, self._registry)
            self._listens = True
        until = time.monotonic() + seconds
        while not stopping.is_set() and (left := until - time.monotonic()) > 0:
            if select.select([self._aside], [], [], min(left, _LISTEN))[0]:
                self._aside.poll()
                break

    def wake_others(self) -> None:
        with self._cursor() as cursor:
            workers.wake_others(cursor, self._registry)

    def leave(self, ending: Literal["done", "stopped"], jobs: int) -> None:
        with self._cursor() as cursor:
            workers.leave(cursor, self._registry, self._worker, ending, jobs)


def stop_on_signals(worker: Worker, *signals: int) -> None:
    """SIGTERM lets the job in hand end; a second one, or Ctrl-C, gives it back at once.

    The main thread may be inside a query, where Python runs no signal handler; so the signal is
    read from a pipe by a thread.
    signals: those to listen to; default both.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in signals or (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def listen() -> None:
        grace = GRACE
        while number := os.read(reader, 1):
            worker.stop(0 if number[0] == signal.SIGINT else grace)
            grace = 0

    threading.Thread(target=listen, name="dapu-signals", daemon=True).start()
