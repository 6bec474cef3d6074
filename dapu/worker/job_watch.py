"""Watches the job in hand from threads of its own: its time, its ownership, its progress.

A job's own thread may be deep in a query, here or at a source. Once a second the watch looks
whether the job has run out of time or was cancelled, and then stops whatever is running, on the
servers too, until the job gives up. Between jobs it looks whether the worker still gets answers.
A server that does not answer holds up none of that: whoever
asks one does it in a thread apart, and connections that do not end by themselves are cut.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import psycopg2
from psycopg2.extensions import connection as PgSession
from psycopg2.extensions import cursor as Cursor

from dapu.durations import show_duration
from dapu.errors import DapuError, JobInterrupted, JobTimedOut
from dapu.named_sql import statement
from dapu.registry import agenda, workers
from dapu.registry.agenda import Job
from dapu.registry.store import Registry
from dapu.warehouse.postgres_session import Session
from dapu.worker.cutting import cut, cut_all, notice_silence

_TIMED_OUT = "timed out"
_INTERVAL = 1.0  # seconds
_SILENT = 15.0  # seconds without an answer, until another connection asks about this one
_DEAD = 60.0  # seconds without an answer to that either, until the first is given up
_CUT_SOURCES = 15.0  # seconds after a job was to stop, until its connections are cut
_CUT_ALL = 30.0  # the same, for its session in the warehouse


class Watch:
    """Watches one job at a time.

    session: in autocommit; shared with whoever writes events.
    open_another: a new session on the same database, to ask about that one.
    progress: called with how many rows the job's running COPY has taken.
    """

    def __init__(
        self,
        registry: Registry,
        session: Session,
        worker: int,
        open_another: Callable[[], PgSession],
        progress: Callable[[Job, int], None],
    ) -> None:
        self._registry, self._session, self._worker = registry, session, worker
        self._open_another, self._progress = open_another, progress
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._job: Job | None = None
        self._has_ended = False
        self._is_wanted: Callable[[Cursor], bool] | None = None
        self._own: Session | None = None
        self._deadline = 0.0
        self._stops: list[_Stop] = []
        self._reason: str | None = None
        self._reason_since = 0.0
        self._leaving: str | None = None
        self._closed = False
        self._awaited: _Awaited | None = None
        self._looking, self._asking = _Errand("dapu-look"), _Errand("dapu-ask")
        self._thread = threading.Thread(target=self._run, name="dapu-watch", daemon=True)
        self._thread.start()

    def begin(
        self,
        job: Job,
        session: Session,
        *,
        has_ended: bool = False,
        is_wanted: Callable[[Cursor], bool] | None = None,
    ) -> None:
        """Watches a job from now on.

        session: its own, in which it runs. has_ended: it has been committed, and something runs
        after it, which nobody can take away. is_wanted: asked instead of whether the job is this
        worker's.
        """
        with self._lock:
            self._has_ended, self._is_wanted = has_ended, is_wanted
            self._job, self._own, self._stops = job, session, [_Stop(session.cancel)]
            self._deadline = time.monotonic() + (job.timeout.total_seconds() or math.inf)
            self._reason, self._reason_since = self._leaving, time.monotonic()

    def end(self) -> None:
        """The job is over. Its session is not stopped after this returns."""
        with self._lock:
            self._job = None
            stops, self._stops = self._stops, []
        if stops:
            stops[0].errand.wait()

    def close(self) -> None:
        """Ends the thread. The session is cut where it does not answer."""
        self._closed = True
        self._wake.set()
        self._thread.join()
        if self._looking.seconds:
            cut(self._session)

    @contextmanager
    def awaits(self, session: Session) -> Iterator[None]:
        """Meanwhile the worker, with no job in hand, waits for the server's answer in a session.

        The session is cut when the server waits for the worker as well.
        """
        self._awaited = _Awaited(session, time.monotonic())
        try:
            yield
        finally:
            self._awaited = None

    def on_stop(self, stop: Callable[[], None]) -> Callable[[], None]:
        """Calls `stop` too when the job is to end at once; returns what takes it back.

        Raises JobInterrupted when that is so already.
        """
        self.check()
        kept = _Stop(stop)
        with self._lock:
            self._stops.append(kept)

        def take_back() -> None:
            with self._lock, suppress(ValueError):
                self._stops.remove(kept)

        return take_back

    @contextmanager
    def stoppable(self, stop: Callable[[], None]) -> Iterator[None]:
        """While the block runs, `stop` is called when the job is to end at once."""
        take_back = self.on_stop(stop)
        try:
            yield
        finally:
            take_back()

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
            timed_out = self._reason.startswith(_TIMED_OUT)
            raise (JobTimedOut if timed_out else JobInterrupted)(self._reason)

    @property
    def reason(self) -> str | None:
        """Why the job is to end, or None."""
        return self._reason

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(_INTERVAL)
            self._look_at_awaited()
            job = self._job
            if job is None:
                continue
            notice_silence()
            reason = self._reason or self._timed_out(job)
            if reason is not None:
                self._interrupt(job, reason)
                self._cut_what_goes_on(job)
            elif not self._looking.seconds:
                self._looking.run(partial(self._look, job))
            elif self._looking.seconds > _SILENT:
                self._find_out(self._session, lambda: self._looking.seconds)

    def _look(self, job: Job) -> None:
        with suppress(OSError):
            try:
                reason = self._taken_away(job)
            except psycopg2.Error:
                reason = "the warehouse's database went away" if self._session.closed else None
            if reason is not None:
                self._interrupt(job, reason)
            else:
                self._report_progress(job)

    def _look_at_awaited(self) -> None:
        awaited = self._awaited
        if awaited is not None and awaited.seconds > _SILENT:
            self._find_out(
                awaited.session, lambda: awaited.seconds if self._awaited is awaited else 0.0
            )

    def _find_out(self, session: Session, waited: Callable[[], float]) -> None:
        """Asks elsewhere about a session that does not answer. waited: seconds, until now."""
        if self._asking.seconds > _DEAD:  # nor does the server answer others
            cut(session)
        self._asking.run(partial(self._ask_elsewhere, session, waited))

    def _ask_elsewhere(self, session: Session, waited: Callable[[], float]) -> None:
        """Cuts a session that the server no longer knows, or in which it waits for this side."""
        try:
            other = self._open_another()
            try:
                with other.cursor() as cursor:
                    is_served = workers.is_served(cursor, session.backend, _SILENT / 2)
            finally:
                other.close()
        except (psycopg2.Error, DapuError):
            is_served = waited() < _DEAD
        if not is_served and waited() > _SILENT:
            cut(session)

    def _report_progress(self, job: Job) -> None:
        own = self._own
        if own is None:
            return
        with suppress(psycopg2.Error), self._session.cursor() as cursor:
            cursor.execute(statement("server.copied_rows"), {"backend": own.backend})
            row = cursor.fetchone()
            if row is not None:
                self._progress(job, row[0])

    def _timed_out(self, job: Job) -> str | None:
        if time.monotonic() < self._deadline:
            return None
        return f"{_TIMED_OUT}: it ran longer than {show_duration(job.timeout)}"

    def _taken_away(self, job: Job) -> str | None:
        if self._has_ended:
            return None
        with self._session.cursor() as cursor:
            if self._is_wanted is not None:
                owned = self._is_wanted(cursor)
            else:
                owned = agenda.is_owner(cursor, self._registry, job.number, self._worker)
        return None if owned else "it was cancelled"

    def _interrupt(self, job: Job, reason: str) -> None:
        with self._lock:
            if self._job is not job:  # it ended meanwhile, and this may be the next
                return
            if self._reason is None:
                self._reason, self._reason_since = reason, time.monotonic()
            for stop in self._stops:  # one that fails is tried again in a second
                stop.run()

    def _cut_what_goes_on(self, job: Job) -> None:
        """Cuts the connections of a job that was to stop and does not."""
        waited = time.monotonic() - self._reason_since
        with self._lock:
            if self._job is not job or self._own is None:
                return
            if waited > _CUT_SOURCES:
                cut_all([self._session, self._own])
            if waited > _CUT_ALL:
                cut(self._own)


@dataclass(frozen=True)
class _Awaited:
    """A session whose answer is waited for, and since when."""

    session: Session
    since: float

    @property
    def seconds(self) -> float:
        """For how long."""
        return time.monotonic() - self.since


class _Errand:
    """Something that is done in a thread of its own, one at a time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._since = 0.0

    def run(self, what: Callable[[], None]) -> None:
        """Begins, unless the last time has not ended yet."""
        if self.seconds:
            return
        self._since = time.monotonic()
        self._thread = threading.Thread(target=what, name=self._name, daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """For how long it has been under way; 0 when it is not."""
        if self._thread is None or not self._thread.is_alive():
            return 0.0
        return time.monotonic() - self._since or 1e-9

    def wait(self) -> None:
        """Until it is done."""
        if self._thread is not None:
            self._thread.join()


class _Stop:
    """What stops a job, and may itself have to wait for a server."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop, self.errand = stop, _Errand("dapu-stop")

    def run(self) -> None:
        """Stops in a thread of its own."""
        self.errand.run(self._quietly)

    def _quietly(self) -> None:
        with suppress(Exception):
            self._stop()
