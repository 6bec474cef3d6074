"""Watches jobs of the agenda: how they are, what they report, why they wait. Without Airflow.

A triggerer waits for hundreds of jobs in one process. They share a session for each warehouse, and
a look at all of them is two statements.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dapu.errors import DatabaseUnreachable
from dapu.registry import agenda, events, workers
from dapu.registry.agenda import JobState
from dapu.registry.events import LoggedEvent
from dapu.registry.store import Registry
from dapu.registry.version import registry_of
from dapu.registry.why import reasons
from dapu.secrets import redact
from dapu.warehouse.postgres_session import Session
from dapu.warehouse.warehouse import Warehouse, open_warehouse

POLL = 0.5  # seconds between two looks
_SELDOM = 10  # looks: why a job waits changes seldom, and workers die seldom
_RECONNECT = 2.0  # seconds between tries to reach a database that is away
_MOST_EVENTS = 1000  # of one look
_ENDED = ("done", "failed", "skipped", "lost", "cancelled")


class Sight(NamedTuple):
    """What one look found of a job.

    events: those that no look has seen. why: the sentence of `dapu why`, where it has changed.
    """

    state: JobState
    events: list[LoggedEvent]
    why: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the job is over, with all its tries."""
        return self.state.status in _ENDED


class JobWatch:
    """Looks at jobs over one session, which it opens when it is needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._warehouse: Warehouse | None = None
        self._session: Session | None = None
        self._seen: dict[int, set[int]] = {}
        self._reasons: dict[str, tuple[str, datetime | None]] = {}
        self._looks = 0

    def look(self, jobs: Sequence[int]) -> dict[int, Sight]:
        """Looks at jobs; one that is no longer in the agenda is `lost`.

        Raises DapuError or psycopg2.Error when the database does not answer; the next look
        connects anew.
        """
        try:
            return self._look(jobs)
        except psycopg2.Error:
            self.close()
            raise

    def _look(self, jobs: Sequence[int]) -> dict[int, Sight]:
        if self._warehouse is None:
            self._warehouse = open_warehouse(self._folder)
        if self._session is None:
            self._session = self._warehouse.connect("airflow")
            self._session.autocommit = True
        self._seen = {job: self._seen.get(job, set()) for job in jobs}
        registry = registry_of(self._warehouse)
        self._looks += 1
        with self._session.cursor() as cursor:
            if not self._looks % _SELDOM:
                _end_the_dead(cursor, registry)
            # States first: what an ended job has reported is then there.
            found = {one.job: one for one in agenda.states(cursor, registry, jobs)}
            seen = [number for numbers in self._seen.values() for number in numbers]
            new = events.of_jobs(cursor, registry, jobs, seen, _MOST_EVENTS)
            waiting = [one.task for one in found.values() if one.status == "waiting"]
            whys = self._whys(self._warehouse, registry, waiting)
        sights = {
            job: Sight(
                found.get(job, JobState(job, "", "lost", None, "it is not in the agenda", False)),
                [event for event in new if event.job == job],
            )
            for job in jobs
        }
        for event in new:
            self._seen[event.job or 0].add(event.number)
        return {
            job: one._replace(why=whys.get(one.state.task))
            if one.state.status == "waiting"
            else one
            for job, one in sights.items()
        }

    def _whys(
        self, warehouse: Warehouse, registry: Registry, tasks: Sequence[str]
    ) -> dict[str, str]:
        """The sentences of those whose reason is another than before."""
        if not tasks or self._looks % _SELDOM or self._session is None:
            return {}
        with self._session.cursor() as cursor:
            found = reasons(cursor, registry, warehouse.settings, tasks, datetime.now(UTC))
        changed = {
            task: one.sentence
            for task, one in found.items()
            if self._reasons.get(task) != (one.reason, one.at)
        }
        self._reasons = {task: (one.reason, one.at) for task, one in found.items()}
        return changed

    def close(self) -> None:
        """Ends the session."""
        if self._session is not None:
            self._session.close()
            self._session = None


def _end_the_dead(cursor: Cursor, registry: Registry) -> None:
    """What a Manager or worker would do; where Airflow runs all workers, none may be there."""
    with suppress(psycopg2.errors.UniqueViolation):  # a task was queued this moment: next time
        workers.free_jobs_of_the_dead(cursor, registry)
        agenda.fail_exhausted(cursor, registry)
        agenda.cancel_followers(cursor, registry)


_News = dict[int, Sight] | str | Exception


class SharedWatch:
    """One watch for all who wait in an event loop for jobs of one warehouse."""

    def __init__(self, folder: Path) -> None:
        self._watch = JobWatch(folder)
        self._waiting: dict[asyncio.Queue[_News], frozenset[int]] = {}
        self._poller: asyncio.Task[None] | None = None

    async def follow(self, jobs: Collection[int]) -> AsyncGenerator[dict[int, Sight] | str, None]:
        """Gives what each look finds of the jobs; a text when the database is away.

        Raises what a look raised otherwise.
        """
        queue: asyncio.Queue[_News] = asyncio.Queue()
        self._waiting[queue] = frozenset(jobs)
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll())
        try:
            while True:
                news = await queue.get()
                if isinstance(news, Exception):
                    raise news
                yield news
        finally:
            del self._waiting[queue]

    async def _poll(self) -> None:
        was_away = False
        while self._waiting:
            jobs = sorted(frozenset[int]().union(*self._waiting.values()))
            try:
                found = await asyncio.to_thread(self._watch.look, jobs)
            except (
                psycopg2.OperationalError,
                psycopg2.InterfaceError,
                DatabaseUnreachable,
            ) as error:
                if not was_away:
                    text = redact(str(error)).strip()
                    self._tell(f"the warehouse's database is away ({text}); waiting for it")
                was_away = True
                await asyncio.sleep(_RECONNECT)
                continue
            except Exception as error:  # noqa: BLE001 - raised in those who wait
                self._tell(error)
                break
            was_away = False
            for queue, wanted in self._waiting.items():
                # A job that came after the look began is in the next.
                queue.put_nowait({job: found[job] for job in wanted if job in found})
            await asyncio.sleep(POLL)
        self._poller = None
        self._watch.close()

    def _tell(self, news: str | Exception) -> None:
        for queue in self._waiting:
            queue.put_nowait(news)
