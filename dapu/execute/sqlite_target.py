"""SQLite as a warehouse of `dapu execute`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dapu.errors import ConfigurationError, JobError
from dapu.execute.client import ExecuteAnswer
from dapu.execute.dialect import ViewDialect, ViewStatements, fill
from dapu.execute.documents import Header, Incoming, next_batch
from dapu.execute.target import MarkStep, moved_meanwhile
from dapu.execute.text_target import Statements, TextTarget
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


_VIEW_STATEMENTS = ViewStatements(
    of_documents="execute_sqlite.of_documents",
    of_lists="execute_sqlite.of_lists",
    items="execute_sqlite.items",
    guard="execute_sqlite.guard",
    item="execute_sqlite.item",
    kinds={
        "text": "execute_sqlite.text",
        "integer": "execute_sqlite.integer",
        "decimal": "execute_sqlite.decimal",
        "boolean": "execute_sqlite.boolean",
        "local_time": "execute_sqlite.local_time",
        "time": "execute_sqlite.time",
        "json": "execute_sqlite.json",
    },
)
_STATEMENTS = Statements(
    prepare=(
        "execute_sqlite.create_documents",
        "execute_sqlite.index_versions",
        "execute_sqlite.create_marks",
    ),
    has_marks="execute_sqlite.has_marks",
    mark="execute_sqlite.mark",
    move_mark="execute_sqlite.move_mark",
    is_empty="execute_sqlite.is_empty",
    newest_batch="execute_sqlite.newest_batch",
    prune="execute_sqlite.prune",
    create_view="execute_sqlite.create_view",
    latest="execute_sqlite.latest",
    latest_all_versions="execute_sqlite.latest_all_versions",
    begin="execute_sqlite.begin",
    commit="execute_sqlite.commit",
    rollback="execute_sqlite.rollback",
)
DIALECT = ViewDialect(_VIEW_STATEMENTS, _name, _text, _path)


class SqliteTarget(TextTarget):
    """A SQLite file, made when it is missing.

    dsn: its path, or a `file:` URI. What stands behind a `?` in a path are options of the known
    client's driver, which are not part of the file's name and are passed over.
    """

    def __init__(self, dsn: str) -> None:
        if not dsn.startswith("file:"):
            dsn = dsn.partition("?")[0]
        if not dsn:  # SQLite would take it for a database that ends with the process
            raise ConfigurationError("the SQLite DSN names no file")
        self._dsn = dsn
        folder = Path(dsn).parent
        if not dsn.startswith("file:") and not folder.is_dir():
            raise ConfigurationError(
                f"there is no folder {folder} for the SQLite file {dsn}; make it, or name another"
            )
        super().__init__(DIALECT, _STATEMENTS, _LONGEST, f"SQLite says of {dsn}", sqlite3.Error)
        with self._translated_errors():
            self._session = sqlite3.connect(
                dsn, timeout=_PATIENCE, isolation_level=None, uri=dsn.startswith("file:")
            )

    def load(self, answer: ExecuteAnswer, incoming: Incoming, step: MarkStep) -> None:  # noqa: ARG002
        """See `ExecuteTarget.load`."""
        with self._transaction(), self._translated_errors():
            first = next_batch(_as_moment(self._value("execute_sqlite.newest_batch")))
            insert = statement("execute_sqlite.insert")
            for header, values in _rows(incoming, first):
                try:
                    self._session.execute(insert, values)
                except (sqlite3.IntegrityError, OverflowError) as error:
                    raise JobError(
                        f"{header} cannot be stored: {error}; nothing of the answer was kept"
                    ) from error
            is_first = step.before is None
            move = "execute_sqlite.first_mark" if is_first else "execute_sqlite.move_mark"
            moved = self._run(move, source=step.source, before=step.before, after=step.after)
            if moved.rowcount != 1:
                raise moved_meanwhile(step)

    def stop(self) -> None:
        """See `ExecuteTarget.stop`."""
        with suppress(sqlite3.ProgrammingError):  # it is closed
            self._session.interrupt()

    def _put_view(self, name: str, query: str) -> None:
        kind = self._value("execute_sqlite.kind", name=name)
        if kind not in (None, "view"):
            raise JobError(
                f"{self._dsn} has a {kind} {name}, and a view of documents is to have that name; "
                "drop or rename it, or give the documents a file of their own"
            )
        self._execute(fill("execute_sqlite.drop_view", view=_name(name)))
        super()._put_view(name, query)


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
