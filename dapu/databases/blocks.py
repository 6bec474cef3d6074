"""`changes: blocks`: the source says by hashes which blocks of its rows are not as they were.

A block is a range of the key with about 8,000 rows. The source hashes each row and adds the
hashes up, which needs no order; only a number and a hash a block come over the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from dapu.databases.fragments import fill_statement, fragment
from dapu.databases.source import Asked
from dapu.definitions.templates import Statement
from dapu.errors import JobError
from dapu.loading.rows import Column
from dapu.loading.types import is_exactly_comparable, is_text

_STATEMENTS = {
    "mysql": "blocks.mysql",
    "mariadb": "blocks.mysql",
    "sqlite": "blocks.sqlite",
    "mssql": "blocks.mssql",
    "oracle": "blocks.oracle",
}
SIZE = 8_000  # rows; a block with more than twice as many is cut
_MOST_ARGUMENTS = 100  # of a function of SQLite; before 3.48 it took 127


@dataclass(frozen=True)
class Block:
    """A range of the key from `low` (None: from the beginning) to the next block's `low`."""

    low: Any
    rows: int
    hash: str


@dataclass(frozen=True)
class Range:
    """Keys from `low` to before `high`; None is no bound."""

    low: Any
    high: Any

    def condition(self, key: str) -> Statement:
        """The range as a condition on a quoted column; the first one has what has no key, too."""
        if self.low is None and self.high is not None:
            return Statement((f"({key} < ", f" or {key} is null)"), (self.high,))
        bounds = [(f"{key} >= ", self.low), (f"{key} < ", self.high)]
        condition = Statement(("1 = 1",))
        for text, value in bounds:
            if value is not None:
                condition = condition.then(Statement((f" and {text}", ""), (value,)))
        return condition


@dataclass(frozen=True)
class BlockSource:
    """A query of a source in blocks.

    dialect: the database's name as SQLAlchemy has it.
    columns: of the query, with the PostgreSQL types that hold them.
    Raises JobError for a database that dapu has no hash expression for.
    """

    source: Asked
    dialect: str
    query: Statement
    key: str
    columns: Sequence[Column]

    def lows(self, within: Range) -> list[Any]:
        """The keys in a range at which blocks of SIZE rows begin, the first left out."""
        name = "blocks.lows_mssql" if self.dialect == "mssql" else "blocks.lows"
        asked = self._fill(name, within, size=str(SIZE))
        return [row[0] for row in self.source.rows(asked)]

    def hashes(self, lows: Sequence[Any]) -> list[Block]:
        """The blocks that begin at these keys, and the one before them all, as they are now."""
        if self.dialect == "postgresql":
            return self._all_at_once(lows)
        if self.dialect not in _STATEMENTS:
            raise JobError(
                f"`changes: blocks` has no hash for {self.dialect}; it has for PostgreSQL, "
                "MariaDB, MySQL, SQLite, SQL Server and Oracle"
            )
        asked = _STATEMENTS[self.dialect]
        found = []
        for low, high in zip([None, *lows], [*lows, None], strict=True):
            within = Range(low, high)
            rows, digest = self.source.rows(self._fill(asked, within))[0]
            found.append(Block(low, int(rows), str(digest)))
        return found

    def _all_at_once(self, lows: Sequence[Any]) -> list[Block]:
        number = Statement(("0",))
        if lows:
            commas = [", "] * (len(lows) - 1)
            number = Statement(("width_bucket(k, array[", *commas, "])"), tuple(lows))
        asked = self._fill("blocks.postgresql", Range(None, None), number=number)
        self.source.rows(Statement((fragment("blocks.postgresql_in_parallel"),)))
        found = {number: (rows, digest) for number, rows, digest in self.source.rows(asked)}
        self.source.rows(Statement((fragment("blocks.postgresql_as_before"),)))
        if None in found:
            raise JobError(f"the key column {self.key} has rows without a value")
        numbered = enumerate([None, *lows])
        return [Block(low, *found.get(number, (0, "0"))) for number, low in numbered]

    def _fill(self, name: str, within: Range, **more: str | Statement) -> Statement:
        """A named statement with its braces filled; what is filled in may have bound values."""
        key = self.source.quote(self.key)
        pieces: dict[str, str | Statement] = {
            "key": key,
            "query": self.query.without_end(),
            "range": within.condition(key),
            "columns": self._columns(),
            **more,
        }
        return fill_statement(name, **pieces)

    def _columns(self) -> str:
        quoted = [self.source.quote(column.name) for column in self.columns]
        match self.dialect:
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
        return _joined(quoted, "blocks.oracle_column", " || '|' || ")


def current_blocks(asked: BlockSource, lows: Sequence[Any]) -> list[Block]:
    """The blocks as they are now; those that grew to twice their size are cut.

    lows: where the blocks began last time, the first left out; none at the first time.
    """
    found = asked.hashes(lows)
    ends = [block.low for block in found[1:]] + [None]
    cuts = [
        low
        for block, end in zip(found, ends, strict=True)
        if block.rows > 2 * SIZE
        for low in asked.lows(Range(block.low, end))
        if low is not None
    ]
    for low in cuts:
        if not isinstance(low, int | float | Decimal | date):
            raise JobError(
                f"`changes: blocks` needs a key whose first column ({asked.key}) is a number, a "
                "date or a timestamp: others have another order in each database"
            )
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


def any_of(ranges: Sequence[Range], key: str) -> Statement:
    """A condition on a quoted column: that it lies in one of the ranges."""
    condition = Statement(("(",))
    for position, one in enumerate(ranges):
        joint = Statement((") or (",)) if position else Statement(("",))
        condition = condition.then(joint).then(one.condition(key))
    return condition.then(Statement((")",)))


def _postgres_form(name: str, type_name: str) -> str:
    """A column in a form whose hash is another whenever its value is.

    Types that are told as text may be any: citext, a composite, one that has no hash; and a text's
    collation may take different texts for equal.
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
    """The arguments of SQLite's `dapu_digest`: as they are, or more than it takes, in groups."""
    if len(values) <= _MOST_ARGUMENTS:
        return ", ".join(values)
    groups = (values[at : at + _MOST_ARGUMENTS] for at in range(0, len(values), _MOST_ARGUMENTS))
    return ", ".join(fragment("blocks.sqlite_group", columns=", ".join(group)) for group in groups)


def _joined(quoted: Sequence[str], name: str, joint: str) -> str:
    return joint.join(fragment(name, column=column) for column in quoted)
