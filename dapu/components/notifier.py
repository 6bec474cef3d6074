"""Sends what is in the outbox to whom `notify:` of warehouse.yaml names."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import TracebackType

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dapu.components.senders import send, text_of, title_of
from dapu.errors import ConfigurationError, DapuError
from dapu.registry import notices
from dapu.registry.notices import Notice, OpenMessage
from dapu.registry.overview import Overview
from dapu.registry.selectors import select, selectable
from dapu.registry.store import Registry
from dapu.registry.version import check_registry, registry_of
from dapu.suggest import nearest
from dapu.warehouse.postgres_session import Session
from dapu.warehouse.settings import Recipient
from dapu.warehouse.warehouse import Warehouse

_COLLECT = timedelta(minutes=5)  # that a notice waits for others while a worker runs
_LOOK = 15.0  # seconds between looks into the outbox


def send_all(warehouse: Warehouse, collect: timedelta = timedelta(0)) -> list[str]:
    """Sends what is due; returns what went wrong, a line for each recipient.

    collect: how long notices wait for others, so that a storm is one message.
    """
    if not warehouse.settings.notify:
        return []
    registry = registry_of(warehouse)
    faults = []
    with warehouse.session("notify") as session:
        with session, session.cursor() as cursor:
            check_registry(cursor, registry)
        for recipient in warehouse.settings.notify:
            try:
                _Outbox(warehouse, registry, session, recipient).send(collect)
            except DapuError as error:
                session.rollback()
                faults.append(str(error))
    return faults


def send_test(warehouse: Warehouse, name: str | None = None) -> list[tuple[str, str | None]]:
    """Sends a message to each recipient, or the one of a name, past the outbox.

    Who was tried out is told what happens from then on, where the warehouse can be reached.
    Returns each name with what went wrong, or None.
    """
    known = {recipient.name: recipient for recipient in warehouse.settings.notify}
    if name is not None and name not in known:
        raise ConfigurationError(f"notify: there is no `{name}`{nearest(name, known)}")
    results: list[tuple[str, str | None]] = []
    for recipient in [known[name]] if name else known.values():
        title = f"{warehouse.name}: a test"
        text = "This is what a notice of dapu looks like: `dapu notify --test` sent it."
        try:
            send(recipient, title, text, {"warehouse": warehouse.name, "test": True, "notices": []})
            results.append((recipient.name, None))
        except DapuError as error:
            results.append((recipient.name, str(error)))
    with suppress(DapuError, psycopg2.Error):
        meet(warehouse)
    return results


def note_late(cursor: Cursor, registry: Registry, tasks: list[Overview], at: datetime) -> None:
    """Writes a notice of each task that is late, once for each time from which it is due."""
    for task in tasks:
        if (late := task.late_since(at)) is not None:
            why, moment = late
            since = moment.astimezone(UTC).isoformat(" ", "seconds")
            text = f"it is {why} {since}"
            notices.add(cursor, registry, "late", task.task, None, text, occasion=since)


def meet(warehouse: Warehouse) -> None:
    """Recipients that are new are told what happens from now on."""
    if not warehouse.settings.notify:
        return
    registry = registry_of(warehouse)
    with warehouse.session("notify") as session, session, session.cursor() as cursor:
        check_registry(cursor, registry)
        for recipient in warehouse.settings.notify:
            registry.run(cursor, "notice.meet", recipient=recipient.name)


class Notifier:
    """Sends from a thread while a worker runs, and at its end all that is left.

    warn: gets what went wrong.
    """

    def __init__(self, warehouse: Warehouse, warn: Callable[[str], None]) -> None:
        self._warehouse, self._warn = warehouse, warn
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dapu-notify", daemon=True)

    def __enter__(self) -> Notifier:
        if self._warehouse.settings.notify:
            meet(self._warehouse)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
            self._send(timedelta(0))

    def _run(self) -> None:
        self._send(_COLLECT)
        while not self._ended.wait(_LOOK):
            self._send(_COLLECT)

    def _send(self, collect: timedelta) -> None:
        with suppress(psycopg2.Error):  # the database is away: the outbox is there when it is back
            try:
                faults = send_all(self._warehouse, collect)
            except DapuError as error:
                faults = [str(error)]
            for fault in faults:
                self._warn(f"notify: {fault}")


class _Outbox:
    """What one recipient is to be told."""

    def __init__(
        self, warehouse: Warehouse, registry: Registry, session: Session, recipient: Recipient
    ) -> None:
        self._warehouse, self._registry, self._session = warehouse, registry, session
        self._recipient = recipient
        self._lock = {"key": registry.lock_key(f"notify {recipient.name}")}

    def send(self, collect: timedelta) -> None:
        """Sends what is due, unless another sender is at it. Raises DapuError for what fails."""
        with self._session, self._session.cursor() as cursor:
            self._registry.run(cursor, "notice.meet", recipient=self._recipient.name)
            if self._registry.row(cursor, "notice.try_lock", **self._lock) != (True,):
                return
        try:
            while (message := self._next(collect)) is not None and message.is_due:
                self._send(message)
        finally:
            if not self._session.closed:
                self._session.rollback()
                with self._session, self._session.cursor() as cursor:
                    self._registry.run(cursor, "notice.unlock", **self._lock)

    def _next(self, collect: timedelta) -> OpenMessage | None:
        name, registry = self._recipient.name, self._registry
        with self._session, self._session.cursor() as cursor:
            found = notices.open_message(cursor, registry, name)
            if found is None:
                tasks = self._tasks(cursor)
                notices.collect(cursor, registry, name, self._recipient.on, tasks, collect)
                found = notices.open_message(cursor, registry, name)
            return found

    def _tasks(self, cursor: Cursor) -> list[str] | None:
        if not self._recipient.tasks:
            return None
        return select(self._recipient.tasks, selectable(cursor, self._registry))

    def _send(self, message: OpenMessage) -> None:
        with self._session, self._session.cursor() as cursor:
            told = notices.of_message(cursor, self._registry, message.number)
            self._registry.run(cursor, "notice.begin", message=message.number)
        try:
            self._deliver(message, told)
        except DapuError as error:
            with self._session, self._session.cursor() as cursor:
                self._registry.run(
                    cursor, "notice.failed", message=message.number, error=str(error)
                )
            raise
        with self._session, self._session.cursor() as cursor:
            self._registry.run(cursor, "notice.sent", message=message.number)

    def _deliver(self, message: OpenMessage, told: list[Notice]) -> None:
        title = title_of(self._warehouse.name, told)
        text = text_of(told, message.number, again=message.is_doubtful)
        data = {
            "warehouse": self._warehouse.name,
            "message": message.number,
            "again": message.is_doubtful,
            "notices": [notice._asdict() for notice in told],
        }
        send(self._recipient, title, text, data)
