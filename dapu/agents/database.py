"""`do: database`: a query of another database becomes the rows of the task's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from psycopg2 import extensions
from psycopg2.extensions import cursor as Cursor
from pydantic import Field, model_validator

from dapu.agents.base import Agent, Context
from dapu.databases.blocks import (
    Block,
    BlockSource,
    Range,
    any_of,
    changed_ranges,
    current_blocks,
)
from dapu.databases.open import dialect_of, open_source
from dapu.databases.source import Asked, Reader, Source
from dapu.definitions.templates import Statement
from dapu.errors import JobError
from dapu.loading.deletions import remove_missing
from dapu.loading.load import load
from dapu.loading.options import KeySweep, LoadOptions, WatermarkOptions
from dapu.loading.result import LoadResult
from dapu.loading.rows import Rows
from dapu.loading.tables import describe
from dapu.loading.watermark import begin_at, between, end_at, highest, without_end
from dapu.registry import blocks
from dapu.registry.values import from_text, to_text
from dapu.registry.watermarks import Watermark

_SWEPT = "keys swept at"


class DatabaseOptions(LoadOptions):
    """Pulls a query of a database into the task's table."""

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

    def sql_files(self) -> list[str]:
        """The query."""
        return [self.query]

    @model_validator(mode="after")
    def _blocks_are_complete(self) -> DatabaseOptions:
        if self.changes and self.load != "snapshot":
            raise ValueError("`changes: blocks` sees deletions too: it goes with `load: snapshot`")
        return self


class DatabaseAgent(Agent[DatabaseOptions]):
    """Pulls a query of any database."""

    name = "database"
    options = DatabaseOptions

    def run(self, context: Context, options: DatabaseOptions) -> LoadResult:
        """Pulls the query's rows; with a watermark, those from the last highest value on."""
        connection = options.connection or context.connection
        with (
            closing(open_source(context.warehouse, connection, options.reader)) as source,
            context.stoppable(source.stop),
            context.session.cursor() as cursor,
        ):
            query = _query(context, options, source)
            target = describe(cursor, context.table)
            into = {column.name: column.type for column in target.columns} if target else None
            if options.changes == "blocks":
                dialect = dialect_of(context.warehouse, connection)
                return _Blocks(context, options, source, dialect, query, into).run(cursor)
            rows = source.read(query, into)
            context.note(f"reads {options.query} ({source.description})")
            result = load(cursor, context.table, rows, options, has_steps=context.has_steps)
            if isinstance(options.deletes, KeySweep):
                sweep = _Sweep(context, options, options.deletes)
                return result.also(sweep.run(cursor, source))
            return result


def _query(context: Context, options: DatabaseOptions, source: Source) -> Statement:
    if options.watermark is not None:
        return bounded_query(context, options.query, options.watermark, source)
    if context.span is not None:
        raise JobError("--from and --to need an action with a `watermark`")
    return context.sql(options.query)


@dataclass(frozen=True)
class _Sweep:
    """Looks for rows that the source no longer has."""

    context: Context
    options: DatabaseOptions
    sweep: KeySweep

    def run(self, cursor: Cursor, source: Source) -> tuple[str, ...]:
        """Removes them when it is time to look; returns what to tell of it."""
        last = self.context.seen.get(_SWEPT)
        now = datetime.now(UTC)
        if last is not None and now - datetime.fromisoformat(last) < self.sweep.every:
            return ()
        gone = remove_missing(
            cursor,
            self.context.table,
            self._keys(source),
            self.options.key or [],
            mark=self.sweep.mark,
        )
        self.context.remembered[_SWEPT] = now.isoformat()
        return (
            f"{gone:,} that the source no longer has {'marked' if self.sweep.mark else 'deleted'}",
        )

    def _keys(self, source: Source) -> Rows:
        key = self.options.key or []
        whole = self.context.sql(self.options.query)
        names = ", ".join(source.quote(column) for column in key)
        before = Statement((f"select {names} from (\n",))  # noqa: S608 - quoted names only
        query = without_end(whole).around(before, Statement(("\n) dapu_query",)))
        return source.read(query, None)


