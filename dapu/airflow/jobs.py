"""What an operator does with the agenda: queue jobs, run them, cancel them. Without Airflow."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.components import steering
from dapu.components.provenance import who
from dapu.components.steering import JobFilter, Operator
from dapu.errors import ConfigurationError
from dapu.registry import agenda
from dapu.registry.agenda import Job
from dapu.registry.events import Level
from dapu.registry.selectors import select, selectable
from dapu.registry.store import Registry
from dapu.registry.version import check_registry, registry_of
from dapu.warehouse.warehouse import Warehouse, open_warehouse
from dapu.worker.job import Outcome
from dapu.worker.worker import Worker

_ONE_DAY = 24 * 60  # minutes


class QueuedJob(NamedTuple):
    """A job to wait for. is_new: it was queued now, and does not run or is not done already."""

    task: str
    job: int
    is_new: bool

    def __str__(self) -> str:
        """For a log."""
        if self.is_new:
            return f"{self.task} is queued as job {self.job}"
        return f"{self.task}: job {self.job} does that already"


def queue_jobs(
    folder: Path, tasks: Sequence[str], since: datetime, *, full: bool, is_first_try: bool
) -> list[QueuedJob]:
    """Queues tasks, each after those of them that it depends on.

    A task whose job started after `since` and after its masters, as one that the agenda itself
    woke when the last master was done, is not queued once more: that job is waited for. On a
    later try, as after a task was cleared, only if it still runs.
    Raises ConfigurationError where a task is not registered.
    """
    queued: dict[str, QueuedJob] = {}
    with _transaction(open_warehouse(folder)) as (cursor, registry):
        known = {one.task: one for one in selectable(cursor, registry)}
        agenda.take_turn(cursor, registry)  # no worker takes one while we look
        for task in select(tasks, known.values()):
            job = agenda.does_already(cursor, registry, task, since, full=full, done=is_first_try)
            is_new = job is None
            if job is None:
                new = [queued[m].job for m in known[task].masters if m in queued]
                job = agenda.add(cursor, registry, task, "run", full, None, sorted(new))
            if job is None:
                raise ConfigurationError(f"{task} was unregistered this very moment")
            queued[task] = QueuedJob(task, job, is_new)
        new_ones = [one.job for one in queued.values() if one.is_new]
        steering.note_queued(cursor, registry, new_ones, _airflow())
    return list(queued.values())


def cancel_jobs(folder: Path, jobs: Sequence[int]) -> list[str]:
    """Cancels those that wait or run; returns their tasks."""
    with _transaction(open_warehouse(folder)) as (cursor, registry):
        found = steering.cancel(cursor, registry, JobFilter(jobs), _airflow())
    return [one.task for one in found]


def _airflow() -> Operator:
    return Operator(who(), "Airflow")


@contextmanager
def _transaction(warehouse: Warehouse) -> Iterator[tuple[Cursor, Registry]]:
    registry = registry_of(warehouse)
    with warehouse.session("airflow") as session, session, session.cursor() as cursor:
        check_registry(cursor, registry)
        yield cursor, registry


class JobThread:
    """A worker in a thread that runs some jobs and ends.

    In the main thread Airflow's own handlers of signals must go on to work.
    """

    def __init__(self, folder: Path, jobs: Sequence[int]) -> None:
        self._worker = Worker(open_warehouse(folder), _Silent(), _ONE_DAY)
        self._jobs, self._error = jobs, list[BaseException]()
        self._thread = threading.Thread(target=self._run, name="dapu-worker", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._worker.run(only=self._jobs)
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            self._error.append(error)

    def is_over(self, seconds: float) -> bool:
        """Waits so long for its end. Raises what the worker raised."""
        self._thread.join(seconds)
        if self._error:
            raise self._error[0]
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Lets go of the job in hand at once."""
        self._worker.stop(0)


class _Silent:
    """A reporter for who reads the events of the registry instead."""

    def started(self, job: Job) -> None:
        """See `Reporter`."""

    def progress(self, job: Job, rows: int) -> None:
        """See `Reporter`."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """See `Reporter`."""

    def note(self, level: Level, task: str, message: str) -> None:
        """See `Reporter`."""
