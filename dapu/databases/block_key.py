"""The order of a key's first column: a block must be the same rows in the source and in the table.

Numbers and times have one order everywhere. Texts have one a collation, so it is the bytes of
their UTF-8 that are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from dapu.databases.fragments import fragment
from dapu.definitions.templates import Statement
from dapu.errors import JobError
from dapu.loading.types import is_text

_BYTES_OF_TEXTS = {
    "postgresql": "blocks.postgresql_key",
    "mysql": "blocks.mysql_key",
    "mariadb": "blocks.mysql_key",
    "sqlite": "blocks.sqlite_key",
}


@dataclass(frozen=True)
class Range:
    """Keys from `low` to before `high`; None is no bound."""

    low: Any
    high: Any


@dataclass(frozen=True)
class BlockKey:
    """A column in a database.

    dialect: the database's name as SQLAlchemy has it. is_text: its values are compared as texts.
    """

    name: str
    dialect: str
    is_text: bool = False

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

        Raises JobError when its order is another in another database.
        """
        if self.is_text:
            try:
                return bytes(found).decode()
            except UnicodeDecodeError as error:
                raise JobError(
                    f"the key column {self.name} has a text that is no UTF-8: {bytes(found)!r}; "
                    "`changes: blocks` cannot order it"
                ) from error
        if not isinstance(found, int | float | Decimal | date):
            raise JobError(
                f"`changes: blocks` needs a key whose first column ({self.name}) is a number, a "
                "date or a timestamp; with PostgreSQL, MariaDB, MySQL and SQLite it may be a text "
                "or a uuid, if it is one in the table too. Others have another order in each "
                "database"
            )
        return found

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
        condition = Statement(("(",))
        for position, one in enumerate(ranges):
            joint = Statement((") or (",)) if position else Statement(("",))
            condition = condition.then(joint).then(self.within(one, column))
        return condition.then(Statement((")",)))

    def number(self, lows: Sequence[Any], column: str) -> Statement:
        """The number of the block in which a quoted column lies, from 0; null where it is null."""
        if not lows:
            return Statement(("0",))
        key, values = self.ordered(column), [self.bound(low) for low in lows]
        if self.dialect == "postgresql":
            commas = [", "] * (len(values) - 1)
            return Statement((f"width_bucket({key}, array[", *commas, "])"), tuple(values))
        start = Statement((f"case when {key} is null then null else ",))
        return start.then(_halved(key, values, 0)).then(Statement((" end",)))


def can_order_texts(source: str, table: str | None, dialect: str) -> bool:
    """Whether a key of these types is compared as text.

    source, table: the PostgreSQL types of what the source gives, and of the table's column.
    """
    if dialect not in _BYTES_OF_TEXTS:
        return False
    if source == "uuid":
        return table is None or table == "uuid" or is_text(table)
    return is_text(source) and (table is None or is_text(table))


def _halved(key: str, lows: Sequence[Any], first: int) -> Statement:
    """Which block, by as few comparisons as it takes. first: the block before `lows[0]`."""
    if not lows:
        return Statement((str(first),))
    middle = len(lows) // 2
    asked = Statement((f"case when {key} < ", " then "), (lows[middle],))
    asked = asked.then(_halved(key, lows[:middle], first))
    others = _halved(key, lows[middle + 1 :], first + middle + 1)
    return asked.then(Statement((" else ",))).then(others).then(Statement((" end",)))
