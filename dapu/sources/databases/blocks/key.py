"""The order of a key's first column: a block must be the same rows in the source and in the table.

Numbers and times have one order everywhere. Texts have one a collation, so it is the bytes of
their UTF-8 that are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from dapu.errors import JobError
from dapu.rows.types import is_number, is_padded, is_text
from dapu.sources.databases.fragments import fragment
from dapu.statement import Statement

_BYTES_OF_TEXTS = {
    "postgresql": "blocks.postgresql_key",
    "mysql": "blocks.mysql_key",
    "mariadb": "blocks.mysql_key",
    "sqlite": "blocks.sqlite_key",
    "duckdb": "blocks.duckdb_key",
}


class UnorderedKey(JobError):
    """A key has values at which a block cannot begin, or not the same one in source and table."""


Order = Literal["own", "texts", "none"]
"""What is compared: the values, the bytes of their texts, or nothing that is the same in both."""


@dataclass(frozen=True)
class Range:
    """Keys from `low` to before `high`; None: no bound."""

    low: Any
    high: Any


@dataclass(frozen=True)
class BlockKey:
    """A column in a database.

    dialect: the database's name as SQLAlchemy has it. order: see `order_of`.
    """

    name: str
    dialect: str
    order: Order = "own"

    @property
    def is_text(self) -> bool:
        """Whether its values are compared as texts."""
        return self.order == "texts"

    def in_table(self) -> BlockKey:
        """The same column of the table that is loaded."""
        return replace(self, dialect="postgresql")

    def ordered(self, column: str) -> str:
        """SQL for what is compared. column: the name, quoted."""
        return fragment(_BYTES_OF_TEXTS[self.dialect], column=column) if self.is_text else column

    def bound(self, low: Any) -> Any:
        """A value as it is compared."""
        return low.encode() if self.is_text else low

    def low(self, found: Any) -> Any:
        """A value that was found, as a block begins with it.

        Raises UnorderedKey when its order is another in another database.
        """
        if self.is_text:
            return self._text(bytes(found))
        if self.order == "none" or not isinstance(found, int | float | Decimal | date):
            raise UnorderedKey(
                f"`changes: blocks` needs a key whose first column ({self.name}) is a number, a "
                "date or a timestamp, and in the table too; with PostgreSQL, MariaDB, MySQL, "
                "SQLite and DuckDB it may be a text or a uuid, if it is one in the table too (and "
                "`char(n)` in both or in none). Others have another order in each database. It has "
                f"{found!r}"
            )
        return found

    def _text(self, found: bytes) -> str:
        if b"\0" in found:
            raise UnorderedKey(
                f"the key column {self.name} has a text with a NUL character: {found!r}; "
                "PostgreSQL has no such text: leave such rows out of the query"
            )
        try:
            return found.decode()
        except UnicodeDecodeError as error:
            raise UnorderedKey(
                f"the key column {self.name} has a text that is not UTF-8: {found!r}; "
                "`changes: blocks` cannot order it"
            ) from error

    def within(self, one: Range, column: str) -> Statement:
        """A range as a condition on a quoted column; the first one has what has no key, too."""
        key = self.ordered(column)
        if one.low is None and one.high is not None:
            return Statement((f"({key} < ", f" or {key} is null)"), (self.bound(one.high),))
        condition = Statement(("1 = 1",))
        for text, value in ((f"{key} >= ", one.low), (f"{key} < ", one.high)):
            if value is not None:
                condition = condition.then(Statement((f" and {text}", ""), (self.bound(value),)))
        return condition

    def within_any(self, ranges: Sequence[Range], column: str) -> Statement:
        """The condition that a quoted column lies in one of the ranges."""
        if len(ranges) == 1:
            inside = self.within(ranges[0], column)
        else:  # halved, since SQLite lets no expression be deeper than 1,000
            middle = len(ranges) // 2
            inside = self.within_any(ranges[:middle], column).then(Statement((" or ",)))
            inside = inside.then(self.within_any(ranges[middle:], column))
        return Statement(("(",)).then(inside).then(Statement((")",)))

    def number(self, lows: Sequence[Any], column: str) -> Statement:
        """The number of the block in which a quoted column lies, from 0; null where it is null."""
        if not lows:
            return Statement(("0",))
        key, values = self.ordered(column), [self.bound(low) for low in lows]
        if self.dialect == "postgresql":
            commas = [", "] * (len(values) - 1)
            return Statement(
                (f"pg_catalog.width_bucket({key}, array[", *commas, "])"), tuple(values)
            )
        start = Statement((f"case when {key} is null then null else ",))
        return start.then(_halved(key, values, 0)).then(Statement((" end",)))


def order_of(source: str, table: str | None, dialect: str) -> Order:
    """What of a key is compared.

    source, table: the PostgreSQL types of what the source gives, and of the table's column.
    """
    held = source if table is None else table
    if dialect == "sqlite":  # its columns have values of any type, whatever they are declared as
        source = "double precision" if is_number(held) else "text"
    if source == "uuid" or is_text(source):
        if dialect not in _BYTES_OF_TEXTS:
            return "own"
        return "texts" if _are_same_texts(source, held) else "none"
    if is_text(held) or (source == "boolean") != (held == "boolean"):
        return "none"
    # 0.1 of 32 bits is not 0.1 of 64 bits.
    return "none" if (source == "real") != (held == "real") else "own"


def _are_same_texts(source: str, held: str) -> bool:
    """Whether a text is the same in the table, to the last blank."""
    if source == "uuid":
        return held == "uuid" or is_text(held)
    return is_text(held) and is_padded(source) == is_padded(held)


def _halved(key: str, lows: Sequence[Any], first: int) -> Statement:
    """Which block, by as few comparisons as it takes. first: the block before `lows[0]`."""
    if not lows:
        return Statement((str(first),))
    middle = len(lows) // 2
    asked = Statement((f"case when {key} < ", " then "), (lows[middle],))
    asked = asked.then(_halved(key, lows[:middle], first))
    others = _halved(key, lows[middle + 1 :], first + middle + 1)
    return asked.then(Statement((" else ",))).then(others).then(Statement((" end",)))
