"""`dapu verify`: whether a task's source and its table hold the same rows, by hashes of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg2 import extensions, sql
from psycopg2.extensions import cursor as Cursor

from dapu.agents.base import Context
from dapu.agents.database import DatabaseOptions
from dapu.errors import JobError
from dapu.loading.modes.keyed import DELETED_AT
from dapu.loading.table.relation import Relation, describe, is_table
from dapu.named_sql import compose, statement
from dapu.rows.rows import Column
from dapu.sources.databases.blocks.common_form import COMPARABLE, CommonForm, Pair
from dapu.sources.databases.blocks.key import BlockKey, Range, UnorderedKey, order_of
from dapu.sources.databases.fragments import fill_statement
from dapu.sources.databases.open import dialect_of, open_source
from dapu.sources.databases.source import NO_SLACK, Source
from dapu.sources.databases.subquery import between, no_rows, where
from dapu.statement import Statement
from dapu.trial.compare import Differences
from dapu.trial.open_trial import Trial
from dapu.trial.verify_blocks import Hashing, lows_of
from dapu.trial.verify_rows import RowComparison, Tally

_EVERY_ROW = Range(None, None)


class CannotVerify(JobError):
    """Why source and table of a task cannot be compared exactly."""


@dataclass
class Verification:
    """What was found.

    source: how it was read. table_at, source_at: when the snapshot of each was taken.
    read_to: the watermark at that time. blocks: None where every row was read, because of `why`.
    pending: rows that differ, and that the next run reads by its watermark.
    columns: in how many rows of both each column differs. not_compared: columns of the table that
    the source does not give.
    """

    source: str
    table_at: datetime
    source_at: datetime
    read_to: str | None
    table_rows: int = 0
    source_rows: int = 0
    blocks: int | None = None
    blocks_differing: int = 0
    why_every_row: str | None = None
    rows_read: int = 0
    bytes_moved: int = 0
    pending: int = 0
    differences: Differences = field(default_factory=lambda: Differences([]))
    columns: dict[str, int] = field(default_factory=dict)
    not_compared: list[str] = field(default_factory=list)

    @property
    def are_same(self) -> bool:
        """Whether no row differs, but those that the next run reads."""
        return not self.differences.are_any


def verify(trial: Trial, samples: int) -> Verification:
    """Compares, in the one state of the warehouse that the trial sees.

    samples: at most so many rows of each kind. Raises CannotVerify, and JobError where the source
    or a value of it fails.
    """
    position, options = _action(trial)
    with trial.session.cursor() as cursor:
        cursor.execute(statement("postgres.session"))
        relation = describe(cursor, trial.table)
        if relation is None or not is_table(relation):
            raise CannotVerify(f"there is no table {trial.table} yet; run the task first")
        key = list(options.key or relation.key)
        if not key:
            raise CannotVerify("nothing says which columns identify a row: give the action a `key`")
        table_at = _now(cursor)
        context = trial.context(cursor, position, options)
        name = options.connection or context.action.connection
        with closing(open_source(trial.warehouse, name, options.reader)) as source:
            comparison = _Comparison(trial, cursor, context, options, source, relation, key)
            return comparison.run(table_at, samples)


def _action(trial: Trial) -> tuple[int, DatabaseOptions]:
    """The one action that loads. Raises CannotVerify."""
    loading = [
        (position, options)
        for position, options in enumerate(trial.task.actions, start=1)
        if options.loads
    ]
    if len(loading) != 1:
        raise CannotVerify(f"{len(loading)} actions load the table; it can be one alone")
    position, options = loading[0]
    if not isinstance(options, DatabaseOptions):
        raise CannotVerify(f"`do: {options.do}` reads no database that could be asked again")
    if options.load == "period":
        raise CannotVerify("`load: period` keeps rows that its source no longer gives")
    if options.load == "append" and options.watermark is None:
        raise CannotVerify("`load: append` without a `watermark` adds the source's rows each time")
    if options.on_bad_value == "reject":
        raise CannotVerify("`on_bad_value: reject` leaves rows out of the table")
    return position, options


def _now(cursor: Cursor) -> datetime:
    cursor.execute(statement("verify.snapshot"))
    (now,) = cursor.fetchone() or (None,)
    assert isinstance(now, datetime)
    return now


class _Table:
    """The table, asked in the trial's own transaction. See `Queryable`."""

    time_slack = NO_SLACK
    own_schema = "pg_catalog."

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def quote(self, identifier: str) -> str:
        """See `Queryable`."""
        return extensions.quote_ident(identifier, self._cursor)

    def value(self, query: Statement) -> Any:
        """See `Queryable`."""
        return self.rows(query)[0][0]

    def rows(self, query: Statement) -> list[tuple[Any, ...]]:
        """See `Queryable`. Raises UnorderedKey for a time that Python does not have."""
        self._cursor.execute(query.composed())
        try:
            return self._cursor.fetchall()
        except ValueError as error:  # a year before 1 or after 9999
            raise UnorderedKey(
                f"the table's keys have a value that Python has not: {error}"
            ) from None


