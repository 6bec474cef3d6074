"""`do: database`: a query of another database becomes the rows of the task's table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Literal

from pydantic import Field

from dapu.agents.base import Context, SourceAgent
from dapu.databases.open import open_source
from dapu.databases.source import Asked, Source
from dapu.definitions.templates import Statement
from dapu.errors import JobError
from dapu.loading.options import LoadOptions, WatermarkOptions
from dapu.loading.rows import Rows
from dapu.loading.tables import describe
from dapu.loading.watermark import begin_at, between, end_at, highest
from dapu.registry.watermarks import Watermark


class DatabaseOptions(LoadOptions):
    """Pulls a query of a database into the task's table."""

    do: Literal["database"]
    query: str = Field(description="A SQL file; it runs in the source")
    connection: str | None = Field(None, description="Default: the route's")

    def sql_files(self) -> list[str]:
        """The query."""
        return [self.query]


class DatabaseAgent(SourceAgent[DatabaseOptions]):
    """Pulls a query of any database."""

    name = "database"
    options = DatabaseOptions

    @contextmanager
    def read(self, context: Context, options: DatabaseOptions) -> Iterator[Rows | None]:
        """The query's rows; with a watermark, those from the last run's highest value on."""
        with (
            closing(
                open_source(context.warehouse, options.connection or context.connection)
            ) as source,
            context.stoppable(source.stop),
        ):
            query = self._query(context, options, source)
            with context.session.cursor() as cursor:
                target = describe(cursor, context.table)
            into = {column.name: column.type for column in target.columns} if target else None
            rows = source.read(query, into)
            context.note(f"reads {options.query} ({source.description})")
            yield rows

    def _query(self, context: Context, options: DatabaseOptions, source: Source) -> Statement:
        if options.watermark is None:
            return context.sql(options.query)
        return bounded_query(context, options.query, options.watermark, source)


def bounded_query(
    context: Context, file: str, watermark: WatermarkOptions, source: Asked
) -> Statement:
    """A query from the watermark on, up to the highest value that is there now.

    The upper bound is asked for first, so that the watermark is in the source's own terms and
    rows that come while others are read are left for the next run.
    """
    nulls = watermark.nulls == "include"
    low = _low(context, watermark)
    query = context.sql(file, watermark=low)
    from_low = between(query, watermark.column, low, None, source.quote)
    highest_now = source.value(highest(from_low, watermark.column, source.quote))
    high = end_at(watermark, highest_now, context.warehouse.settings.zone)
    if high is not None and (context.low is None or high > context.low.value):
        context.high = Watermark(watermark.column, high)
    return between(query, watermark.column, low, high, source.quote, nulls=nulls)


def _low(context: Context, watermark: WatermarkOptions) -> Any:
    last = context.low
    if last is not None and last.column != watermark.column:
        raise JobError(
            f"the watermark was kept for the column {last.column}, and is {watermark.column} now; "
            "read everything once with `dapu run --full`"
        )
    return begin_at(watermark, last.value if last else None)
