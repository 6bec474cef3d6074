"""The hash expressions of databases that no test can start: their SQL is parsed in its dialect."""

from __future__ import annotations

from typing import Any

import pytest
import sqlglot

from dapu.errors import JobError
from dapu.rows.rows import Column
from dapu.sources.databases.blocks.hashes import Block, BlockSource, changed_ranges
from dapu.sources.databases.blocks.key import BlockKey, Range
from dapu.sources.databases.source import NO_SLACK
from dapu.statement import Statement

COLUMNS = [Column("id", "bigint"), Column("Name", "text"), Column("at", "timestamp")]


class Database:
    """A source that keeps what it is database."""

    time_slack = NO_SLACK
    own_schema = ""

    def __init__(self, quotes: str) -> None:
        self._quotes, self.texts = quotes, list[str]()

    def quote(self, name: str) -> str:
        return f"{self._quotes[0]}{name}{self._quotes[-1]}"

    def value(self, query: Statement) -> Any:
        return self.rows(query)[0][0]

    def rows(self, query: Statement) -> list[tuple[Any, ...]]:
        text, _ = query.for_driver("qmark", self.quote)
        self.texts.append(text)
        return [(0, 7, 12345)]


@pytest.mark.parametrize(
    ("dialect", "parser", "quotes"),
    [("mssql", "tsql", "[]"), ("oracle", "oracle", '"'), ("mysql", "mysql", "`"),
     ("sqlite", "sqlite", '"')],
)  # fmt: skip
def test_the_statements_are_valid_in_their_dialect(dialect: str, parser: str, quotes: str) -> None:
    database = Database(quotes)
    query = Statement(("select * from shop where x = ", ""), ("y",))
    source = BlockSource(database, query, BlockKey("id", dialect), COLUMNS)
    assert source.lows(Range(5, 9)) == [0]
    assert source.hashes([10]) == [Block(None, 7, "12345"), Block(10, 7, "12345")]
    looks_at_values = dialect == "sqlite"
    assert len(database.texts) == 3 + looks_at_values
    for text in database.texts:
        assert sqlglot.parse_one(text, dialect=parser).key == "select"
        assert "{" not in text


def test_sql_server_hashes_all_digits_of_a_float() -> None:
    """JSON has 16 of them, and two numbers may differ in the 17th."""
    database = Database("[]")
    columns = [Column("id", "integer"), Column("size", "double precision")]
    BlockSource(database, Statement(("select 1",)), BlockKey("id", "mssql"), columns).hashes([])
    assert (
        "select dapu_query.[id], convert(varchar(32), dapu_query.[size], 3) as [size]"
        in (database.texts[0])
    )


def test_a_database_without_a_hash_expression_is_reported() -> None:
    source = BlockSource(
        Database('"'), Statement(("select 1",)), BlockKey("id", "firebird"), COLUMNS
    )
    with pytest.raises(JobError, match="has no hash for firebird"):
        source.hashes([])


def test_ranges_that_touch_are_one_and_bounds_may_be_new() -> None:
    before = [Block(None, 1, "a"), Block(10, 1, "b"), Block(20, 1, "c"), Block(30, 1, "d")]
    assert changed_ranges(before, before) == []
    now = [Block(None, 1, "a"), Block(10, 1, "x"), Block(20, 1, "y"), Block(30, 1, "d")]
    assert changed_ranges(before, now) == [Range(10, 30)]
    cut = [Block(None, 1, "a"), Block(5, 1, "z"), *before[1:]]
    assert changed_ranges(before, cut) == [Range(None, 10)], "the first block ends elsewhere now"
    last = [*before[:3], Block(30, 2, "e")]
    assert changed_ranges(before, last) == [Range(30, None)]
