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
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path

from dapu.errors import JobError
from dapu.execute.client import ExecuteAnswer
from dapu.execute.dialect import ViewDialect, ViewStatements, fill
from dapu.execute.documents import Incoming, Row
from dapu.execute.target import MarkStep
from dapu.execute.text_target import Statements, TextTarget
from dapu.warehouse.snowflake_login import driver, read_dsn

_LONGEST = 255  # bytes of a name
_ROWS_LOADED = 3  # column of the answer to COPY INTO


def _name(identifier: str) -> str:
    return '"' + identifier.upper().replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _path(keys: Sequence[str]) -> str:
    quoted = (key.replace('"', '""') for key in keys)
    return "".join(f':"{key}"' for key in quoted)


_VIEW_STATEMENTS = ViewStatements(
    of_documents="execute_snowflake.of_documents",
    of_lists="execute_snowflake.of_lists",
    items="execute_snowflake.items",
    guard="execute_snowflake.guard",
    item="execute_snowflake.item",
    kinds={
        "text": "execute_snowflake.text",
        "integer": "execute_snowflake.integer",
        "decimal": "execute_snowflake.decimal",
        "boolean": "execute_snowflake.boolean",
        "local_time": "execute_snowflake.local_time",
        "time": "execute_snowflake.time",
        "json": "execute_snowflake.json",
    },
)
_STATEMENTS = Statements(
    prepare=(
        "execute_snowflake.create_documents",
        "execute_snowflake.create_marks",
        "execute_snowflake.create_stage",
    ),
    has_marks="execute_snowflake.has_marks",
    mark="execute_snowflake.mark",
    move_mark="execute_snowflake.move_mark",
    is_empty="execute_snowflake.is_empty",
    newest_batch="execute_snowflake.newest_batch",
    prune="execute_snowflake.prune",
    create_view="execute_snowflake.create_view",
    latest="execute_snowflake.latest",
    latest_all_versions="execute_snowflake.latest_all_versions",
    add_source="execute_snowflake.add_source",
    lock="execute_snowflake.lock",
    begin="execute_snowflake.begin",
    commit="execute_snowflake.commit",
    rollback="execute_snowflake.rollback",
)
DIALECT = ViewDialect(_VIEW_STATEMENTS, _name, _text, _path)


class SnowflakeTarget(TextTarget):
    """A schema of a Snowflake database. dsn: see `read_dsn`."""

    def __init__(self, dsn: str) -> None:
        connector = driver()
        super().__init__(DIALECT, _STATEMENTS, _LONGEST, "Snowflake says", connector.errors.Error)
        with self._translated_errors():
            self._session = connector.connect(**read_dsn(dsn))

    def load(self, answer: ExecuteAnswer, incoming: Incoming, step: MarkStep) -> None:  # noqa: ARG002
        """See `ExecuteTarget.load`."""
        with self._batch(step) as first:
            self._load(incoming, first)

    def prune(self) -> int:
        """See `ExecuteTarget.prune`. Removes what lies in the stage too."""
        count = super().prune()
        self._run("execute_snowflake.empty_stage")
        return count

    def _defining(self) -> AbstractContextManager[None]:
        """See `TextTarget._defining`: such a statement commits itself."""
        return nullcontext()

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
            self._execute(fill("execute_snowflake.put", file=_text(f"file://{file}"), batch=batch))
        rows = self._execute(fill("execute_snowflake.copy", batch=batch)).fetchall()
        loaded = sum(row[_ROWS_LOADED] for row in rows if len(row) > _ROWS_LOADED)
        since = first.replace(tzinfo=None).isoformat()
        faulty = self._value("execute_snowflake.count_faulty", first=since)
        if loaded != count or faulty:
            raise JobError(
                f"Snowflake loaded {loaded:,} of {count:,} rows, of which {faulty:,} are no "
                "JSON of their document; nothing was kept"
            )


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
