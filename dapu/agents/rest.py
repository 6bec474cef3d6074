"""`do: rest`: the records of a web service become the rows of the task's table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Annotated, Any, ClassVar, Literal

import psycopg2
from psycopg2.extensions import cursor as Cursor
from pydantic import Discriminator, Field, Tag, model_validator

from dapu.agents.base import Context, SourceAgent
from dapu.agents.incremental.newest import Newest
from dapu.agents.incremental.resume import bounds, keep_newest
from dapu.errors import ConfigurationError, FaultyPath, JobError, WrongBackfill
from dapu.loading.options import LoadOptions
from dapu.loading.table.relation import describe
from dapu.rows.python_values import read_exactly
from dapu.rows.rows import Rows
from dapu.sources.documents.column_types import ColumnType
from dapu.sources.documents.paths import Path
from dapu.sources.documents.record_rows import Batch, DocumentRows, NulPolicy, RecordField
from dapu.sources.http.conditional import condition, marks
from dapu.sources.http.messages import Request, below
from dapu.sources.http.pages import Format, Pages
from dapu.sources.http.paging import AnyPaging, JmesPath, Page
from dapu.sources.http.request_placeholders import fill_body, fill_parameters, fill_path, names_in
from dapu.sources.http.session import HttpSession
from dapu.suggest import nearest
from dapu.warehouse.connection_kinds import RestConnection
from dapu.warehouse.yamlfile import Strict

Take = Callable[[Any, Mapping[str, Any]], Any]

_DOCUMENT = "document"
_WATERMARK = "watermark"
_REMEMBERED = "answer"
_UNCHANGED = 304


class RestColumn(Strict):
    """A column: a part of each record, or a value that the record was asked for with."""

    path: JmesPath | None = Field(None, description="JMESPath in the record")
    repeat: str | None = Field(None, description="Or a name of `repeat`")
    type: ColumnType | None = Field(
        None, description="Type of PostgreSQL; default the table's, or found by the values"
    )

    @model_validator(mode="after")
    def _one_source(self) -> RestColumn:
        if (self.path is None) == (self.repeat is None):
            raise ValueError("a column has either a `path` in the record or a name of `repeat`")
        return self


AnyColumn = Annotated[
    Annotated[JmesPath, Tag("path")] | Annotated[RestColumn, Tag("column")],
    Discriminator(lambda value: "path" if isinstance(value, str) else "column"),
]


class Repeat(Strict):
    """One question a row: of a query of the warehouse, or of a list."""

    query: str | None = Field(None, description="A SQL file; it runs in the warehouse")
    values: list[dict[str, str | int | float | bool | None]] | None = Field(
        None, description="Rows, each with the same names"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Repeat:
        if (self.query is None) == (self.values is None):
            raise ValueError("`repeat` is either a `query` or a list of `values`")
        if self.values and any(row.keys() != self.values[0].keys() for row in self.values):
            raise ValueError("the rows of `values` must all have the same names")
        return self


class RestOptions(LoadOptions):
    """Brings the records of a web service into the task's table."""

    reads: ClassVar[tuple[str, ...]] = ("path",)

    do: Literal["rest"]
    connection: str | None = Field(None, description="Default: the route's")
    path: str = Field("", description="Below the connection's url; `{name}` is filled in")
    method: Literal["GET", "POST"] = Field("GET", description="POST only for what merely reads")
    parameters: dict[str, str | int | float | bool | list[str | int]] = Field(
        {}, description="Of the address; one that is nothing but `{name}` may have no value"
    )
    headers: dict[str, str] = Field({}, description="Beside those of the connection")
    body: dict[str, Any] | list[Any] | str | None = Field(
        None, description="Sent as JSON, or a text as it is; `{name}` is filled in"
    )
    format: Format | None = Field(None, description="Of the answers; default what they say")
    records: JmesPath = Field("@", description="JMESPath in an answer to the list of its records")
    columns: dict[str, AnyColumn] | None = Field(
        None,
        min_length=1,
        description="Names and JMESPaths; default the whole record in `document`, as jsonb",
    )
    pages: AnyPaging | Literal["none"] | None = Field(
        None,
        description="How an answer in pages goes on; `none`: one page is all, whatever it says",
    )
    repeat: Repeat | None = Field(None, description="One question a row of a query or a list")

    def sql_files(self) -> list[str]:
        """The query of `repeat`."""
        return [self.repeat.query] if self.repeat and self.repeat.query else []

    @model_validator(mode="after")
    def _fits_together(self) -> RestOptions:
        asked = {*names_in(self.path), *names_in(self.parameters), *names_in(self.body)}
        if self.watermark is not None:
            if self.watermark.column not in (self.columns or {}):
                raise ValueError(f"`watermark`: `columns` has no {self.watermark.column}")
            if _WATERMARK not in asked:
                raise ValueError(
                    "`watermark`: nothing asks for it; give, for example, "
                    "`parameters: {since: '{watermark}'}`"
                )
        if self.method == "GET" and self.body is not None:
            raise ValueError("a `body` needs `method: POST`")
        if self.repeat is not None and self.repeat.values:
            self._check_names(set(self.repeat.values[0]))
        if self.repeat is None:
            self._check_names(set())
        return self

    def _check_names(self, known: set[str]) -> None:
        for name, column in (self.columns or {}).items():
            asked = column.repeat if isinstance(column, RestColumn) else None
            if asked is not None and asked not in known:
                raise ValueError(f"columns.{name}: `repeat` has no {asked}{nearest(asked, known)}")


