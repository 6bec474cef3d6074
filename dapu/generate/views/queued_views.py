"""`do: views`: a producer queues groups of views, and consumers make them, all at the same time.

The queue is a table of the registry. A consumer holds the group that it makes by the lock of its
row, so a group whose consumer dies is free at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobInterrupted
from dapu.generate.views.make_views import CannotMake
from dapu.generate.views.planned import Choice, ViewGroup
from dapu.generate.views.view_database import ViewDatabase, database_of
from dapu.generate.views.views_action import ViewsAction
from dapu.named_sql import statement
from dapu.registry import view_queue
from dapu.registry.view_queue import FailedGroup, QueuedGroup
from dapu.warehouse.postgres_session import Session

_GROUPS_AT_ONCE = 100  # queued by the producer in one transaction, or
_LONGEST_HELD = 0.2  # seconds after the first of them
_LOOK_AGAIN = 0.05  # seconds; for a consumer that found no group


@dataclass
class Made:
    """What a run did. missing: keys that were asked for, and that the query does not give."""

    groups: int = 0
    views: int = 0
    unchanged: int = 0
    failures: list[FailedGroup] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class ViewsRun:
    """One run: a producer and several consumers."""

    def __init__(self, action: ViewsAction, choice: Choice) -> None:
        self.made = Made()
        self._action, self._choice = action, choice
        self._all_queued, self._stopped = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._sessions: list[Session] = []

    def stop(self) -> None:
        """Ends the run at once; groups that are made stay, the others wait in the queue."""
        self._stopped.set()
        with self._lock:
            for session in self._sessions:
                with suppress(psycopg2.Error):  # it has just ended by itself
                    session.cancel()

    def run(self) -> Made:
        """Makes the views. Raises JobInterrupted after `stop`, and what the query raises."""
        count = self._action.options.consumers
        with ThreadPoolExecutor(count, "views") as pool:
            consumers = [pool.submit(self._in_session, self._consume) for _ in range(count)]
            try:
                self._in_session(self._produce)
            except BaseException:
                self._stopped.set()
                raise
            finally:
                self._all_queued.set()
            for consumer in consumers:
                consumer.result()
        self.made.failures.sort(key=lambda failure: failure.key)  # consumers end in any order
        return self.made

    def _in_session(self, work: Callable[[Session], None]) -> None:
        with self._action.warehouse.session("views") as session:
            with self._lock:
                self._sessions.append(session)
            try:
                work(session)
            except psycopg2.errors.QueryCanceled:
                self._check_stopped()
                raise
            finally:
                with self._lock:
                    self._sessions.remove(session)

    def _check_stopped(self) -> None:
        if self._stopped.is_set():
            raise JobInterrupted("stopped; the views that were made until then stay")

    # The producer.

    def _produce(self, session: Session) -> None:
        action = self._action
        with (
            database_of(action, session) as database,
            action.warehouse.session("views queue") as queue,
            queue.cursor() as cursor,
        ):
            database.prepare(cursor)
            known = database.intact(cursor)
            queue.commit()
            for batch in _batches(self._changed(database, known)):
                self._check_stopped()
                view_queue.put(cursor, action.registry, action.task, map(_queued, batch))
                queue.commit()

    def _changed(self, database: ViewDatabase, known: Mapping[str, str]) -> Iterator[ViewGroup]:
        keys = set()
        for group in database.groups(self._choice):
            keys.add(group.key)
            if group.note:
                self.made.notes.append(f"{group.key}: {group.note}")
            if group.fault:
                self._failed(FailedGroup(group.key, group.fault, None))
                yield group
            elif known.get(group.key) == group.hash:
                self.made.unchanged += 1
            else:
                yield group
        wanted = map(self._action.key_of, self._choice.only)
        self.made.missing = [key for key in wanted if key not in keys]

    def _failed(self, failure: FailedGroup) -> None:
        with self._lock:
            self.made.failures.append(failure)

    # A consumer.

    def _consume(self, session: Session) -> None:
        with database_of(self._action, session) as database, session.cursor() as cursor:
            cursor.execute(statement("make_views.compress_quickly"))
            after = 0
            while not self._stopped.is_set():
                complete = self._all_queued.is_set()
                position = self._make_next(database, cursor, after)
                session.commit()
                if position is not None or after:
                    after = position or 0  # at the end again from the beginning
                elif complete and not self._one_waits(cursor):
                    return
                else:
                    time.sleep(_LOOK_AGAIN)

    def _one_waits(self, cursor: Cursor) -> bool:
        action = self._action
        seconds = view_queue.wait(cursor, action.registry, action.task)
        cursor.connection.commit()
        return seconds is not None

    def _make_next(self, database: ViewDatabase, cursor: Cursor, after: int) -> int | None:
        """Makes the next group behind a position and returns its own; None: there is none."""
        action = self._action
        group = view_queue.take(cursor, action.registry, action.task, after)
        if group is None:
            return None
        cursor.execute("savepoint dapu_group")
        try:
            views = database.make(cursor, group)
        except CannotMake as error:
            cursor.execute("rollback to savepoint dapu_group")
            failed = (group.key, str(error), error.statement)
            if view_queue.failed(cursor, action.registry, action.task, *failed):
                self._failed(FailedGroup(*failed))
            return group.position
        with self._lock:
            # One that a broken run left is made at once, and again when the query comes to it.
            self.made.groups += views > 0
            self.made.views += views
        return group.position


def _batches(groups: Iterable[ViewGroup]) -> Iterator[list[ViewGroup]]:
    batch: list[ViewGroup] = []
    since = time.monotonic()
    for group in groups:
        if not batch:
            since = time.monotonic()
        batch.append(group)
        if len(batch) == _GROUPS_AT_ONCE or time.monotonic() - since > _LONGEST_HELD:
            yield batch
            batch = []
    if batch:
        yield batch


def _queued(group: ViewGroup) -> QueuedGroup:
    views = [(view.name, view.query, view.comment, view.hash) for view in group.views]
    return QueuedGroup(group.key, group.hash, views, group.fault)
