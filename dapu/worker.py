"""The Worker: takes jobs from the agenda and runs them, until its time is over or none is left."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

import psycopg2
from psycopg2.extensions import connection as PgSession

from dapu.agents.known import known_agents
from dapu.job import Outcome, Runner
from dapu.registry import agenda, workers
from dapu.registry.agenda import Job
from dapu.registry.events import EventLog, Level
from dapu.registry.store import Registry
from dapu.versioner import check_registry, registry_of
from dapu.warehouse import NoDatabase, Warehouse
from dapu.watch import Watch

_POLL = 0.5  # seconds between looks for a job that may start now
_LOOK_FOR_DEAD = 10.0  # seconds between looks for dead workers
_RECONNECT = 2.0  # seconds between tries to reach a database that is away
_GRACE = 20.0  # seconds that the job in hand has to end after SIGTERM
_SETTINGS = "set synchronous_commit to off"


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
class Tally:
    """How many jobs came out how."""

    endings: Counter[str] = field(default_factory=Counter)
    failing: list[str] = field(default_factory=list)

    def add(self, job: Job, outcome: Outcome) -> None:
        """Counts a job."""
        self.endings[outcome.status] += 1
        if outcome.status in ("failed", "waiting", "lost"):
            self.failing.append(job.task)

    @property
    def jobs(self) -> int:
        """All jobs that were run."""
        return self.endings.total()


class Worker:
    """One worker process."""

    def __init__(self, warehouse: Warehouse, reporter: Reporter, minutes: float) -> None:
        self._warehouse, self._reporter = warehouse, reporter
        self._until = time.monotonic() + minutes * 60
        self._stopping = threading.Event()
        self._watch: Watch | None = None
        self._tally = Tally()

    def run(self, only: int | None = None) -> Tally:
        """Takes jobs until the minutes are over, none is left, or it is told to stop.

        only: the one job to run, instead of the most urgent ones.
        When the warehouse's database goes away, it waits for it and goes on.
        Raises DapuError when there is no database at the start, or no registry.
        """
        connected = False
        while not self._over():
            try:
                with _Desk(self._warehouse, self._reporter) as desk:
                    connected = True
                    self._work(desk, only)
                    return self._tally
            except (psycopg2.OperationalError, psycopg2.InterfaceError, NoDatabase) as error:
                if not connected:
                    raise
                self._say_away(error)
                self._stopping.wait(_RECONNECT)
        return self._tally

    def stop(self, grace: float = _GRACE) -> None:
        """Takes no further job; the one in hand has `grace` seconds before it is given back."""
        again = self._stopping.is_set()
        self._stopping.set()
        watch = self._watch
        if watch is not None:
            text = "given back: the worker was told to stop"
            timer = threading.Timer(0 if again else grace, watch.give_back, [text])
            timer.daemon = True
            timer.start()

    def _over(self) -> bool:
        return self._stopping.is_set() or time.monotonic() > self._until

    def _work(self, desk: _Desk, only: int | None) -> None:
        looked = 0.0
        while not self._over():
            if time.monotonic() - looked > _LOOK_FOR_DEAD:
                desk.free_jobs_of_the_dead()
                looked = time.monotonic()
            job = desk.claim(only)
            if job is not None:
                self._run(desk, job)
            if only is not None:
                break
            if job is None and not self._wait(desk):
                break
        desk.leave("stopped" if self._stopping.is_set() else "done", self._tally.jobs)

    def _run(self, desk: _Desk, job: Job) -> None:
        self._reporter.started(job)
        self._watch = desk.watch
        try:
            outcome = desk.runner.run(job)
        except psycopg2.Error:
            self._reporter.ended(job, Outcome("waiting", 0, "its database went away"))
            raise
        finally:
            self._watch = None
        self._tally.add(job, outcome)
        self._reporter.ended(job, outcome)

    def _wait(self, desk: _Desk) -> bool:
        """Waits until a job may be there; False when there is nothing to wait for."""
        seconds = desk.seconds_to_next_start()
        if seconds is None or time.monotonic() + seconds > self._until:
            return desk.others_are_running() and not self._stopping.wait(_POLL)
        if seconds == 0 and not desk.others_are_running():
            return False  # what waits is held by something that no worker will move
        self._stopping.wait(min(max(seconds, _POLL), _LOOK_FOR_DEAD))
        return True

    def _say_away(self, error: Exception) -> None:
        reason = str(error).strip().splitlines()[0]
        self._reporter.note(
            "warning", "", f"the warehouse's database is away ({reason}); waiting for it"
        )


class _Desk:
    """What a worker works with while its database answers: two sessions, a number, a watch."""

    def __init__(self, warehouse: Warehouse, reporter: Reporter) -> None:
        self._registry: Registry = registry_of(warehouse)
        self._reporter = reporter
        self._aside: PgSession = warehouse.connect("worker")
        self._aside.autocommit = True
        with self._aside.cursor() as cursor:
            check_registry(cursor, self._registry)
            # What is lost with the server is a claim or an event, never a job's ending.
            cursor.execute(_SETTINGS)
            self._worker = workers.enrol(cursor, self._registry)
        self._session = warehouse.connect(f"worker {self._worker}")
        self._backend = self._session.get_backend_pid()
        agents = known_agents(warehouse.settings)
        self.watch = Watch(self._registry, self._aside, self._worker, reporter.progress)
        self.runner = Runner(
            warehouse,
            self._registry,
            agents,
            agents.reader(warehouse.settings),
            self._worker,
            self._session,
            EventLog(self._registry, self._aside),
            self.watch,
        )

    def __enter__(self) -> _Desk:
        return self

    def __exit__(self, *exception: object) -> None:
        self.watch.close()
        self._session.close()
        self._aside.close()

    def claim(self, only: int | None) -> Job | None:
        with self._aside.cursor() as cursor:
            return agenda.claim(cursor, self._registry, self._worker, self._backend, only)

    def free_jobs_of_the_dead(self) -> None:
        with self._aside.cursor() as cursor:
            freed = workers.free_jobs_of_the_dead(cursor, self._registry)
        for _, task, status in freed:
            self._reporter.note("warning", task, f"its worker died; the job is {status}")

    def seconds_to_next_start(self) -> float | None:
        with self._aside.cursor() as cursor:
            return agenda.seconds_to_next_start(cursor, self._registry)

    def others_are_running(self) -> bool:
        with self._aside.cursor() as cursor:
            return bool(agenda.running(cursor, self._registry))

    def leave(self, ending: str, jobs: int) -> None:
        with self._aside.cursor() as cursor:
            workers.leave(
                cursor,
                self._registry,
                self._worker,
                "stopped" if ending == "stopped" else "done",
                jobs,
            )


def stop_on_signals(worker: Worker) -> None:
    """SIGTERM lets the job in hand end; a second one, or Ctrl-C, gives it back at once.

    The main thread may be inside a query, where Python runs no signal handler; so the signal is
    read from a pipe by a thread.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def listen() -> None:
        while number := os.read(reader, 1):
            worker.stop(0 if number[0] == signal.SIGINT else _GRACE)

    threading.Thread(target=listen, name="dapu-signals", daemon=True).start()
