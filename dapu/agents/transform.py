"""`do: transform`: a SELECT in the warehouse becomes the task's table or view."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import psycopg2
from psycopg2 import extensions
from psycopg2.extensions import cursor as Cursor
from pydantic import Field, model_validator

from dapu.agents.base import Agent, Context
from dapu.agents.incremental.bounded_query import bounded_query
from dapu.errors import Fault, JobError
from dapu.loading.load import load
from dapu.loading.options import LoadOptions, SchemaChange
from dapu.loading.result import LoadResult
from dapu.loading.table.relation import columns_of_query
from dapu.loading.table.views import put_view
from dapu.rows.rows import QueryRows, Rows
from dapu.sources.databases.source import NO_SLACK
from dapu.statement import Statement


class TransformOptions(LoadOptions):
    """Builds the task's table or view from a SELECT in the warehouse."""

    sees_table: ClassVar[bool] = True

    do: Literal["transform"]
    query: str = Field(description="A SQL file with one SELECT")
    materialize: Literal["table", "view"] = Field(
        "table", description="`view` stores nothing: the query runs when somebody reads it"
    )

    def sql_files(self) -> list[str]:
        """The query."""
        return [self.query]

    def change_policy(self, has_steps: bool) -> SchemaChange:
        """See `LoadOptions`. A table that is replaced whole has the query's columns, no others."""
        policy = super().change_policy(has_steps)
        if self.load != "replace" or has_steps or "removed" in policy.model_fields_set:
            return policy
        return policy.model_copy(update={"removed": "drop"})

    @model_validator(mode="after")
    def _view_has_no_rows(self) -> TransformOptions:
        if self.materialize == "view" and (self.watermark or self.key or self.load != "replace"):
            raise ValueError("a view has no rows of its own: leave `load`, `key`, `watermark` out")
        return self


class _Warehouse:
    """The warehouse as its own source, in the job's transaction."""

    description = "the warehouse"
    time_slack = NO_SLACK
    own_schema = "pg_catalog."

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def quote(self, identifier: str) -> str:
        return extensions.quote_ident(identifier, self._cursor)

    def value(self, query: Statement) -> Any:
        self._cursor.execute(query.composed())
        row = self._cursor.fetchone()
        return row[0] if row else None

    def rows(self, query: Statement) -> list[tuple[Any, ...]]:
        self._cursor.execute(query.composed())
        return self._cursor.fetchall()


class TransformAgent(Agent[TransformOptions]):
    """Builds a table or view from a SELECT; one that would be as it is stays untouched."""

    name = "transform"
    options = TransformOptions

    def run(self, context: Context, options: TransformOptions) -> LoadResult:
        """Builds aside, compares, and swaps."""
        with context.session.cursor() as cursor:
            try:
                return _build(cursor, context, options)
            except (psycopg2.errors.QueryCanceled, psycopg2.OperationalError):
                raise
            except psycopg2.Error as error:
                reason = error.diag.message_primary or str(error)
                line = context.sent.line_of(error)
                fault = Fault(context.action.folder / options.query, line, reason)
                raise JobError(str(fault)) from error

    def statements(self, context: Context, options: TransformOptions) -> dict[str, Statement]:
        """See `Agent`."""
        with context.session.cursor() as cursor:
            return {options.query: _query(cursor, context, options)}

    @contextmanager
    def preview(self, context: Context, options: TransformOptions) -> Iterator[Rows]:
        """See `Agent`."""
        initial = options.watermark.initial if options.watermark else None
        with context.session.cursor() as cursor:
            query = context.sql(options.query, watermark=initial).without_end().composed()
            yield QueryRows(columns_of_query(cursor, query), query)


def _query(cursor: Cursor, context: Context, options: TransformOptions) -> Statement:
    if options.watermark is None:
        return context.sql(options.query)
    return bounded_query(context, options.query, options.watermark, _Warehouse(cursor))


def _build(cursor: Cursor, context: Context, options: TransformOptions) -> LoadResult:
    query = _query(cursor, context, options).without_end().composed()
    if options.materialize == "view":
        return put_view(cursor, context.table, query)
    rows = QueryRows(columns_of_query(cursor, query), query)
    return load(
        cursor,
        context.table,
        rows,
        options,
        has_steps=context.action.has_steps,
        scope=context.scope,
        keep_equal=True,
    )
