"""`do: rest`: the records of a web service become the rows of the task's table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dapu.agents.base import Context, SourceAgent
from dapu.agents.incremental.newest import Newest
from dapu.agents.incremental.resume import bounds, keep_newest
from dapu.agents.rest_options import WATERMARK, RestColumn, RestOptions
from dapu.errors import ConfigurationError, FaultyPath, JobError, JobInterrupted, WrongBackfill
from dapu.loading.options import LoadOptions
from dapu.loading.result import LoadResult
from dapu.loading.table.relation import describe
from dapu.rows.python_values import read_exactly
from dapu.rows.rows import Rows
from dapu.sources.documents.paths import Path
from dapu.sources.documents.record_rows import Batch, DocumentRows, NulPolicy, RecordField
from dapu.sources.http.conditional import condition, marks
from dapu.sources.http.messages import Request, below
from dapu.sources.http.pages import Pages
from dapu.sources.http.paging import Page
from dapu.sources.http.request_placeholders import fill_body, fill_parameters, fill_path
from dapu.sources.http.session import HttpSession
from dapu.suggest import nearest
from dapu.text import counted
from dapu.warehouse.connection_kinds import RestConnection

Take = Callable[[Any, Mapping[str, Any]], Any]

_DOCUMENT = "document"
_REMEMBERED = "answer"
_UNCHANGED = 304


class RestAgent(SourceAgent[RestOptions]):
    """Asks a web service, page by page."""

    name = "rest"
    options = RestOptions
    _reading: _RestReading

    def run(self, context: Context, options: RestOptions) -> LoadResult:
        """See `SourceAgent`. Questions that were left out are counted."""
        return super().run(context, options).also(self._reading.left_out)

    @contextmanager
    def read(self, context: Context, options: RestOptions) -> Iterator[Rows | None]:
        """The records; None when the server says that nothing has changed."""
        connection = _connection(context, options)
        with (
            closing(HttpSession(connection, context.note)) as session,
            context.stoppable(session.stop),
        ):
            self._reading = _RestReading(context, options, connection, session)
            yield self._reading.rows()
            self._reading.finish()


@dataclass(frozen=True)
class _Question:
    """One question, of which an answer may have several pages.

    values: the names of `repeat` with their values. label: them, for messages.
    """

    request: Request
    values: Mapping[str, Any]
    label: str


class _Row(NamedTuple):
    """A row and the record that it stands in, which is the row itself without `rows`."""

    row: Any
    record: Any


class _RestReading:
    """One run of the agent."""

    def __init__(
        self,
        context: Context,
        options: RestOptions,
        connection: RestConnection,
        session: HttpSession,
    ) -> None:
        self._context, self._options = context, options
        self._connection, self._session = connection, session
        self._paging = None if options.pages == "none" else options.pages
        records, one_is_all = Path(options.records), options.pages == "none"
        self._pages = Pages(
            session, options.format, records, self._paging, context.note, one_is_all
        )
        if (context.backfill or {}).get("to") is not None:
            raise WrongBackfill(
                "a web service is asked from the watermark's value on, and gives all that follows: "
                "leave --to out"
            )
        self._low = bounds(context, options.watermark).low
        self._newest = Newest(options.watermark.column) if options.watermark else None
        self._documents: DocumentRows | None = None
        self._paths = [path for path in map(_path, (options.columns or {}).values()) if path]
        self._list = Path(options.rows) if options.rows is not None else None
        self._has_records = self._has_lists = False  # whether any record was there, and any `rows`
        self._finds = False  # whether any row has the key of any column
        self._questions, self._failed = 0, list[str]()

    def rows(self) -> Rows | None:
        """The rows; pages after the first are asked for while rows are loaded."""
        with self._context.session.cursor() as cursor:
            target = describe(cursor, self._context.table)
            repeated = self._repeated(cursor)
        types = {column.name: column.type for column in target.columns} if target else {}
        questions = map(self._question, repeated)
        if target is not None and self._is_one_answer():
            questions = map(self._if_changed, questions)
        self._context.note(f"reads {self._connection.name}: {self._options.path or '/'}")
        pages = self._walk(questions)
        first = next(pages, None)
        if first is not None and first[1].answer.status == _UNCHANGED:
            return None
        self._documents = DocumentRows(self._fields(types), _nul_policy(self._options))
        batches = (self._batch(*found) for found in chain(filter(None, [first]), pages))
        return self._documents.read(batches, self._session.stop)

    def finish(self) -> None:
        """Called when all rows are loaded."""
        if self._options.watermark is not None and self._newest is not None:
            keep_newest(self._context, self._options.watermark, self._newest)
        if self._failed and len(self._failed) == self._questions:
            raise JobError(f"each question failed; the first: {self._failed[0]}")
        if self._has_records and not self._has_lists:
            raise JobError(
                f"no record has {self._options.rows}, in which its rows are to be; where that is "
                f"as it should be, write `rows: {self._options.rows} || `[]``"
            )
        documents = self._documents
        if documents is None or not documents.count:
            return
        if self._paths and not self._finds:
            raise JobError(
                f"no record has {', '.join(path.text for path in self._paths)}, so that there is "
                "nothing for the columns: is it an error message? Say with `records` where the "
                "records are"
            )
        if documents.without_values:
            names = ", ".join(documents.without_values)
            self._context.note(f"no record has a value for {names}: are the paths right?")

    def _repeated(self, cursor: Cursor) -> list[dict[str, Any]]:
        """The values of each question."""
        repeat = self._options.repeat
        if repeat is None:
            return [{}]
        if repeat.query is None:
            return [dict(row) for row in repeat.values or []]
        query = self._context.sql(repeat.query).composed()
        read_exactly(cursor)
        try:
            cursor.execute(query)
            names = [column.name for column in cursor.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except psycopg2.errors.QueryCanceled:
            raise
        except psycopg2.Error as error:
            reason = error.diag.message_primary or error
            raise JobError(f"{repeat.query} (repeat): {reason}") from error
        for name in self._columns_of_repeat():
            if name not in names:
                raise JobError(f"{repeat.query} gives no column {name}{nearest(name, names)}")
        return rows

    def _columns_of_repeat(self) -> list[str]:
        columns = (self._options.columns or {}).values()
        return [c.repeat for c in columns if isinstance(c, RestColumn) and c.repeat]

    def _question(self, values: Mapping[str, Any]) -> _Question:
        options = self._options
        known = {**self._context.action.variables, **values, WATERMARK: self._low}
        request = Request(
            below(self._connection.url, fill_path(options.path, known)),
            options.method,
            fill_parameters(options.parameters, known),
            options.headers,
            fill_body(options.body, known),
        )
        label = "".join(f"{name} = {value}, " for name, value in values.items())
        return _Question(request, values, label)

    @property
    def left_out(self) -> tuple[str, ...]:
        """A note on the questions that failed and were left out."""
        failed = len(self._failed)
        return (f"{failed:,} of {counted(self._questions, 'question')} left out",) if failed else ()

    def _walk(self, questions: Iterable[_Question]) -> Iterator[tuple[_Question, Page]]:
        repeat = self._options.repeat
        skips = repeat is not None and repeat.on_error == "skip"
        for question in questions:
            self._questions += 1
            try:
                for page in self._pages.walk(question.request, question.label):
                    yield question, page
            except JobInterrupted:
                raise
            except JobError as error:
                if not skips:
                    raise
                self._failed.append(f"{question.label}{error}")
                self._context.note(f"left out: {self._failed[-1]}", error.data)

    def _is_one_answer(self) -> bool:
        """Whether one answer is all, so that it alone says whether anything changed."""
        options = self._options
        several = self._paging or options.repeat or options.watermark
        return options.method == "GET" and several is None

    def _if_changed(self, question: _Question) -> _Question:
        seen = self._context.state_before.entries.get(_REMEMBERED, {})
        headers = condition(seen, self._identity(question))
        return replace(question, request=question.request.with_headers(headers))

    def _identity(self, question: _Question) -> str:
        """What must be the same for an answer to be the same, its use included."""
        text = question.request.identity + self._options.model_dump_json()
        return hashlib.sha256(text.encode()).hexdigest()

    def _batch(self, question: _Question, page: Page) -> Batch:
        if self._is_one_answer():
            found = marks(page.answer, self._identity(question))
            self._context.state_after.entries[_REMEMBERED] = found
        rows = [row for record in page.records for row in self._rows_of(record)]
        self._finds = self._finds or any(
            path.is_in(row.row) for row in rows for path in self._paths
        )
        label = question.label
        if self._paging is not None:
            label += f"page {page.number}, "
        return Batch(self._with_watermark(rows, question.values), label, question.values)

    def _rows_of(self, record: Any) -> list[_Row]:
        if self._list is None:
            return [_Row(record, record)]
        self._has_records, self._has_lists = True, self._has_lists or self._list.is_in(record)
        found = self._list.of(record)
        if found is None:
            return []
        return [_Row(row, record) for row in (found if isinstance(found, list) else [found])]

    def _with_watermark(self, records: list[Any], beside: Mapping[str, Any]) -> list[Any]:
        watermark = self._options.watermark
        if watermark is None or watermark.nulls == "include":
            return records
        take = _take((self._options.columns or {})[watermark.column])
        return [record for record in records if take(record, beside) is not None]

    def _fields(self, types: Mapping[str, str]) -> list[RecordField]:
        columns = self._options.columns
        if columns is None:
            return [
                RecordField(_DOCUMENT, lambda record, _: record.row, types.get(_DOCUMENT, "jsonb"))
            ]
        fields = []
        for name, column in columns.items():
            given = column.type if isinstance(column, RestColumn) else None
            take = _take(column)
            if self._newest is not None and name == self._newest.column:
                take = self._watched(take, self._newest)
            fields.append(RecordField(name, take, given or types.get(name)))
        return fields

    def _watched(self, take: Take, newest: Newest) -> Take:
        def watched(record: Any, beside: Mapping[str, Any]) -> Any:
            value = take(record, beside)
            if value is None:
                raise FaultyPath(
                    f"there is no value for {newest.column}, the watermark's column; "
                    "`nulls: skip` leaves such records out"
                )
            newest.see(value)
            return value

        return watched


def _connection(context: Context, options: RestOptions) -> RestConnection:
    name = options.connection or context.action.connection
    connection = context.warehouse.connections.named(name)
    if not isinstance(connection, RestConnection):
        raise ConfigurationError(f"the connection `{name}` is not a web service (`driver: rest`)")
    return connection


def _take(column: str | RestColumn) -> Take:
    if isinstance(column, RestColumn) and column.repeat is not None:
        name = column.repeat
        return lambda _, beside: beside[name]
    if isinstance(column, RestColumn) and column.record is not None:
        beside_it = Path(column.record)
        return lambda record, _: beside_it.of(record.record)
    path = _path(column) or Path("@")
    return lambda record, _: path.of(record.row)


def _path(column: str | RestColumn) -> Path | None:
    """Where in a row a column's values are; None of a column that is not of the row."""
    text = column if isinstance(column, str) else column.path
    return Path(text) if text else None


def _nul_policy(options: LoadOptions) -> NulPolicy:
    if options.nul_characters == "remove":
        return "remove"
    return "fail" if options.on_bad_value == "fail" else "pass"