@dataclass(frozen=True)
class _Blocks:
    """Reads the blocks of a source's rows that are not as they were."""

    context: Context
    options: DatabaseOptions
    source: Source
    dialect: str
    query: Statement
    into: Mapping[str, str] | None

    def run(self, cursor: Cursor) -> LoadResult:
        """The hashes are asked for first: what changes while rows are read is read next time."""
        context, key = self.context, (self.options.key or [""])[0]
        before = self._before(cursor)
        columns = self.source.read(self._nothing(), self.into).columns
        asked = BlockSource(self.source, self.dialect, self.query, key, columns)
        now = current_blocks(asked, [block.low for block in before[1:]])
        ranges = changed_ranges(before, now)
        stored = [(block.low, block.rows, block.hash) for block in now]
        blocks.store(
            cursor, context.registry, context.task, context.position, key, stored, context.job
        )
        if before and not ranges:
            note = f"none of {len(now)} blocks changed"
            return LoadResult(0, (note,), changed=False)
        return self._load(cursor, ranges if before else [], len(now), key)

    def _load(self, cursor: Cursor, ranges: Sequence[Range], count: int, key: str) -> LoadResult:
        query, within = self.query, None
        if ranges:
            condition = any_of(ranges, f"dapu_query.{self.source.quote(key)}")
            before, after = Statement(("select * from (\n",)), Statement(("\n) dapu_query where ",))
            query = without_end(query).around(before, after.then(condition))
            quoted = extensions.quote_ident(key, cursor)
            within = any_of(ranges, quoted).composed()
        rows = self.source.read(query, self.into)
        self.context.note(f"reads {self.options.query} ({self.source.description})")
        result = load(
            cursor,
            self.context.table,
            rows,
            self.options,
            has_steps=self.context.has_steps,
            within=within,
        )
        return result.also((f"{len(ranges)} ranges of {count} blocks read",)) if ranges else result

    def _before(self, cursor: Cursor) -> list[Block]:
        context = self.context
        if context.full or self.into is None:
            return []
        found = blocks.stored(cursor, context.registry, context.task, context.position)
        return [Block(*block) for block in found]

    def _nothing(self) -> Statement:
        before, after = (
            Statement(("select * from (\n",)),
            Statement(("\n) dapu_query where 1 = 0",)),
        )
        return without_end(self.query).around(before, after)


def bounded_query(
    context: Context, file: str, watermark: WatermarkOptions, source: Asked
) -> Statement:
    """A query from the watermark on, up to the highest value that is there now.

    The upper bound is asked for first, so that the watermark is in the source's own terms and
    rows that come while others are read are left for the next run.
    """
    if context.span is not None:
        return _spanning_query(context, file, watermark, source)
    nulls = watermark.nulls == "include"
    low = _low(context, watermark)
    query = context.sql(file, watermark=low)
    from_low = between(query, watermark.column, low, None, source.quote)
    highest_now = source.value(highest(from_low, watermark.column, source.quote))
    high = end_at(watermark, highest_now, context.warehouse.settings.zone)
    if high is not None and (context.low is None or high > context.low.value):
        context.high = Watermark(watermark.column, high)
    return between(query, watermark.column, low, high, source.quote, nulls=nulls)


def _spanning_query(
    context: Context, file: str, watermark: WatermarkOptions, source: Asked
) -> Statement:
    """The range that an operator wants read once more."""
    low, high = (_like_watermark(context, name) for name in ("from", "to"))
    query = context.sql(file, watermark=low)
    return between(query, watermark.column, low, high, source.quote, nulls=False)


def _like_watermark(context: Context, name: str) -> Any:
    """A value that an operator gave, in the kind that the watermark has."""
    text = (context.span or {}).get(name)
    if text is None or context.low is None:
        return text
    kind, kept = to_text(context.low.value, context.low.column)
    try:
        return from_text(kind, text)
    except (ValueError, ArithmeticError):
        raise JobError(f"--{name} {text}: write it like the watermark, {kept}") from None


def _low(context: Context, watermark: WatermarkOptions) -> Any:
    last = context.low
    if last is not None and last.column != watermark.column:
        raise JobError(
            f"the watermark was kept for the column {last.column}, and is {watermark.column} now; "
            "read everything once with `dapu run --full`"
        )
    return begin_at(watermark, last.value if last else None)
