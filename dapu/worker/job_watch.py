"""Watches the job in hand from a thread of its own: its time, its ownership, its progress.

A job's own thread may be deep in a query, here or at a source. The watch looks once a second
whether the job has run out of time or was cancelled, and then stops whatever is running, on the
servers too, until the job gives up.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg2
from psycopg2.extensions import connection as PgSession

from dapu.durations import show_duration
from dapu.errors import JobInterrupted
from dapu.named_sql import statement
from dapu.registry import agenda
from dapu.registry.agenda import Job
from dapu.registry.store import Registry

_INTERVAL = 1.0  # seconds


class Watch:
    """Watches one job at a time.

    session: in autocommit; shared with whoever writes events.
    progress: called with how many rows the job's running COPY has taken.
    """

    def __init__(
        self,
        registry: Registry,
        session: PgSession,
        worker: int,
        progress: Callable[[Job, int], None],
    ) -> None:
        self._registry, self._session, self._worker = registry, session, worker
        self._progress = progress
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._job: Job | None = None
        self._backend = 0
        self._deadline = 0.0
        self._stops: list[Callable[[], None]] = []
        self._reason: str | None = None
        self._leaving: str | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="dapu-watch", daemon=True)
        self._thread.start()

    def begin(self, job: Job, backend: int, stop: Callable[[], None]) -> None:
        """Watches a job from now on. stop: cancels what runs in the job's own session."""
        with self._lock:
            self._job, self._backend, self._stops = job, backend, [stop]
            self._deadline = time.monotonic() + (job.timeout.total_seconds() or math.inf)
            self._reason = self._leaving

    def end(self) -> None:
        """The job is over. No stop is called after this returns."""
        with self._lock:
            self._job = None
            self._stops = []

    def close(self) -> None:
        """Ends the thread."""
        self._closed = True
        self._wake.set()
        self._thread.join()

    def on_stop(self, stop: Callable[[], None]) -> Callable[[], None]:
        """Calls `stop` too when the job is to end at once; returns what takes it back.

        Raises JobInterrupted when that is so already.
        """
        self.check()
        with self._lock:
            self._stops.append(stop)

        def take_back() -> None:
            with self._lock, suppress(ValueError):
                self._stops.remove(stop)

        return take_back

    def give_back(self, reason: str) -> None:
        """The worker must end: the job in hand, or one to come, stops and goes back."""
        with self._lock:
            self._leaving = reason
            job = self._job
        if job is not None:
            self._interrupt(job, reason)

    @property
    def given_back(self) -> bool:
        """Whether the job is to go back to the queue."""
        return self._leaving is not None and self._reason == self._leaving

    def check(self) -> None:
        """Raises JobInterrupted when the job is to end."""
        if self._reason is not None:
            raise JobInterrupted(self._reason)

    @property
    def reason(self) -> str | None:
        """Why the job is to end, or None."""
        return self._reason

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(_INTERVAL)
            job = self._job
            if job is not None:
                with suppress(OSError):
                    self._look(job)

    def _look(self, job: Job) -> None:
        try:
            reason = self._reason or self._timed_out(job) or self._taken_away(job)
        except psycopg2.Error:
            reason = "the warehouse's database went away" if self._session.closed else None
        if reason is not None:
            self._interrupt(job, reason)
        else:
            self._report_progress(job)

    def _report_progress(self, job: Job) -> None:
        with suppress(psycopg2.Error), self._session.cursor() as cursor:
            cursor.execute(statement("server.copied_rows"), {"backend": self._backend})
            row = cursor.fetchone()
            if row is not None:
                self._progress(job, row[0])

    def _timed_out(self, job: Job) -> str | None:
        if time.monotonic() < self._deadline:
            return None
        return f"timed out: it ran longer than {show_duration(job.timeout)}"

    def _taken_away(self, job: Job) -> str | None:
        with self._session.cursor() as cursor:
            owned = agenda.is_owner(cursor, self._registry, job.number, self._worker)
        return None if owned else "it was cancelled"

    def _interrupt(self, job: Job, reason: str) -> None:
        with self._lock:
            if self._job is not job:  # it ended meanwhile, and this may be the next
                return
            self._reason = self._reason or reason
            for stop in self._stops:
                with suppress(Exception):  # a stop that fails is tried again in a second
                    stop()
