"""Snowflake as a warehouse of `dapu execute`.

The rows go as a compressed CSV file into a stage, from there with COPY INTO into the table, in one
transaction with the mark. Each batch has a folder of its own in the stage: a file that was left
there by a process that died is never loaded, and `prune` removes it.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from dapu.errors import ConfigurationError, JobError
from dapu.execute.client import Answer
from dapu.execute.dialect import Dialect
from dapu.execute.documents import Incoming, Row, next_batch
from dapu.execute.schema import Schema
from dapu.execute.snowflake_login import read_dsn
from dapu.execute.target import ALL_VERSIONS, DOCUMENTS, LATEST, MARKS, Step, moved_meanwhile
from dapu.execute.views import plan_views
from dapu.named_sql import statement
from dapu.secrets import redact

_LONGEST = 255  # bytes of a name
_ROWS_LOADED = 3  # column of the answer to COPY INTO


def _name(identifier: str) -> str:
    return '"' + identifier.upper().replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _path(keys: Sequence[str]) -> str:
    quoted = (key.replace('"', '""') for key in keys)
    return "".join(f':"{key}"' for key in quoted)


DIALECT = Dialect("execute_snowflake", _name, _text, _path)


class SnowflakeTarget:
    """A schema of a Snowflake database. dsn: see `read_dsn`."""

    def __init__(self, dsn: str) -> None:
        try:
            from snowflake import connector
        except ImportError:
            raise ConfigurationError(
                "Snowflake needs its driver: pip install 'dapu[snowflake]'"
            ) from None
        self._error = connector.errors.Error
        with self._told():
            self._session = connector.connect(**read_dsn(dsn))

    def prepare(self) -> None:
        """See `Target.prepare`."""
        for name in ("create_documents", "create_marks", "create_stage"):
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
        self._run("add_source", source=step.source)
        with self._transaction():
            self._run("lock", source=step.source)
            if self.mark(step.source) != step.before:
                raise moved_meanwhile(step)
            first = next_batch(self._value("newest_batch"))
            self._load(incoming, first)
            self._run("move_mark", source=step.source, after=step.after)

    def create_views(self, schema: Schema) -> list[str]:
        """See `Target.create_views`. Views keep their grants."""
        taken = (DOCUMENTS, MARKS, LATEST, ALL_VERSIONS)
        self._put_view(ALL_VERSIONS, statement("execute_snowflake.latest_all_versions"))
        self._put_view(LATEST, statement("execute_snowflake.latest"))
        for view in plan_views(schema, taken, _LONGEST):
            self._put_view(view.name, DIALECT.query(view))
        return []

    def prune(self) -> int:
        """See `Target.prune`. Removes what lies in the stage too."""
        with self._transaction():
            count = self._run("prune").rowcount
        self._run("empty_stage")
        return int(count)

    def stop(self) -> None:
        """See `Target.stop`: its statements end with the process."""

    def close(self) -> None:
        """See `Target.close`."""
        self._session.close()

    def _load(self, incoming: Incoming, first: datetime) -> None:
        batch = uuid.uuid4().hex
        with tempfile.TemporaryDirectory(prefix="dapu-execute-") as folder:
            file = Path(folder) / "documents.csv.gz"
            with gzip.open(file, "wb", compresslevel=1) as lines:
                count = 0
                for row in incoming.rows(first):
                    lines.writelines(_csv(row))
                    count += 1
            if not count:
                return
            self._execute(DIALECT.fill("put", file=_text(f"file://{file}"), batch=batch))
        rows = self._execute(DIALECT.fill("copy", batch=batch)).fetchall()
        loaded = sum(row[_ROWS_LOADED] for row in rows if len(row) > _ROWS_LOADED)
        faulty = self._value("count_faulty", first=first.replace(tzinfo=None).isoformat())
        if loaded != count or faulty:
            raise JobError(
                f"Snowflake loaded {loaded:,} of {count:,} rows, of which {faulty:,} are no "
                "JSON of their document; nothing was kept"
            )

    def _put_view(self, name: str, query: str) -> None:
        self._execute(DIALECT.fill("create_view", view=_name(name), query=query))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._run("begin")
        try:
            yield
            self._run("commit")
        except BaseException:
            with suppress(JobError):  # the first error is the one to tell
                self._run("rollback")
            raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            raise JobError(f"Snowflake says: {redact(str(error)).strip()}") from error

    def _value(self, name: str, /, **values: str) -> Any:
        row = self._run(name, **values).fetchone()
        return row[0] if row else None

    def _run(self, name: str, /, **values: str | None) -> Any:
        return self._execute(statement(f"execute_snowflake.{name}"), values or None)

    def _execute(self, text: str, values: dict[str, str | None] | None = None) -> Any:
        with self._told():
            return self._session.cursor().execute(text, values)


def _csv(row: Row) -> Iterator[bytes]:
    header = row.header
    author = "" if header.author is None else _quoted(header.author)
    yield (
        f'"{row.batch.replace(tzinfo=None).isoformat()}",{_quoted(header.type)},'
        f"{_quoted(header.id)},{header.version},{row.chunk},{author},{_quoted(header.date)},"
        f'{json.dumps(header.deleted)},"'
    ).encode()
    for piece in row.data:
        yield piece.replace(b'"', b'""')
    yield b'"\n'


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'
