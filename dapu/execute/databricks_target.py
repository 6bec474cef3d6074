"""Databricks as a warehouse of `dapu execute`.

The rows go as a Parquet file into a volume, from there with one `insert` into the table. A Delta
table commits each statement by itself, so that the mark moves after its documents. A process that
dies in between leaves documents whose mark has not moved: they are read again, as a newer batch,
which is the one that the views show, and `prune` deletes the other one.
"""

from __future__ import annotations

import re
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dapu.errors import ConfigurationError, JobError
from dapu.execute.client import ExecuteAnswer
from dapu.execute.databricks_login import read_dsn
from dapu.execute.dialect import ViewDialect, ViewStatements, fill
from dapu.execute.documents import Incoming, Row, next_batch
from dapu.execute.helper_views import HelperView, plan_views
from dapu.execute.schema import Schema
from dapu.execute.target import ALL_VERSIONS, DOCUMENTS, LATEST, MARKS, MarkStep, moved_meanwhile
from dapu.execute.text_target import Statements, TextTarget
from dapu.named_sql import statement
from dapu.tls import bundle

_LONGEST = 255  # characters of a name
_NOT_IN_NAMES = re.compile(r"[./\s\x00-\x1f\x7f]")  # of tables and views in Unity Catalog
_NOT_IN_PATHS = re.compile(r"""[?]|'.*"|".*'""").search
_NO_PATH = "Databricks' paths have no names with `?`, or with both kinds of quotes"
_MOST_VERSION = 2**63 - 1
_FINER = re.compile("[.][0-9]{6}[0-9]*[1-9]")  # than a microsecond
_MOST_WAIT = 300.0  # seconds, for a host that does not answer, or a warehouse that starts
_MOST_BYTES = 1 << 23  # of documents in memory
_FILE = pa.schema(
    [
        ("BATCH_DATE", pa.string()),
        ("TYPE", pa.string()),
        ("ID", pa.string()),
        ("VERSION", pa.int64()),
        ("CHUNK", pa.int32()),
        ("AUTHOR", pa.string()),
        ("DATE", pa.string()),
        ("DELETED", pa.bool_()),
        ("DATA", pa.string()),
    ]
)


def _name(identifier: str) -> str:
    return "`" + identifier.upper().replace("`", "``") + "`"


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _path(keys: Sequence[str]) -> str:
    steps = (f"['{key}']" if '"' in key else f'["{key}"]' for key in keys)
    return _text("$" + "".join(steps))


_VIEW_STATEMENTS = ViewStatements(
    of_documents="execute_databricks.of_documents",
    of_lists="execute_databricks.of_lists",
    items="execute_databricks.items",
    guard="execute_databricks.guard",
    item="execute_databricks.item",
    kinds={
        "text": "execute_databricks.text",
        "integer": "execute_databricks.integer",
        "decimal": "execute_databricks.decimal",
        "boolean": "execute_databricks.boolean",
        "local_time": "execute_databricks.local_time",
        "time": "execute_databricks.time",
        "json": "execute_databricks.json",
    },
)
_STATEMENTS = Statements(
    prepare=(
        "execute_databricks.create_documents",
        "execute_databricks.create_marks",
        "execute_databricks.create_volume",
    ),
    has_marks="execute_databricks.has_marks",
    mark="execute_databricks.mark",
    move_mark="execute_databricks.move_mark",
    is_empty="execute_databricks.is_empty",
    newest_batch="execute_databricks.newest_batch",
    prune="execute_databricks.prune",
    create_view="execute_databricks.create_view",
    latest="execute_databricks.latest",
    latest_all_versions="execute_databricks.latest_all_versions",
    add_source="execute_databricks.add_source",
)
DIALECT = ViewDialect(_VIEW_STATEMENTS, _name, _text, _path)


