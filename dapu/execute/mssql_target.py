"""SQL Server as a warehouse of `dapu execute`."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from dapu.errors import ConfigurationError, JobError
from dapu.execute import mssql_odbc
from dapu.execute.client import ExecuteAnswer
from dapu.execute.dialect import ViewDialect, ViewStatements, fill
from dapu.execute.documents import Incoming
from dapu.execute.helper_views import HelperView, Kind
from dapu.execute.mssql_login import AZURE, read_dsn
from dapu.execute.target import MarkStep
from dapu.execute.text_target import Statements, TextTarget
from dapu.named_sql import statement

_LONGEST = 128  # characters of a name
_MOST_ROWS, _MOST_BYTES = 100, 1 << 22  # in one statement


def _name(identifier: str) -> str:
    return "[" + identifier.upper().replace("]", "]]") + "]"


def _text(value: str) -> str:
    return "N'" + value.replace("'", "''") + "'"


def _path(keys: Sequence[str]) -> str:
    return "'$" + "".join(f".{json.dumps(key)}" for key in keys).replace("'", "''") + "'"


class _MssqlViewDialect(ViewDialect):
    """A field comes from OPENJSON … WITH: JSON_VALUE gives NULL for a text of 4,000 characters."""

    def field(self, item: str, path: Sequence[str], kind: Kind) -> str:  # noqa: ARG002
        """See `ViewDialect.field`: the id of an item, which is short."""
        return fill("execute_mssql.item_id", item=item, path=self.path(path))

    def fields(self, view: HelperView) -> Iterator[tuple[str, str]]:
        """See `ViewDialect.fields`."""
        for column in view.columns:
            yield column.name, f"f.{self.name(column.name)}"

    def record(self, view: HelperView) -> str:
        """See `ViewDialect.record`."""
        fields = [
            fill(
                self.statements.kinds[column.kind],
                name=self.name(column.name),
                path=self.path((*view.record, *column.path)),
            )
            for column in view.columns
        ]
        if not fields:
            return ""
        item = self.item(len(view.lists))
        return fill("execute_mssql.record", item=item, fields=", ".join(fields))


_VIEW_STATEMENTS = ViewStatements(
    of_documents="execute_mssql.of_documents",
    of_lists="execute_mssql.of_lists",
    items="execute_mssql.items",
    guard="execute_mssql.guard",
    item="execute_mssql.item",
    kinds={
        "text": "execute_mssql.text",
        "integer": "execute_mssql.integer",
        "decimal": "execute_mssql.decimal",
        "boolean": "execute_mssql.boolean",
        "local_time": "execute_mssql.local_time",
        "time": "execute_mssql.time",
        "json": "execute_mssql.json",
    },
)
_STATEMENTS = Statements(
    prepare=(
        "execute_mssql.create_documents",
        "execute_mssql.index_versions",
        "execute_mssql.create_marks",
    ),
    has_marks="execute_mssql.has_marks",
    mark="execute_mssql.mark",
    move_mark="execute_mssql.move_mark",
    is_empty="execute_mssql.is_empty",
    newest_batch="execute_mssql.newest_batch",
    prune="execute_mssql.prune",
    create_view="execute_mssql.create_view",
    latest="execute_mssql.latest",
    latest_all_versions="execute_mssql.latest_all_versions",
    add_source="execute_mssql.add_source",
    lock="execute_mssql.lock",
)
DIALECT = _MssqlViewDialect(_VIEW_STATEMENTS, _name, _text, _path)


class MssqlTarget(TextTarget):
    """The default schema of a SQL Server database. dsn: see `read_dsn`."""

    def __init__(self, dsn: str) -> None:
        keywords = {"appname": "dapu execute"} | read_dsn(dsn)
        azure = keywords.pop(AZURE, None)
        driver = _driver("pyodbc", "azure") if azure else _driver("pymssql", "mssql")
        super().__init__(DIALECT, _STATEMENTS, _LONGEST, "SQL Server says", driver.Error)
        with self._translated_errors():
            self._session = (
                mssql_odbc.connect(driver, keywords, azure) if azure else driver.connect(**keywords)
            )

    def load(self, answer: ExecuteAnswer, incoming: Incoming, step: MarkStep) -> None:  # noqa: ARG002
        """See `ExecuteTarget.load`."""
        with self._batch(step) as first:
            for rows in _groups(
                (
                    row.batch.replace(tzinfo=None).isoformat(),
                    *row.header[:3],
                    row.chunk,
                    row.header.author,
                    row.header.date.removesuffix("Z"),
                    row.header.deleted,
                    b"".join(row.data).decode(),
                )
                for row in incoming.rows(first)
            ):
                self._insert(rows)

    def _insert(self, rows: list[tuple[Any, ...]]) -> None:
        row = statement("execute_mssql.row")
        text = fill("execute_mssql.insert", rows=", ".join([row] * len(rows)))
        self._execute(text, tuple(value for one in rows for value in one))

    def _alone(self) -> AbstractContextManager[None]:
        """See `TextTarget._alone`: a question begins a transaction too, which must end."""
        return self._transaction()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Pymssql begins one with the first statement."""
        try:
            yield
            with self._translated_errors():
                self._session.commit()
        except BaseException:
            with suppress(JobError), self._translated_errors():  # the first error counts
                self._session.rollback()
            raise


def _driver(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ConfigurationError(
            f"SQL Server needs its driver: pip install 'dapu[{extra}]'"
        ) from None


def _groups(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """Rows in groups that one statement can take."""
    group: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        group.append(row)
        size += len(row[-1])
        if len(group) == _MOST_ROWS or size > _MOST_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group
