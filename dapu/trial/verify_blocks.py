"""Both sides in the same blocks: first large ones, then, where their hashes differ, small ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import cursor as Cursor

from dapu.loading.table.relation import Relation
from dapu.named_sql import statement
from dapu.sources.databases.blocks.common_form import CommonForm
from dapu.sources.databases.blocks.hashes import SIZE, Block
from dapu.sources.databases.blocks.key import Range, UnorderedKey
from dapu.sources.databases.fragments import fill_statement
from dapu.statement import Statement, TableName

_SMALL = 200  # rows of the blocks into which one that differs is cut
_MOST_CUT = 100  # blocks; where more differ, their rows are read at once
_LARGE = 400_000  # rows; of a table with more a sample says where its blocks begin
_SAMPLED = 100  # rows of a block that are in the sample
_EVERY_ROW = Range(None, None)


@dataclass
class Hashed:
    """What both sides said. ranges: of the key, in which they differ. differing: large blocks.

    bytes: of the hashes that the source sent.
    """

    table_rows: int = 0
    source_rows: int = 0
    differing: int = 0
    bytes: int = 0
    ranges: Sequence[Range] = ()


@dataclass
class Hashing:
    """lows: the keys at which the large blocks begin, the first left out."""

    source: CommonForm
    table: CommonForm
    lows: Sequence[Any]

    def run(self) -> Hashed:
        """Asks both. Raises UnorderedKey for keys that have another order in the source."""
        self.source.check()
        found = Hashed()
        theirs, mine = self._both(found, lambda side: side.hashes(self.lows))
        found.table_rows = sum(block.rows for block in mine)
        found.source_rows = sum(block.rows for block in theirs)
        ranges = list(_unlike(theirs, mine, None))
        found.differing = len(ranges)
        if len(ranges) <= _MOST_CUT:
            ranges = [small for one in ranges for small in self._cut(found, one)]
        found.ranges = _joined(ranges)
        return found

    def _cut(self, found: Hashed, one: Range) -> Iterator[Range]:
        try:
            lows = sorted({*self.table.lows(one, _SMALL)} - {one.low})
        except UnorderedKey:
            lows = []
        if not lows:
            return iter([one])
        theirs, mine = self._both(found, lambda side: side.within(one, lows))
        return _unlike(theirs, mine, one.high)

    def _both(
        self, found: Hashed, ask: Callable[[CommonForm], list[Block]]
    ) -> tuple[list[Block], list[Block]]:
        """The table is asked in a thread of its own: two servers work at once."""
        with ThreadPoolExecutor(1) as thread:
            mine = thread.submit(ask, self.table)
            theirs = ask(self.source)
            found.bytes += sum(len(block.hash) + len(str(block.rows)) for block in theirs)
            return theirs, mine.result()


def lows_of(cursor: Cursor, name: TableName, relation: Relation, table: CommonForm) -> list[Any]:
    """The keys at which blocks of about SIZE rows of the table begin, the first left out."""
    cursor.execute(statement("verify.estimated_rows"), {"oid": relation.oid})
    (rows,) = cursor.fetchone() or (0,)
    if rows < _LARGE:
        return sorted({*table.lows(_EVERY_ROW)})
    quoted = table.source.quote(table.key.name)
    asked = fill_statement(
        "verify.sampled_lows",
        key=table.key.ordered(quoted),
        column=quoted,
        table=Statement(("", ""), (name,)),
        percent=str(100 * _SAMPLED / SIZE),
        step=str(_SAMPLED),
    )
    return sorted({table.key.low(low) for (low,) in table.source.rows(asked)})


def _unlike(theirs: Sequence[Block], mine: Sequence[Block], end: Any) -> Iterator[Range]:
    """The ranges of blocks that are not the same; both begin at the same keys."""
    ends = [block.low for block in mine[1:]] + [end]
    for one, other, high in zip(theirs, mine, ends, strict=True):
        if one != other:
            yield Range(one.low, high)


def _joined(ranges: Sequence[Range]) -> list[Range]:
    """Ranges that touch as one."""
    joined: list[Range] = []
    for one in ranges:
        if joined and joined[-1].high == one.low and one.low is not None:
            joined[-1] = Range(joined[-1].low, one.high)
        else:
            joined.append(one)
    return joined