class DatabricksTarget(TextTarget):
    """A schema of a catalog. dsn: see `read_dsn`."""

    def __init__(self, dsn: str) -> None:
        try:
            from databricks import sql
        except ImportError:
            raise ConfigurationError(
                "Databricks needs its driver: pip install 'dapu[databricks]'"
            ) from None
        super().__init__(DIALECT, _STATEMENTS, _LONGEST, "Databricks says", sql.exc.Error)
        keywords = read_dsn(dsn)
        self._volume = f"/Volumes/{keywords['catalog']}/{keywords['schema']}/EXECUTE_SYNC_STAGE"
        ours = {
            "user_agent_entry": "dapu execute",
            "staging_allowed_local_path": tempfile.gettempdir(),
            "enable_telemetry": False,  # to Databricks itself, of every statement
            "_tls_trusted_ca_file": bundle(),
            "_retry_stop_after_attempts_duration": _MOST_WAIT,
        }
        with self._translated_errors():
            self._session = sql.connect(**ours | keywords)

    def load(self, answer: ExecuteAnswer, incoming: Incoming, step: MarkStep) -> None:  # noqa: ARG002
        """See `ExecuteTarget.load`. The documents first, then their mark."""
        self._run(self._names.add_source, source=step.source)
        if self._mark(step.source) != step.before:
            raise moved_meanwhile(step)
        self._load(incoming, next_batch(self._value(self._names.newest_batch)))
        values = {"source": step.source, "before": step.before or "", "after": step.after}
        if not self._value(self._names.move_mark, **values):
            raise JobError(
                f"another process has moved the mark of {step.source} on from "
                f"{step.before or 'nothing'}; the documents of this answer are there twice, which "
                "no view shows and `dapu execute prune` mends. Let only one process sync into a "
                "warehouse"
            )

    def create_views(self, schema: Schema) -> list[str]:
        """See `ExecuteTarget.create_views`."""
        self._put_view(ALL_VERSIONS, statement(self._names.latest_all_versions))
        self._put_view(LATEST, statement(self._names.latest))
        problems = []
        for view in plan_views(schema, (DOCUMENTS, MARKS, LATEST, ALL_VERSIONS), _LONGEST):
            problem = _problem(view)
            if problem:
                problems.append(problem)
                continue
            shown = [column for column in view.columns if not any(map(_NOT_IN_PATHS, column.path))]
            problems.extend(
                f"the view {view.name} is without {column.name!r}: {_NO_PATH}"
                for column in view.columns
                if column not in shown
            )
            self._put_view(view.name, self._dialect.query(replace(view, columns=tuple(shown))))
        return problems

    def prune(self) -> int:
        """See `ExecuteTarget.prune`. Removes what lies in the volume too."""
        count = int(self._value(self._names.prune) or 0)
        files = self._execute(fill("execute_databricks.list_volume", volume=self._volume))
        for file in files.fetchall():
            self._execute(fill("execute_databricks.remove", file=str(file[0])))
        return count

    def _put_view(self, name: str, query: str) -> None:
        super()._put_view(name, query)
        view = self._dialect.name(name)
        self._execute(fill("execute_databricks.alter_view", view=view, query=query))

    def _defining(self) -> AbstractContextManager[None]:
        """See `TextTarget._defining`: each statement commits itself."""
        return nullcontext()

    def _load(self, incoming: Incoming, first: datetime) -> None:
        remote = f"{self._volume}/{uuid.uuid4().hex}.parquet"
        with tempfile.TemporaryDirectory(prefix="dapu-execute-") as folder:
            local = Path(folder) / "documents.parquet"
            count = _write(local, incoming.rows(first))
            if not count:
                return
            text = fill("execute_databricks.put", local=_text(str(local)), file=remote)
            self._execute(text)
        found = self._execute(fill("execute_databricks.insert", file=remote)).fetchone()
        with suppress(JobError):  # else `prune` does it
            self._execute(fill("execute_databricks.remove", file=remote))
        stored = found[0] if found else 0
        if stored != count:
            raise JobError(
                f"Databricks stored {stored:,} of {count:,} rows; the mark stays, and the next "
                "round reads them again"
            )


def _problem(view: HelperView) -> str | None:
    """Why a view cannot be there."""
    if _NOT_IN_NAMES.search(view.name):
        return f"there is no view {view.name!r}: Databricks has no names with a space, dot or slash"
    steps = (*view.record, *(step for path in view.lists for step in path))
    return f"there is no view {view.name!r}: {_NO_PATH}" if any(map(_NOT_IN_PATHS, steps)) else None


def _write(file: Path, rows: Iterator[Row]) -> int:
    """Writes a Parquet file; returns the number of rows."""
    count = size = 0
    group: list[dict[str, Any]] = []
    with pq.ParquetWriter(file, _FILE, compression="zstd") as writer:
        for row in rows:
            group.append(_record(row))
            count += 1
            size += len(group[-1]["DATA"])
            if size > _MOST_BYTES:
                writer.write_table(pa.Table.from_pylist(group, _FILE))
                group, size = [], 0
        writer.write_table(pa.Table.from_pylist(group, _FILE))
    return count


def _record(row: Row) -> dict[str, Any]:
    header = row.header
    if abs(header.version) > _MOST_VERSION:
        raise JobError(
            f"{header} has a $VERSION that Databricks' bigint cannot hold; nothing of the answer "
            "was kept"
        )
    if _FINER.search(header.date):
        raise JobError(
            f"{header} has $DATE: {header.date}, and Databricks keeps no parts of a microsecond; "
            "nothing of the answer was kept"
        )
    values = (
        row.batch.replace(tzinfo=None).isoformat(),
        *header[:3],
        row.chunk,
        header.author,
        header.date.removesuffix("Z"),
        header.deleted,
        b"".join(row.data).decode(),
    )
    return dict(zip(_FILE.names, values, strict=True))