class RestAgent(SourceAgent[RestOptions]):
    """Asks a web service, page by page."""

    name = "rest"
    options = RestOptions

    @contextmanager
    def read(self, context: Context, options: RestOptions) -> Iterator[Rows | None]:
        """The records; None when the server says that nothing has changed."""
        connection = _connection(context, options)
        with (
            closing(HttpSession(connection, context.note)) as session,
            context.stoppable(session.stop),
        ):
            reading = _RestReading(context, options, connection, session)
            yield reading.rows()
            reading.finish()


@dataclass(frozen=True)
class _Question:
    """One question, of which an answer may have several pages.

    values: the names of `repeat` with their values. label: them, for messages.
    """

    request: Request
    values: Mapping[str, Any]
    label: str


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
        self._finds = False  # whether any record has the key of any column

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
        known = {**self._context.action.variables, **values, _WATERMARK: self._low}
        request = Request(
            below(self._connection.url, fill_path(options.path, known)),
            options.method,
            fill_parameters(options.parameters, known),
            options.headers,
            fill_body(options.body, known),
        )
        label = "".join(f"{name} = {value}, " for name, value in values.items())
        return _Question(request, values, label)

    def _walk(self, questions: Iterable[_Question]) -> Iterator[tuple[_Question, Page]]:
        for question in questions:
            for page in self._pages.walk(question.request, question.label):
                yield question, page

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
        self._finds = self._finds or any(
            path.is_in(record) for record in page.records for path in self._paths
        )
        label = question.label
        if self._paging is not None:
            label += f"page {page.number}, "
        return Batch(self._with_watermark(page.records, question.values), label, question.values)

    def _with_watermark(self, records: list[Any], beside: Mapping[str, Any]) -> list[Any]:
        watermark = self._options.watermark
        if watermark is None or watermark.nulls == "include":
            return records
        take = _take((self._options.columns or {})[watermark.column])
        return [record for record in records if take(record, beside) is not None]

    def _fields(self, types: Mapping[str, str]) -> list[RecordField]:
        columns = self._options.columns
        if columns is None:
            return [RecordField(_DOCUMENT, lambda record, _: record, types.get(_DOCUMENT, "jsonb"))]
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
    path = _path(column) or Path("@")
    return lambda record, _: path.of(record)


def _path(column: str | RestColumn) -> Path | None:
    """Where in a record a column's values are; None of a column of `repeat`."""
    text = column if isinstance(column, str) else column.path
    return Path(text) if text else None


def _nul_policy(options: LoadOptions) -> NulPolicy:
    if options.nul_characters == "remove":
        return "remove"
    return "fail" if options.on_bad_value == "fail" else "pass"
