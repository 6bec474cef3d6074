"""What the warehouses share whose statements are text: all but PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dapu.errors import JobError
from dapu.execute.dialect import ViewDialect, fill
from dapu.execute.documents import next_batch
from dapu.execute.helper_views import plan_views
from dapu.execute.schema import Schema
from dapu.execute.target import ALL_VERSIONS, DOCUMENTS, LATEST, MARKS, MarkStep, moved_meanwhile
from dapu.named_sql import statement
from dapu.secrets import redact


@dataclass(frozen=True)
class Statements:
    """The names of a target's statements."""

    prepare: tuple[str, ...]
    """Make what is missing."""

    has_marks: str
    mark: str
    move_mark: str
    is_empty: str
    newest_batch: str
    prune: str
    create_view: str
    latest: str
    latest_all_versions: str

    add_source: str = ""
    lock: str = ""
    """These two where loaders wait for each other at the source's row of marks."""

    begin: str = ""
    commit: str = ""
    rollback: str = ""
    """These where the driver does not do it itself."""


class TextTarget:
    """A session of a DB-API driver.

    longest: bytes of a name.
    who: begins the message of an error of the driver. error: the base class of these.
    """

    _session: Any

    def __init__(
        self,
        dialect: ViewDialect,
        statements: Statements,
        longest: int,
        who: str,
        error: type[Exception],
    ) -> None:
        self._dialect, self._names, self._longest = dialect, statements, longest
        self._who, self._error = who, error

    def prepare(self) -> None:
        """See `ExecuteTarget.prepare`."""
        with self._defining():
            for name in self._names.prepare:
                self._run(name)

    def mark(self, source: str) -> str | None:
        """See `ExecuteTarget.mark`."""
        with self._alone():
            return self._mark(source)

    def has_marks(self) -> bool:
        """See `ExecuteTarget.has_marks`."""
        with self._alone():
            return bool(self._value(self._names.has_marks))

    def is_empty(self) -> bool:
        """See `ExecuteTarget.is_empty`."""
        with self._alone():
            return bool(self._value(self._names.is_empty))

    def create_views(self, schema: Schema) -> list[str]:
        """See `ExecuteTarget.create_views`. Views keep their permissions."""
        taken = (DOCUMENTS, MARKS, LATEST, ALL_VERSIONS)
        with self._defining():
            self._put_view(ALL_VERSIONS, statement(self._names.latest_all_versions))
            self._put_view(LATEST, statement(self._names.latest))
            for view in plan_views(schema, taken, self._longest):
                self._put_view(view.name, self._dialect.query(view))
        return []

    def prune(self) -> int:
        """See `ExecuteTarget.prune`."""
        with self._transaction():
            return int(self._run(self._names.prune).rowcount)

    def stop(self) -> None:
        """See `ExecuteTarget.stop`: its statements end with the process."""

    def close(self) -> None:
        """See `ExecuteTarget.close`."""
        self._session.close()

    def _alone(self) -> AbstractContextManager[None]:
        """What one statement stands in: here each is a transaction of its own."""
        return nullcontext()

    def _defining(self) -> AbstractContextManager[None]:
        """What the statements stand in that make tables and views."""
        return self._transaction()

    @contextmanager
    def _batch(self, step: MarkStep) -> Iterator[datetime]:
        """A transaction for documents and their mark, from its beginning on for one loader only.

        Gives the BATCH_DATE. Raises JobError when the mark is not `step.before` any more.
        """
        with self._alone():
            self._run(self._names.add_source, source=step.source)
        with self._transaction():
            self._run(self._names.lock, source=step.source)
            if self._mark(step.source) != step.before:
                raise moved_meanwhile(step)
            yield next_batch(self._value(self._names.newest_batch))
            self._run(self._names.move_mark, source=step.source, after=step.after)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._run(self._names.begin)
        try:
            yield
            self._run(self._names.commit)
        except BaseException:
            with suppress(JobError):  # the first error counts
                self._run(self._names.rollback)
            raise

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            raise JobError(f"{self._who}: {redact(str(error)).strip()}") from error

    def _mark(self, source: str) -> str | None:
        mark = self._value(self._names.mark, source=source)
        return None if mark is None else str(mark)

    def _put_view(self, name: str, query: str) -> None:
        view = self._dialect.name(name)
        self._execute(fill(self._names.create_view, view=view, query=query))

    def _value(self, name: str, /, **values: str) -> Any:
        row = self._run(name, **values).fetchone()
        return row[0] if row else None

    def _run(self, name: str, /, **values: str | None) -> Any:
        return self._execute(statement(name), values)

    def _execute(self, text: str, values: Any = None) -> Any:
        with self._translated_errors():
            cursor = self._session.cursor()
            cursor.execute(text, *([values] if values else []))
            return cursor
