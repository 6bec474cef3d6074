"""The rows of both sides, where hashes do not say that they are the same: compared one by one."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, cast

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from typing_extensions import Buffer

from dapu.agents.base import Context
from dapu.agents.incremental.resume import begin
from dapu.agents.incremental.widen import known_types
from dapu.loading.options import LoadOptions
from dapu.loading.table.relation import Relation
from dapu.loading.values.bad_value_policy import apply_value_policy
from dapu.named_sql import compose, statement
from dapu.registry.ordered_values import to_text
from dapu.rows.hashed_columns import with_hashes
from dapu.rows.masked_columns import with_masks
from dapu.rows.rows import ArrowRows, CopyRows, Rows, without_columns
from dapu.sources.databases.source import Source
from dapu.statement import Statement
from dapu.trial.compare import Differences, Side, compare

_SOURCE, _TABLE = sql.Identifier("pg_temp", "dapu_source"), sql.Identifier("pg_temp", "dapu_table")
_NEW_SOURCE = sql.Identifier("pg_temp", "dapu_source_new")
_NEW_TABLE = sql.Identifier("pg_temp", "dapu_table_new")


class Tally:
    """How many bytes a source sent."""

    def __init__(self) -> None:
        self.bytes = 0


class _Counting(io.BufferedIOBase):
    def __init__(self, file: BinaryIO, tally: Tally) -> None:
        self._file, self._tally = file, tally

    def writable(self) -> bool:
        """It is for writing only."""
        return True

    def write(self, data: Buffer, /) -> int:
        """Passes bytes on."""
        taken = memoryview(data).nbytes
        self._tally.bytes += taken
        self._file.write(data)
        return taken


def counting(rows: Rows, tally: Tally) -> Rows:
    """The rows, their bytes counted."""
    if isinstance(rows, ArrowRows):
        rows = rows.as_copy()
    if not isinstance(rows, CopyRows):
        return rows
    write, again = rows.write, rows.origin.again

    def write_counted(file: BinaryIO) -> None:
        write(cast(BinaryIO, _Counting(file, tally)))

    def again_counted() -> CopyRows:
        return cast(CopyRows, counting(cast(Callable[[], CopyRows], again)(), tally))

    origin = replace(rows.origin, again=again_counted if again else None)
    return replace(rows, write=write_counted, origin=origin)


@dataclass
class Compared:
    """What differs.

    rows_read: of the source. pending: rows that differ, and that the next run reads.
    columns: in how many rows of both each column differs, where any does.
    """

    differences: Differences
    rows_read: int
    pending: int
    columns: dict[str, int]


@dataclass
class RowComparison:
    """A task's source and table.

    relation: the table. names: the columns that both have. key: of a row, among them.
    present: a condition for the rows of the table that the source should have.
    """

    context: Context
    options: LoadOptions
    source: Source
    query: Statement
    relation: Relation
    names: Sequence[str]
    key: Sequence[str]
    present: sql.Composable
    tally: Tally

    def run(
        self, cursor: Cursor, query: Statement, in_range: sql.Composable, samples: int
    ) -> Compared:
        """Reads and compares.

        query: the source's rows that are read. in_range: a condition for the same of the table.
        samples: at most so many rows of each kind. Raises JobError for a value that the table
        could not hold, and where the source fails.
        """
        rows_read = self._fill(cursor, query, in_range)
        pending = self._set_new_aside(cursor)
        sides = self._side(_TABLE), self._side(_SOURCE)
        found = compare(cursor, *sides, list(self.key), samples)
        return Compared(found, rows_read, pending, self._columns(cursor) if found.updated else {})

    def _fill(self, cursor: Cursor, query: Statement, in_range: sql.Composable) -> int:
        table = {"columns": _list(self.names), "table": self.context.table.identifier}
        cursor.execute(statement("verify.drop_kept"))
        cursor.execute(compose("verify.keep_source", **table))
        pieces = {**table, "condition": self.present, "range": in_range}
        cursor.execute(compose("verify.keep_table", **pieces))
        rows = apply_value_policy(
            cursor,
            self.context.table,
            self.relation,
            self._rows(cursor, query),
            self.options,
            keeps_rejected=False,
        ).rows
        count = rows.fill(cursor, _SOURCE)
        if self.options.watermark is not None and self.options.load != "append":
            newest = sql.Identifier(self.options.watermark.column)
            cursor.execute(compose("verify.keep_newest", key=_list(self.key), newest=newest))
        return count

    def _rows(self, cursor: Cursor, query: Statement) -> Rows:
        types = known_types(cursor, self.context, self.options, self.source)
        rows = counting(self.source.read(query, types), self.tally)
        rows = with_hashes(rows, self.options.hashed_on_load, self.context.hash_key)
        rows = with_masks(rows, self.options.masked_on_load)
        return without_columns(rows, {column.name for column in rows.columns} - set(self.names))

    def _set_new_aside(self, cursor: Cursor) -> int:
        """Takes out what the next run reads by its watermark; returns how many of it differ."""
        is_new = self._is_new()
        if is_new is None:
            return 0
        same_key = self._same_key()
        cursor.execute(compose("verify.keep_new", is_new=is_new))
        cursor.execute(compose("verify.keep_old_of_new", same_key=same_key))
        sides = self._side(_NEW_TABLE), self._side(_NEW_SOURCE)
        found = compare(cursor, *sides, list(self.key), 0)
        for side in ("source", "table"):
            pieces = {"side": sql.SQL(side), "same_key": same_key}
            cursor.execute(compose("verify.leave_out_new", **pieces))
        return found.inserted + found.updated

    def _is_new(self) -> sql.Composable | None:
        mark = self.options.watermark
        if mark is None or self.context.state_before.watermark is None:
            return None
        low = begin(self.context, mark)
        if low is None:
            return sql.SQL("true")
        pieces = {"column": sql.Identifier(mark.column)}
        if isinstance(self.context.state_before.watermark.value, str):
            return compose("verify.is_new_text", low=sql.Literal(str(low)), **pieces)
        return compose("verify.is_new", low=sql.Literal(to_text(low, mark.column)[1]), **pieces)

    def _columns(self, cursor: Cursor) -> dict[str, int]:
        names = [name for name in self.names if name not in self.key]
        counts = [compose("verify.is_other", column=sql.Identifier(name)) for name in names]
        joined = sql.SQL(", ").join(counts)
        pieces = {"counts": joined, "same_key": self._same_key()}
        cursor.execute(compose("verify.differing_columns", **pieces))
        found = cursor.fetchone() or ()
        return {name: count for name, count in zip(names, found, strict=True) if count}

    def _same_key(self) -> sql.Composable:
        each = [compose("verify.same", column=sql.Identifier(name)) for name in self.key]
        return sql.SQL(" and ").join(each)

    def _side(self, table: sql.Identifier) -> Side:
        columns = tuple(one for one in self.relation.columns if one.name in self.names)
        return Side(table, replace(self.relation, columns=columns))


def _list(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def samples_of(found: Differences, kind: str) -> list[dict[str, Any]]:
    """The keys of some rows that differ, and of those that both have the columns that do."""
    rows = found.samples.get(kind, [])
    if kind != "updated":
        return [{"key": {name: row[name] for name in found.key}} for row in rows]
    return [
        {
            "key": {name: pair["after"][name] for name in found.key},
            "columns": {
                name: {"source": value, "table": pair["before"][name]}
                for name, value in pair["after"].items()
                if value != pair["before"][name]
            },
        }
        for pair in rows
    ]
