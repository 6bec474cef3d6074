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
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as PgSession
from psycopg2.extensions import cursor as Cursor

from dapu.definitions.sql_placeholders import settled
from dapu.definitions.templates import read_template
from dapu.errors import JobInterrupted
from dapu.generate.views.abi_functions import decoders
from dapu.generate.views.abi_views import abi_groups
from dapu.generate.views.make_views import CannotMake, make_group
from dapu.generate.views.planned import Choice, ViewGroup
from dapu.generate.views.template_views import template_groups
from dapu.generate.views.view_options import ViewsOptions
from dapu.loading.table.relation import make_schema
from dapu.named_sql import statement
from dapu.registry import view_queue
from dapu.registry.store import Registry
from dapu.registry.view_queue import FailedGroup, QueuedGroup
from dapu.statement import Statement
from dapu.warehouse.postgres_session import given_path
from dapu.warehouse.warehouse import Warehouse

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


@dataclass(frozen=True)
class ViewsAction:
    """One `do: views` of a task. names: what its templates know."""

    warehouse: Warehouse
    registry: Registry
    task: str
    folder: Path
    names: Mapping[str, Any]
    options: ViewsOptions

    @property
    def schema(self) -> str:
        """Where its views are made."""
        return self.options.schema_name or self.task.split(".")[1]

    def preparation(self, session: PgSession) -> str:
        """Statements that come before the views; may be empty."""
        return decoders(session, self.schema) if self.options.abi else ""

    def key_of(self, wanted: str) -> str:
        """The key of a group as a person may write it: an address in any case, without 0x."""
        if self.options.abi is None:
            return wanted
        return f"0x{wanted.lower().removeprefix('0x')}"

    def groups(self, session: PgSession, choice: Choice) -> Iterator[ViewGroup]:
        """The chosen groups, rendered one after the other.

        Raises FaultyFile when the query or a template cannot be used, and ConfigurationError when a
        table of the chain cannot.
        """
        if self.options.abi is not None:
            query = self._contracts(choice.count)
            return abi_groups(session, self.schema, self.options, choice, query)
        found = template_groups(session, self.folder, self.names, self.options, choice.count)
        if choice.only:
            return (group for group in found if group.key in choice.only)
        return islice(found, choice.limit)

    def _contracts(self, count: int | None) -> tuple[Path, Statement] | None:
        """The task's own query of contracts, with its file."""
        if self.options.query is None:
            return None
        path = self.folder / self.options.query
        template = read_template(path)
        rendered = template.render(dict(self.names) | {"count": count})
        return path, settled(path, template.text, rendered)


class ViewsRun:
    """One run: a producer and several consumers."""

    def __init__(self, action: ViewsAction, choice: Choice) -> None:
        self.made = Made()
        self._action, self._choice = action, choice
        self._all_queued, self._stopped = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._sessions: list[PgSession] = []

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

    def _in_session(self, work: Callable[[PgSession], None]) -> None:
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

    def _produce(self, session: PgSession) -> None:
        action = self._action
        with action.warehouse.session("views queue") as queue, queue.cursor() as cursor:
            make_schema(cursor, action.schema)
            self._prepare(cursor)
            known = view_queue.intact(cursor, action.registry, action.task)
            queue.commit()
            with session.cursor() as reading, given_path(reading):
                for batch in _batches(self._changed(session, known)):
                    self._check_stopped()
                    view_queue.put(cursor, action.registry, action.task, map(_queued, batch))
                    queue.commit()

    def _prepare(self, cursor: Cursor) -> None:
        """What the views call; only one session at a time can replace it."""
        action = self._action
        text = action.preparation(cursor.connection)
        if text:
            key = action.registry.lock_key(f"views in {action.schema}")
            cursor.execute(statement("server.lock_for_transaction"), {"key": key})
            cursor.execute(text)

    def _changed(self, session: PgSession, known: Mapping[str, str]) -> Iterator[ViewGroup]:
        keys = set()
        for group in self._action.groups(session, self._choice):
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

    def _consume(self, session: PgSession) -> None:
        with session.cursor() as cursor:
            after = 0
            while not self._stopped.is_set():
                complete = self._all_queued.is_set()
                position = self._make_next(cursor, after)
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

    def _make_next(self, cursor: Cursor, after: int) -> int | None:
        """Makes the next group behind a position and returns its own; None: there is none."""
        action = self._action
        group = view_queue.take(cursor, action.registry, action.task, after)
        if group is None:
            return None
        cursor.execute("savepoint dapu_group")
        try:
            views = make_group(cursor, action.registry, action.task, action.schema, group)
        except CannotMake as error:
            cursor.execute("rollback to savepoint dapu_group")
            failed = (group.key, str(error), error.statement)
            if view_queue.failed(cursor, action.registry, action.task, *failed):
                self._failed(FailedGroup(*failed))
            return group.position
        with self._lock:
            self.made.groups += 1
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
