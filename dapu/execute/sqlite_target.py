"""SQLite as a warehouse of `dapu execute`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dapu.errors import ConfigurationError, JobError
from dapu.execute.client import Answer
from dapu.execute.dialect import Dialect
from dapu.execute.documents import Header, Incoming, next_batch
from dapu.execute.schema import Schema
from dapu.execute.target import ALL_VERSIONS, DOCUMENTS, LATEST, MARKS, Step, moved_meanwhile
from dapu.execute.views import plan_views
from dapu.named_sql import statement

_PATIENCE = 60  # seconds to wait for another who writes
_LONGEST = 1_000  # bytes of a name; SQLite has no bound
_BATCH = "%Y-%m-%dT%H:%M:%S.%fZ"


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _path(keys: Sequence[str]) -> str:
    return _text("$" + "".join(f".{json.dumps(key, ensure_ascii=False)}" for key in keys))


DIALECT = Dialect("execute_sqlite", _name, _text, _path)


class SqliteTarget:
    """A SQLite file, made when it is missing.

    dsn: its path, or a `file:` URI. What stands behind a `?` in a path are options of the known
    client's driver, which are no part of the file's name and are passed over.
    """

    def __init__(self, dsn: str) -> None:
        if not dsn.startswith("file:"):
            dsn = dsn.partition("?")[0]
        if not dsn:  # SQLite would take it for a database that is gone with the process
            raise ConfigurationError("the SQLite DSN names no file")
        self._dsn = dsn
        folder = Path(dsn).parent
        if not dsn.startswith("file:") and not folder.is_dir():
            raise ConfigurationError(
                f"there is no folder {folder} for the SQLite file {dsn}; make it, or name another"
            )
        with self._told():
            self._session = sqlite3.connect(
                dsn, timeout=_PATIENCE, isolation_level=None, uri=dsn.startswith("file:")
            )

    def prepare(self) -> None:
        """See `Target.prepare`."""
        with self._transaction():
            for name in ("create_documents", "index_versions", "create_marks"):
                self._run(name)

    def mark(self, source: str) -> str | None:
        """See `Target.mark`."""
        mark = self._value("mark", source=source)
        return None if mark is None else str(mark)

    def has_marks(self) -> bool:
        """See `Target.has_marks`."""
        return bool(self._value("has_marks"))

    def is_empty(self) -> bool:
        """See `Target.is_empty`."""
        return bool(self._value("is_empty"))

    def load(self, answer: Answer, incoming: Incoming, step: Step) -> None:  # noqa: ARG002
        """See `Target.load`."""
        with self._transaction():
            first = next_batch(_as_moment(self._value("newest_batch")))
            insert = statement("execute_sqlite.insert")
            for header, values in _rows(incoming, first):
                try:
                    self._session.execute(insert, values)
                except (sqlite3.IntegrityError, OverflowError) as error:
                    raise JobError(
                        f"{header} cannot be stored: {error}; nothing of the answer was kept"
                    ) from error
            move = "first_mark" if step.before is None else "move_mark"
            moved = self._run(move, source=step.source, before=step.before, after=step.after)
            if moved.rowcount != 1:
                raise moved_meanwhile(step)

    def create_views(self, schema: Schema) -> list[str]:
        """See `Target.create_views`."""
        taken = (DOCUMENTS, MARKS, LATEST, ALL_VERSIONS)
        with self._transaction():
            self._put_view(ALL_VERSIONS, statement("execute_sqlite.latest_all_versions"))
            self._put_view(LATEST, statement("execute_sqlite.latest"))
            for view in plan_views(schema, taken, _LONGEST):
                self._put_view(view.name, DIALECT.query(view))
        return []

    def prune(self) -> int:
        """See `Target.prune`."""
        with self._transaction():
            return self._run("prune").rowcount

    def stop(self) -> None:
        """See `Target.stop`."""
        with suppress(sqlite3.ProgrammingError):  # it is closed
            self._session.interrupt()

    def close(self) -> None:
        """See `Target.close`."""
        self._session.close()

    def _put_view(self, name: str, query: str) -> None:
        kind = self._value("kind", name=name)
        if kind not in (None, "view"):
            raise JobError(
                f"{self._dsn} has a {kind} {name}, and a view of documents is to have that name; "
                "drop or rename it, or give the documents a file of their own"
            )
        with self._told():
            self._session.execute(DIALECT.fill("drop_view", view=_name(name)))
            self._session.execute(DIALECT.fill("create_view", view=_name(name), query=query))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """A transaction in which nobody else can write from its beginning on."""
        with self._told():
            self._session.execute("begin immediate")
            try:
                yield
                self._session.execute("commit")
            except BaseException:
                if self._session.in_transaction:
                    self._session.execute("rollback")
                raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise JobError(f"SQLite says of {self._dsn}: {error}") from error

    def _value(self, name: str, /, **values: str) -> Any:
        with self._told():
            row = self._run(name, **values).fetchone()
        return row[0] if row else None

    def _run(self, name: str, /, **values: str | None) -> sqlite3.Cursor:
        return self._session.execute(statement(f"execute_sqlite.{name}"), values)


def _rows(incoming: Incoming, first: datetime) -> Iterator[tuple[Header, tuple[Any, ...]]]:
    for batch, header, chunk, data in incoming.rows(first):
        text = b"".join(data).decode()
        yield header, (batch.strftime(_BATCH), *header[:3], chunk, *header[3:], text)


def _as_moment(batch: str | None) -> datetime | None:
    """The BATCH_DATE after which a new one comes, as text too.

    The known client writes whole seconds, which as text come after the microseconds of the same
    second.
    """
    if batch is None:
        return None
    moment = datetime.fromisoformat(batch).astimezone(UTC)
    return moment if "." in batch else moment + timedelta(seconds=1)
