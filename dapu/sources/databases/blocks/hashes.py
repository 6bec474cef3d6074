"""`changes: blocks`: the source says by hashes which blocks of its rows are not as they were.

A block is a range of the key with about 8,000 rows. The source hashes each row and adds the
hashes up, which needs no order; only a number and a hash a block come over the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dapu.errors import JobError
from dapu.rows.rows import Column
from dapu.rows.types import is_exactly_comparable, is_text
from dapu.sources.databases.blocks.key import BlockKey, Range, UnorderedKey
from dapu.sources.databases.fragments import fill_statement, fragment
from dapu.sources.databases.source import Queryable
from dapu.sources.databases.subquery import highest
from dapu.statement import Statement

_STATEMENTS = {
    "postgresql": "blocks.postgresql",
    "mysql": "blocks.mysql",
    "mariadb": "blocks.mysql",
    "sqlite": "blocks.sqlite",
    "duckdb": "blocks.duckdb",
    "mssql": "blocks.mssql",
    "oracle": "blocks.oracle",
}
_LOWS = {"postgresql": "blocks.lows_postgresql", "mssql": "blocks.lows_mssql"}  # others: lows
_IN_ONE_PASS = ("postgresql", "duckdb")
SIZE = 8_000  # rows; a block with more than twice as many is cut
_MOST_ARGUMENTS = 100  # of a function of SQLite; before 3.48 it took 127


@dataclass(frozen=True)
class Block:
    """A range of the key from `low` (None: from the beginning) to the next block's `low`."""

    low: Any
    rows: int
    hash: str


@dataclass(frozen=True)
class BlockSource:
    """A query of a source in blocks.

    columns: of the query, with the PostgreSQL types that hold them.
    """

    source: Queryable
    query: Statement
    key: BlockKey
    columns: Sequence[Column]

    def lows(self, key_range: Range, size: int | None = None) -> list[Any]:
        """The keys in a range at which blocks of so many rows (SIZE) begin, the first left out.

        Raises UnorderedKey for keys that have another order in the table.
        """
        asked = self._fill(
            _LOWS.get(self.key.dialect, "blocks.lows"), key_range, size=str(size or SIZE)
        )
        found = [row[0] for row in self.source.rows(asked) if row[0] is not None]
        if found:
            self.check()
        return [self.key.low(low) for low in found]

    def check(self) -> None:
        """Raises UnorderedKey for values of SQLite that have another order in the table."""
        if self.key.dialect != "sqlite":
            return
        if not self.key.is_text:  # texts come after all numbers
            last = self.source.value(highest(self.query, self.key.name, self.source.quote))
            if last is not None:
                self.key.low(last)
            return
        column = self._quoted_key
        kind = self.source.value(self._fill("blocks.sqlite_odd", Range(None, None), column=column))
        if kind is not None:
            raise UnorderedKey(
                f"the key column {self.key.name} has values that `changes: blocks` cannot order: "
                f"{kind}; SQLite's texts must be UTF-8, with none but whole numbers among them. "
                "Cast them in the query, or begin the key with another column"
            )

    def hashes(self, lows: Sequence[Any]) -> list[Block]:
        """The blocks that begin at these keys, and the one before them all, as they are now.

        Raises JobError for a database that dapu has no hash expression for.
        """
        if self.key.dialect not in _STATEMENTS:
            raise JobError(
                f"`changes: blocks` has no hash for {self.key.dialect}; it has for PostgreSQL, "
                "MariaDB, MySQL, SQLite, DuckDB, SQL Server and Oracle"
            )
        if self.key.dialect in _IN_ONE_PASS or self.key.is_text:
            return self._hashed(Range(None, None), lows)
        # An index finds the rows of a range; they are of no use to it as texts.
        ranges = [Range(low, high) for low, high in zip([None, *lows], [*lows, None], strict=True)]
        return [block for one in ranges for block in self._hashed(one, [])]

    def _hashed(self, key_range: Range, lows: Sequence[Any]) -> list[Block]:
        """The blocks of a range, in one pass."""
        number = self.key.number(lows, self._quoted_key)
        asked = self._fill(self._statement, key_range, number=number)
        with self._in_parallel():
            found = {number: (int(rows), str(h)) for number, rows, h in self.source.rows(asked)}
        if None in found:
            raise UnorderedKey(f"the key column {self.key.name} has rows without a value")
        numbered = enumerate([key_range.low, *lows])
        return [Block(low, *found.get(number, (0, "0"))) for number, low in numbered]

    @contextmanager
    def _in_parallel(self) -> Iterator[None]:
        if self.key.dialect != "postgresql":
            yield
            return
        self.source.rows(Statement((fragment("blocks.postgresql_in_parallel"),)))
        yield
        self.source.rows(Statement((fragment("blocks.postgresql_as_before"),)))

    @property
    def _statement(self) -> str:
        """The name of the statement that hashes."""
        return _STATEMENTS[self.key.dialect]

    @property
    def _quoted_key(self) -> str:
        return self.source.quote(self.key.name)

    def _fill(self, name: str, key_range: Range, **more: str | Statement) -> Statement:
        """A named statement with its braces filled; what is filled in may have bound values."""
        pieces: dict[str, str | Statement] = {
            "key": self.key.ordered(self._quoted_key),
            "query": self.query.without_end(),
            "range": self.key.within(key_range, self._quoted_key),
            "columns": self._columns(),
            **more,
        }
        return fill_statement(name, **pieces)

    def _columns(self) -> str:
        quoted = [self.source.quote(column.name) for column in self.columns]
        match self.key.dialect:
            case "postgresql":
                pairs = zip(quoted, self.columns, strict=True)
                return ", ".join(_postgres_form(name, column.type) for name, column in pairs)
            case "sqlite":
                return _in_groups([fragment("blocks.sqlite_column", column=n) for n in quoted])
            case "mysql" | "mariadb":
                pairs = zip(quoted, self.columns, strict=True)
                return ", ".join(_mysql_form(name, column.type) for name, column in pairs)
            case "mssql":
                pairs = zip(quoted, self.columns, strict=True)
                return ", ".join(_mssql_form(name, column.type) for name, column in pairs)
            case "duckdb":
                return _joined(quoted, "blocks.duckdb_text", ", ")
        return _joined(quoted, "blocks.oracle_column", " || '|' || ")


