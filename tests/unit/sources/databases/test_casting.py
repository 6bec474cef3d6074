"""The casts that SQL Server and Oracle get around a query; their SQL is parsed in its dialect.

docs/types.md has a table for each, which is what is tested here: no such server can be started.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlglot
from sqlalchemy.dialects import oracle
from sqlglot import exp

from dapu.sources.databases.fragments import fragment
from dapu.sources.databases.sqlalchemy.mssql_types import mssql_column, parameters
from dapu.sources.databases.sqlalchemy.oracle_types import oracle_column
from dapu.sources.databases.sqlalchemy.source import quoted
from dapu.sources.databases.typed_column import Typed

PAGE = (Path(__file__).parents[4] / "docs" / "types.md").read_text("utf-8")


def types_of(part: str) -> list[tuple[str, str, str]]:
    """The source's type, the new table's, and how it travels, of each row of a part's table."""
    found = re.search(rf"<!-- types: {part} -->(.*?)<!-- end -->", PAGE, re.DOTALL)
    assert found is not None
    _, _, *rows = found[1].strip().splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return [(source.strip("`"), target.strip("`"), how) for source, target, how in cells]


@dataclass(frozen=True)
class DbType:
    """As python-oracledb names a type in a cursor's description."""

    name: str


ORACLE = {
    "NUMBER(9)": ("NUMBER", 9, 0), "NUMBER(38,10)": ("NUMBER", 38, 10),
    "NUMBER": ("NUMBER", 0, -127),
    "TIMESTAMP(6)": ("TIMESTAMP", 0, 6),
    "TIMESTAMP(6) WITH TIME ZONE": ("TIMESTAMP_TZ", 0, 6),
    "TIMESTAMP(6) WITH LOCAL TIME ZONE": ("TIMESTAMP_LTZ", 0, 6),
    "INTERVAL YEAR TO MONTH": ("INTERVAL_YM", 2, 0),
    "INTERVAL DAY TO SECOND": ("INTERVAL_DS", 2, 6),
    "CHAR(5)": ("CHAR", None, None), "RAW(4)": ("RAW", None, None),
}  # fmt: skip
"""How a description has a type: its name, precision and scale."""


def described(declared: str) -> list[Any]:
    name, precision, scale = ORACLE.get(declared, (declared, None, None))
    return ["C", DbType(f"DB_TYPE_{name}"), None, None, precision, scale, True]


def check(column: Typed | None, target: str, how: str, dialect: str, quoted: str) -> None:
    assert column is not None
    assert column.type == target
    assert (column.cast is not None) == (how.startswith(("text", "its path")))
    if column.cast is not None:
        text = fragment(column.cast, value=quoted)
        for unknown in (" returning clob", "content ", " as clob"):  # to the parser alone
            text = text.replace(unknown, "")
        tree = sqlglot.parse_one(f"select {text} as d from t", dialect=dialect)
        assert isinstance(tree, exp.Select)
        assert not list(tree.find_all(exp.Command))
        names = {one.name for one in tree.find_all(exp.Identifier) if one.quoted}
        assert names == {"c"}


@pytest.mark.parametrize(("declared", "target", "how"), types_of("mssql"))
def test_sql_server(declared: str, target: str, how: str) -> None:
    check(mssql_column("c", declared), target, how, "tsql", "[c]")


@pytest.mark.parametrize(("declared", "target", "how"), types_of("oracle"))
def test_oracle(declared: str, target: str, how: str) -> None:
    check(oracle_column("c", described(declared)), target, how, "oracle", '"c"')


def test_a_type_that_is_not_known_is_left_to_the_driver() -> None:
    assert mssql_column("c", "sql_variant") is None
    assert mssql_column("c", None) is None
    assert oracle_column("c", described("OBJECT")) is None


@pytest.mark.parametrize(
    ("precision", "scale", "kind"),
    [(18, 0, "bigint"), (19, 0, "numeric(19,0)"), (5, 5, "numeric(5,5)"), (5, -2, "numeric"),
     (3, 5, "numeric"), (126, -127, "numeric"), (None, None, "numeric")],
)  # fmt: skip
def test_a_number_of_oracle(precision: int | None, scale: int | None, kind: str) -> None:
    column = oracle_column("c", ["C", DbType("DB_TYPE_NUMBER"), 0, 0, precision, scale, 1])
    assert column is not None
    assert column.type == kind


def test_the_values_of_a_query_are_declared_to_sql_server() -> None:
    values = [True, 5, 2**70, 1.5, Decimal("1.250"), "é", b"x", date(2024, 1, 1), time(1),
              datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC), UUID(int=1),
              None]  # fmt: skip
    assert parameters(values) == (
        "@p1 bit, @p2 bigint, @p3 decimal(38,0), @p4 float, @p5 decimal(38,3), "
        "@p6 nvarchar(max), @p7 varbinary(max), @p8 date, @p9 time(6), @p10 datetime2(6), "
        "@p11 datetimeoffset(6), @p12 uniqueidentifier, @p13 nvarchar(max)"
    )


def test_oracle_s_nanoseconds_are_not_rounded_on_their_way_to_utc() -> None:
    """The type without digits has six of them."""
    assert "timestamp(9) with time zone" in fragment("casts.oracle_zoned", value="c")


def test_a_name_that_oracle_must_have_in_quotes_keeps_them() -> None:
    """SQLAlchemy gives "a" and A as `a`; only it knows which of them it was."""
    dialect: Any = oracle.dialect()  # type: ignore[no-untyped-call]
    assert quoted(dialect, dialect.normalize_name("a")) == '"a"'
    assert quoted(dialect, dialect.normalize_name("A")) == "a"
