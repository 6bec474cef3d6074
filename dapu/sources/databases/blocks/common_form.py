"""Blocks whose hashes can be compared with those of the table: both hash the same of each value.

Two PostgreSQLs hash the values themselves. MySQL, MariaDB, SQLite and DuckDB write each value as
PostgreSQL does, and both hash the text. Where they write it differently the hashes differ, and the
rows are read: a value's form may cost bytes, but never hide a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dapu.rows.types import (
    is_exactly_comparable,
    is_float,
    is_integer,
    is_number,
    is_padded,
    is_text,
)
from dapu.sources.databases.blocks.duckdb_form import duckdb_form
from dapu.sources.databases.blocks.hashes import Block, BlockSource
from dapu.sources.databases.blocks.key import Range
from dapu.sources.databases.fragments import fragment
from dapu.statement import Statement

_TIMES = ("timestamp", "time", "interval")
_PLAIN = ("boolean", "date", "uuid", *_TIMES)
"""Types beside numbers and bytes in whose texts no `|` stands."""

COMPARABLE = ("postgresql", "mysql", "mariadb", "sqlite", "duckdb")
"""The databases, by SQLAlchemy's names, whose hashes can be compared with those of the table."""


@dataclass(frozen=True)
class Pair:
    """A column of both sides, by the PostgreSQL types of what the source gives and of the table."""

    name: str
    source: str
    table: str

    @property
    def is_plain(self) -> bool:
        """Whether no text of it can be taken for two columns, on either side."""
        return all(_is_plain(one) for one in (self.source, self.table))

    @property
    def are_floats(self) -> bool:
        """Whether both sides have the same bits of a number."""
        return is_float(self.source) and is_float(self.table)


@dataclass(frozen=True)
class CommonForm(BlockSource):
    """One side of a comparison.

    pairs: of `columns`, in their order. other: the source's dialect, on both sides.
    """

    pairs: Sequence[Pair] = ()
    other: str = "postgresql"

    def within(self, key_range: Range, lows: Sequence[Any]) -> list[Block]:
        """The blocks of a range that begin at these keys, and the one before them."""
        return self._hashed(key_range, lows)

    @property
    def _statement(self) -> str:
        if self.other == "postgresql":
            return "blocks.alike_postgresql"
        return _STATEMENTS[self.key.dialect]

    def _fill(self, name: str, key_range: Range, **more: str | Statement) -> Statement:
        kinds = "".join(map(_kind, self.pairs))
        return super()._fill(name, key_range, kinds=kinds, **more)

    def _columns(self) -> str:
        return ", ".join(map(self._form, self.pairs))

    def _form(self, pair: Pair) -> str:
        name = self.source.quote(pair.name)
        if self.other == "postgresql":
            return _alike(name, pair)
        match self.key.dialect:
            case "postgresql":
                return self._of_table(name, pair)
            case "sqlite":
                return fragment("blocks.sqlite_column", column=name)
            case "duckdb":
                return duckdb_form(name, pair.source, is_plain=pair.is_plain, bits=pair.are_floats)
        return _of_mysql(name, pair)

    def _of_table(self, name: str, pair: Pair) -> str:
        if self.other == "sqlite" and pair.table.startswith("numeric"):
            # A number of SQLite has no zeros behind the point.
            return fragment("blocks.common_postgresql_short", column=name)
        if self.other == "duckdb" and pair.are_floats:
            return fragment("blocks.common_postgresql_float", column=name)
        return _of_postgresql(name, pair)


_STATEMENTS = {
    "postgresql": "blocks.common_postgresql",
    "mysql": "blocks.mysql_common",
    "mariadb": "blocks.mysql_common",
    "sqlite": "blocks.sqlite_common",
    "duckdb": "blocks.duckdb",
}


def _kind(pair: Pair) -> str:
    """How SQLite's `dapu_common_hash` writes a value: plain, bytes or text."""
    if not pair.is_plain:
        return "t"
    return "b" if pair.table == "bytea" else "p"


def _is_plain(type_name: str) -> bool:
    return is_number(type_name) or type_name == "bytea" or type_name.startswith(_PLAIN)


def _alike(name: str, pair: Pair) -> str:
    """A value, or its text where equal ones may not be the same, as 1.0 and 1.00 of `numeric`."""
    if is_integer(pair.source) and is_integer(pair.table):
        return f"{name}::bigint"
    if is_padded(pair.source) != is_padded(pair.table):
        return fragment("blocks.postgresql_padded", column=name)
    if is_text(pair.source) or is_text(pair.table) or pair.source != pair.table:
        return fragment("blocks.postgresql_text", column=name)
    return name if is_exactly_comparable(pair.table) else f"{name}::text"


def _of_postgresql(name: str, pair: Pair) -> str:
    if not pair.is_plain:
        return fragment("blocks.common_postgresql_text", column=name)
    if pair.table == "bytea":
        return fragment("blocks.common_postgresql_bytes", column=name)
    if pair.table == "boolean":
        return fragment("blocks.common_postgresql_boolean", column=name)
    if pair.table.startswith("timestamp") and pair.table.endswith("with time zone"):
        return fragment("blocks.common_postgresql_moment", column=name)
    return fragment("blocks.common_postgresql_plain", column=name)


def _of_mysql(name: str, pair: Pair) -> str:
    if not pair.is_plain:
        value = fragment("mysql.floating", value=name) if is_float(pair.source) else name
        return fragment("blocks.mysql_common_text", column=value)
    if pair.source == "bytea":
        return fragment("blocks.mysql_common_bytes", column=name)
    if is_float(pair.source):
        return fragment("blocks.mysql_common_float", column=name)
    if pair.source.startswith(_TIMES):
        return fragment("blocks.mysql_common_time", column=name)
    return fragment("blocks.mysql_common_plain", column=name)