def current_blocks(asked: BlockSource, lows: Sequence[Any]) -> list[Block]:
    """The blocks as they are now; those that grew to twice their size are cut.

    lows: where the blocks began last time, the first left out; none at the first time.
    """
    if not lows:
        return asked.hashes(sorted({*asked.lows(Range(None, None))}))
    asked.check()
    found = asked.hashes(lows)
    ends = [block.low for block in found[1:]] + [None]
    cuts = [
        low
        for block, end in zip(found, ends, strict=True)
        if block.rows > 2 * SIZE
        for low in asked.lows(Range(block.low, end))
    ]
    # A key that more rows share than a block has can be cut no further.
    return asked.hashes(sorted({*lows, *cuts})) if set(cuts) - set(lows) else found


def changed_ranges(before: Iterable[Block], now: Sequence[Block]) -> list[Range]:
    """The ranges in which something is not as it was; those that touch are one."""
    known = {block.low: block for block in before}
    ranges: list[Range] = []
    for position, block in enumerate(now):
        if known.get(block.low) == block and _same_end(known, now, position):
            continue
        high = now[position + 1].low if position + 1 < len(now) else None
        if ranges and ranges[-1].high == block.low and block.low is not None:
            ranges[-1] = Range(ranges[-1].low, high)
        else:
            ranges.append(Range(block.low, high))
    return ranges


def _same_end(known: dict[Any, Block], now: Sequence[Block], position: int) -> bool:
    """Whether a block ends where it ended: its hash is of the same range."""
    return position + 1 >= len(now) or now[position + 1].low in known


def _postgres_form(name: str, type_name: str) -> str:
    """A column in a form whose hash is another whenever its value is.

    Types that are declared as text may be any: citext, a composite, one that has no hash; and a
    text's collation may take different texts for equal.
    """
    if is_text(type_name):
        return fragment("blocks.postgresql_text", column=name)
    return name if is_exactly_comparable(type_name) else f"{name}::text"


def _mysql_form(name: str, type_name: str) -> str:
    """A column as text; the server's own text of a FLOAT has six digits."""
    form = "blocks.mysql_float" if type_name == "real" else "blocks.mysql_column"
    return fragment(form, column=name)


def _mssql_form(name: str, type_name: str) -> str:
    """A column as JSON takes it; of a float that has 16 digits, which are not all of them."""
    is_float = type_name in ("real", "double precision")
    form = "blocks.mssql_float" if is_float else "blocks.mssql_column"
    return fragment(form, column=name)


def _in_groups(values: Sequence[str]) -> str:
    """The arguments of SQLite's `dapu_hash`: as they are, or more than it takes, in groups."""
    if len(values) <= _MOST_ARGUMENTS:
        return ", ".join(values)
    groups = (values[at : at + _MOST_ARGUMENTS] for at in range(0, len(values), _MOST_ARGUMENTS))
    return ", ".join(fragment("blocks.sqlite_group", columns=", ".join(group)) for group in groups)


def _joined(quoted: Sequence[str], name: str, joint: str) -> str:
    return joint.join(fragment(name, column=column) for column in quoted)
