"""What dapu puts around a query is SQL that SQL Server and Oracle understand.

There is no such server here: the statements are parsed in the dialect of each.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest
import sqlglot
from sqlalchemy import make_url
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite
from sqlglot import exp

from dapu.sources.databases.sqlalchemy.source import for_driver, quoted
from dapu.sources.databases.subquery import between, highest, no_rows
from dapu.statement import Statement

DIALECTS = {
    "tsql": (mssql.dialect(), "qmark"),  # type: ignore[no-untyped-call]
    "oracle": (oracle.dialect(), "named"),  # type: ignore[no-untyped-call]
    "postgres": (postgresql.dialect(), "pyformat"),  # type: ignore[no-untyped-call]
    "mysql": (mysql.dialect(), "format"),
    "sqlite": (sqlite.dialect(), "qmark"),
}
QUERY = Statement(("select id, changed from orders where country = ", ";\n"), ("EE",))
WRAPPED: dict[str, Callable[[Callable[[str], str]], Statement]] = {
    "low": lambda quote: between(QUERY, "changed", 5, None, quote),
    "both": lambda quote: between(QUERY, "changed", 5, 9, quote),
    "without nulls": lambda quote: between(QUERY, "changed", 5, 9, quote, nulls=False),
    "only not null": lambda quote: between(QUERY, "changed", None, None, quote, nulls=False),
    "up to a cut time": lambda quote: between(
        QUERY, "changed", None, datetime(2024, 1, 1), quote, slack=timedelta(milliseconds=1)
    ),
    "highest": lambda quote: highest(QUERY, "changed", quote),
    "no rows": lambda _quote: no_rows(QUERY),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("wrapped", WRAPPED)
def test_a_wrapped_query_parses(dialect: str, wrapped: str) -> None:
    sqlalchemy_dialect, paramstyle = DIALECTS[dialect]
    quote = partial(quoted, sqlalchemy_dialect)
    text, values = WRAPPED[wrapped](quote).for_driver(paramstyle, quote)
    # Placeholders of Python's own are not SQL; each stands for a value.
    for number in range(len(values), 0, -1):
        text = text.replace(f"%(p{number})s", "1")
    (tree,) = sqlglot.parse(text.replace("%s", "1"), read=dialect)
    assert isinstance(tree, exp.Select)
    subquery = tree.find(exp.Subquery)
    assert subquery is not None
    assert subquery.alias == "dapu_query"
    assert [table.name for table in tree.find_all(exp.Table)] == ["orders"]


def test_oracle_takes_no_as_before_the_name_of_a_query() -> None:
    quote = partial(quoted, DIALECTS["oracle"][0])
    text, _ = highest(QUERY, "changed", quote).for_driver("named", quote)
    assert text.split()[-2:] == [")", "dapu_query"]


@pytest.mark.parametrize(
    ("dialect", "name", "text"),
    [
        ("oracle", "modified_at", "modified_at"),  # MODIFIED_AT there
        ("oracle", "Modified At", '"Modified At"'),
        ("oracle", "DATE", '"DATE"'),
        ("tsql", "modified_at", "[modified_at]"),
        ("postgres", "50%", '"50%"'),
    ],
)
def test_a_name_is_quoted_as_its_database_keeps_it(dialect: str, name: str, text: str) -> None:
    assert quoted(DIALECTS[dialect][0], name) == text


@pytest.mark.parametrize(
    ("driver", "paramstyle", "text"),
    [
        ("mssql+pymssql", "pyformat", "select '50%' where x = %(p1)s"),
        ("mssql+pyodbc", "qmark", "select '50%' where x = ?"),
        ("postgresql+psycopg2", "pyformat", "select '50%%' where x = %(p1)s"),
    ],
)
def test_a_percent_sign_goes_as_its_driver_wants_it(
    driver: str, paramstyle: str, text: str
) -> None:
    dialect = make_url(f"{driver}://").get_dialect()()
    dialect.paramstyle = paramstyle  # as its driver, which is not imported, has it
    assert for_driver(dialect, Statement(("select '50%' where x = ", ""), (1,)))[0] == text
