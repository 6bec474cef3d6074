"""Runs the jobs of a dev warehouse several at once, each after those that it depends on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from dapu.registry.agenda import Job
from dapu.registry.events import Level
from dapu.warehouse.warehouse import Warehouse
from dapu.worker.job import Outcome
from dapu.worker.worker import JobCounts, Reporter, Worker

_ONE_DAY = 24 * 60  # minutes


class JobsInOrder:
    """Jobs for several workers, each of which iterates over it.

    after: for each job those that come before it. routes: the route of each.
    limits: how many may run on a route at once, where that is limited.
    """

    def __init__(
        self,
        after: Mapping[int, Collection[int]],
        routes: Mapping[int, str],
        limits: Mapping[str, int],
    ) -> None:
        self._waiting = {job: set(others) for job, others in after.items()}
        self._routes, self._limits = routes, limits
        self._running = Counter[str]()
        self._changed = threading.Condition()
        self._is_stopped = False

    def __iter__(self) -> Iterator[int]:
        while (job := self._take()) is not None:
            yield job
            self._end(job)

    def stop(self) -> None:
        """Gives no more jobs."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def _take(self) -> int | None:
        """The next job that may start, once there is one; None when there is none to come."""
        with self._changed:
            while self._waiting and not self._is_stopped:
                job = next((one for one in self._waiting if self._may_start(one)), None)
                if job is not None:
                    del self._waiting[job]
                    self._running[self._routes[job]] += 1
                    return job
                self._changed.wait()
        return None

    def _may_start(self, job: int) -> bool:
        limit = self._limits.get(self._routes[job])
        is_free = limit is None or self._running[self._routes[job]] < limit
        return is_free and not self._waiting[job]

    def _end(self, job: int) -> None:
        with self._changed:
            self._running[self._routes[job]] -= 1
            for others in self._waiting.values():
                others.discard(job)
            self._changed.notify_all()


class _InTurn:
    """A reporter that several threads use."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter, self._lock = reporter, threading.Lock()

    def started(self, job: Job) -> None:
        """See `Reporter`."""
        with self._lock:
            self._reporter.started(job)

    def progress(self, job: Job, rows: int) -> None:
        """See `Reporter`."""
        with self._lock:
            self._reporter.progress(job, rows)

    def ended(self, job: Job, outcome: Outcome) -> None:
        """See `Reporter`."""
        with self._lock:
            self._reporter.ended(job, outcome)

    def note(self, level: Level, task: str, message: str) -> None:
        """See `Reporter`."""
        with self._lock:
            self._reporter.note(level, task, message)


def run_in_order(
    warehouse: Warehouse, jobs: JobsInOrder, count: int, reporter: Reporter
) -> dict[str, str]:
    """Runs jobs by so many workers, each a thread; the work is the databases'.

    Returns the tasks whose job was not done, with how it ended.
    """
    in_turn = _InTurn(reporter)
    workers = [Worker(warehouse, in_turn, _ONE_DAY) for _ in range(count)]
    failing: dict[str, str] = {}
    with ThreadPoolExecutor(count) as threads:
        runs = [threads.submit(_work, one, jobs) for one in workers]
        try:
            for run in runs:
                failing |= run.result().failing
        except BaseException:
            jobs.stop()
            for one in workers:
                one.stop(grace=0)
            raise
    return failing


def _work(worker: Worker, jobs: JobsInOrder) -> JobCounts:
    try:
        return worker.run(iter(jobs))  # one iterator, also where its connection is made anew
    except BaseException:
        jobs.stop()  # the others would wait for what this one had
        raise
