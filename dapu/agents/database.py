"""`do: database`: a query of another database becomes the rows of the task's table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import ClassVar, Literal

from psycopg2.extensions import cursor as Cursor
from pydantic import Field, model_validator

from dapu.agents.base import Agent, Context
from dapu.agents.incremental.bounded_query import bounded_query
from dapu.agents.incremental.changed_blocks import ChangedBlocks
from dapu.agents.incremental.key_sweep import Sweep
from dapu.agents.incremental.partition_split import by_partition
from dapu.agents.incremental.split import SplitLoad
from dapu.agents.incremental.split_options import SplitOptions
from dapu.agents.incremental.widen import ColumnTypes, RefusedValues, known_types, load_and_widen
from dapu.errors import WrongBackfill
from dapu.loading.load import load
from dapu.loading.options import KeySweep, LoadOptions
from dapu.loading.result import LoadResult
from dapu.rows.rows import Rows
from dapu.sources.databases.open import dialect_of, open_source
from dapu.sources.databases.source import Reader, Source
from dapu.statement import Statement


class DatabaseOptions(LoadOptions):
    """Pulls a query of a database into the task's table."""

    looks_for_keys: ClassVar[bool] = True
    can_hash: ClassVar[bool] = True

    do: Literal["database"]
    query: str = Field(description="A SQL file; it runs in the source")
    connection: str | None = Field(None, description="Default: the route's")
    reader: Reader = Field(
        "auto",
        description="`native` is made for the database, `generic` goes through SQLAlchemy; `auto` "
        "takes the native one wherever it can read the query",
    )
    changes: Literal["blocks"] | None = Field(
        None,
        description="With `load: snapshot`: the source says by hashes which blocks of about 8,000 "
        "rows changed, and only those are read",
    )
    split: SplitOptions | None = Field(
        None, description="Read a large table in parts, several at once; a load that breaks goes on"
    )

    def sql_files(self) -> list[str]:
        """The query."""
        return [self.query]

    def in_one_transaction(self) -> DatabaseOptions:
        """See `LoadOptions`."""
        return self.model_copy(update={"split": None})

    @model_validator(mode="after")
    def _is_complete(self) -> DatabaseOptions:
        if self.changes and self.load != "snapshot":
            raise ValueError("`changes: blocks` sees deletions too: it goes with `load: snapshot`")
        if (self.hash or self.mask) and (self.split or self.changes):
            raise ValueError("`hash` and `mask` go without `split` and `changes: blocks`")
        if self.split and self.changes:
            raise ValueError("`split` reads everything, `changes: blocks` does not: give one")
        if self.split and self.split.by_partition and (self.load != "replace" or self.period):
            raise ValueError("`split: {every: partition}` goes with `load: replace`, and no period")
        if self.split and self.on_bad_value != "fail":
            raise ValueError(
                "`split` goes with `on_bad_value: fail`, `zero_dates` and `nul_characters`; leave "
                f"`split` or `on_bad_value: {self.on_bad_value}` out"
            )
        return self


class DatabaseAgent(Agent[DatabaseOptions]):
    """Pulls a query of any database."""

    name = "database"
    options = DatabaseOptions

    def run(self, context: Context, options: DatabaseOptions) -> LoadResult:
        """Pulls the query's rows; with a watermark, those from the last highest value on."""
        connection = options.connection or context.action.connection
        with _opened(context, options) as source, context.session.cursor() as cursor:
            result = _pull(cursor, context, options, source, connection)
            if isinstance(options.deletes, KeySweep):
                sweep = Sweep(context, options.query, options, options.deletes)
                removed = sweep.run(cursor, source)
                return replace(result.also(removed.notes), deleted=removed.rows)
            return result

    def statements(self, context: Context, options: DatabaseOptions) -> dict[str, Statement]:
        """See `Agent`. The source is asked for the watermark's upper bound."""
        with _opened(context, options) as source:
            return {options.query: _query(context, options, source)}

    @contextmanager
    def preview(self, context: Context, options: DatabaseOptions) -> Iterator[Rows]:
        """See `Agent`. The query without bounds, but for `initial`."""
        initial = options.watermark.initial if options.watermark else None
        with _opened(context, options) as source:
            yield source.read(context.sql(options.query, watermark=initial), None)


@contextmanager
def _opened(context: Context, options: DatabaseOptions) -> Iterator[Source]:
    name = options.connection or context.action.connection
    with (
        closing(open_source(context.warehouse, name, options.reader)) as source,
        context.stoppable(source.stop),
    ):
        yield source


def _pull(
    cursor: Cursor, context: Context, options: DatabaseOptions, source: Source, connection: str
) -> LoadResult:
    query = _query(context, options, source)

    def attempt(column_types: ColumnTypes, refused_values: RefusedValues) -> LoadResult:
        if options.changes == "blocks":
            dialect = dialect_of(context.warehouse, connection)
            blocks = ChangedBlocks(
                context, options, source, dialect, query, column_types, refused_values
            )
            return blocks.run(cursor)
        reads_all = options.watermark is None or context.state_before.watermark is None
        if options.split is not None and reads_all and context.backfill is None:
            of_source = (query, connection, options.reader)
            parts = SplitLoad(context, options, options.split, *of_source, refused_values)
            if options.split.by_partition:
                parts = by_partition(cursor, parts)
            return parts.run(cursor, source, column_types)
        rows = source.read(query, column_types)
        context.note(f"reads {options.query} ({source.description})")
        steps, scope = context.action.has_steps, context.scope
        return load(
            cursor,
            context.table,
            rows,
            options,
            has_steps=steps,
            scope=scope,
            refused_values=refused_values,
            hash_key=context.hash_key,
        )

    return load_and_widen(
        cursor, context, source, known_types(cursor, context, options, source), attempt
    )


def _query(context: Context, options: DatabaseOptions, source: Source) -> Statement:
    if options.watermark is not None:
        return bounded_query(context, options.query, options.watermark, source)
    if context.backfill is not None:
        raise WrongBackfill("--from and --to need an action with a `watermark`")
    return context.sql(options.query)