@dataclass
class _Comparison:
    trial: Trial
    cursor: Cursor
    context: Context
    options: DatabaseOptions
    source: Source
    relation: Relation
    key: list[str]
    tally: Tally = field(default_factory=Tally)

    def run(self, table_at: datetime, samples: int) -> Verification:
        query = self._query()
        columns = self._columns(query)
        source_at = _now(self.cursor)
        mark = self.context.state_before.watermark
        read_to = None if mark is None else f"{mark.column} {mark.value}"
        found = Verification(self.source.description, table_at, source_at, read_to)
        known = {one.name: one.type for one in self.relation.columns}
        names = [one.name for one in columns if one.name in known]
        self._check(columns, known, found)
        dialect = dialect_of(
            self.trial.warehouse, self.options.connection or self.context.action.connection
        )
        pairs = [
            Pair(one.name, self._type(one, known, dialect), known[one.name])
            for one in columns
            if one.name in known
        ]
        key = BlockKey(self.key[0], dialect, self._order(pairs, dialect))
        found.why_every_row = self._why_every_row(key, pairs)
        ranges: Sequence[Range] = [_EVERY_ROW]
        if found.why_every_row is None:
            try:
                ranges = self._hash(query, key, pairs, names, found)
            except UnorderedKey as error:
                found.why_every_row = f"blocks cannot begin at its keys: {error}"
        if ranges:
            self._compare_rows(query, key, names, ranges, samples, found)
        found.source = self.source.description
        found.bytes_moved = self.tally.bytes
        return found

    def _hash(
        self,
        query: Statement,
        key: BlockKey,
        pairs: Sequence[Pair],
        names: Sequence[str],
        found: Verification,
    ) -> Sequence[Range]:
        """The ranges of keys in which the hashes differ. Raises UnorderedKey."""
        sides = self._sides(query, key, pairs, names)
        lows = lows_of(self.cursor, self.context.table, self.relation, sides[1])
        hashed = Hashing(*sides, lows).run()
        self.tally.bytes = hashed.bytes
        found.blocks, found.blocks_differing = len(lows) + 1, hashed.differing
        found.table_rows, found.source_rows = hashed.table_rows, hashed.source_rows
        return hashed.ranges

    def _query(self) -> Statement:
        """The source's query from its beginning, `initial` where there is one."""
        mark = self.options.watermark
        if mark is None:
            return self.context.sql(self.options.query)
        query = self.context.sql(self.options.query, watermark=mark.initial)
        nulls = mark.nulls == "include"
        return between(query, mark.column, mark.initial, None, self.source.quote, nulls=nulls)

    def _columns(self, query: Statement) -> Sequence[Column]:
        if self.source.typed_by_values:
            return self.source.read(no_rows(query), None).columns
        return self.source.columns(query)

    def _check(self, columns: Sequence[Column], known: dict[str, str], found: Verification) -> None:
        """Raises CannotVerify for columns that one side alone has."""
        given = [one.name for one in columns]
        ignores = self.options.change_policy(self.context.action.has_steps).added == "ignore"
        more = [name for name in given if name not in known]
        if more and not ignores:
            raise CannotVerify(
                f"the source gives {', '.join(more)}, which the table has not; run the task first"
            )
        lost = [name for name in self.key if name not in given]
        if lost:
            raise CannotVerify(f"the source does not give {', '.join(lost)} of the key")
        found.not_compared = [name for name in known if name not in given]

    def _type(self, column: Column, known: dict[str, str], dialect: str) -> str:
        """What the source says its values are; of one that says nothing they may be anything."""
        if not self.source.typed_by_values or dialect == "duckdb":
            return column.type
        return known[column.name] if dialect == "sqlite" else "text"

    def _order(self, pairs: Sequence[Pair], dialect: str) -> Any:
        pair = next(one for one in pairs if one.name == self.key[0])
        if self.options.nul_characters != "fail" and not pair.is_plain:
            return "none"
        return order_of(pair.source, pair.table, dialect)

    def _why_every_row(self, key: BlockKey, pairs: Sequence[Pair]) -> str | None:
        """Why hashes cannot be compared; None when they can."""
        if self.options.hash or self.options.mask:
            return "columns are hashed or masked on their way into the table"
        if key.dialect not in COMPARABLE:
            return f"the hashes of {key.dialect} cannot be compared with PostgreSQL's"
        if key.order == "none":
            return f"the key column {key.name} has another order in the source than in the table"
        documents = [pair.name for pair in pairs if pair.source == "jsonb"]
        if key.dialect == "duckdb" and documents:
            return (
                f"DuckDB writes lists, structs and JSON otherwise than PostgreSQL: {documents[0]}"
            )
        if key.dialect == "sqlite" and len(pairs) > _MOST_ARGUMENTS:
            return f"a function of SQLite takes no more than {_MOST_ARGUMENTS} columns"
        return self._why_other_bytes(key.dialect)

    def _why_other_bytes(self, dialect: str) -> str | None:
        """A text is hashed as its bytes."""
        asked = Statement((statement("verify.encoding"),))
        mine = _Table(self.cursor).value(asked)
        theirs = self.source.value(asked) if dialect == "postgresql" else "UTF8"
        if mine == theirs and mine != "SQL_ASCII":
            return None
        return f"the source's texts are in {theirs}, and the warehouse's in {mine}"

    def _present(self) -> sql.Composable:
        """A condition for the rows of the table that the source should have."""
        if self.options.load == "history":
            return sql.SQL("is_current")
        if self.options.marks_deleted:
            return sql.SQL("{} is null").format(sql.Identifier(DELETED_AT))
        return sql.SQL("true")

    def _sides(
        self, query: Statement, key: BlockKey, pairs: Sequence[Pair], names: Sequence[str]
    ) -> tuple[CommonForm, CommonForm]:
        table = _Table(self.cursor)
        rows = fill_statement(
            "verify.table",
            columns=", ".join(map(table.quote, names)),
            table=Statement(("", ""), (self.context.table,)),
            condition=self._present().as_string(self.cursor),
        ).without_end()
        columns = [Column(pair.name, pair.source) for pair in pairs]
        theirs = CommonForm(self.source, query, key, columns, pairs, key.dialect)
        mine = CommonForm(table, rows, key.in_table(), columns, pairs, key.dialect)
        return theirs, mine

    def _compare_rows(
        self,
        query: Statement,
        key: BlockKey,
        names: Sequence[str],
        ranges: Sequence[Range],
        samples: int,
        found: Verification,
    ) -> None:
        in_range: sql.Composable = sql.SQL("true")
        some = query
        if ranges != [_EVERY_ROW]:
            column = f"dapu_query.{self.source.quote(key.name)}"
            some = where(query, key.within_any(ranges, column))
            quoted = extensions.quote_ident(key.name, self.cursor)
            in_range = key.in_table().within_any(ranges, quoted).composed()
        rows = RowComparison(
            self.context,
            self.options,
            self.source,
            query,
            self.relation,
            names,
            self.key,
            self._present(),
            self.tally,
        )
        compared = rows.run(self.cursor, some, in_range, samples)
        found.rows_read, found.pending = compared.rows_read, compared.pending
        found.differences, found.columns = compared.differences, compared.columns
        if found.blocks is None:
            found.source_rows = compared.rows_read
            found.table_rows = self._count()

    def _count(self) -> int:
        pieces = {"table": self.context.table.identifier, "condition": self._present()}
        self.cursor.execute(compose("verify.count", **pieces))
        (count,) = self.cursor.fetchone() or (0,)
        return int(count)


_MOST_ARGUMENTS = 100  # of a function of SQLite, beside one of ours; before 3.48 it took 127
