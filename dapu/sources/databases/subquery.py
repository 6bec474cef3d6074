"""A source's query inside another: some of its rows or columns, or its highest value.

Inside, the query is called `dapu_query`. Columns are given as the database quotes them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from dapu.sources.databases.fragments import fill_statement
from dapu.sources.databases.source import NO_SLACK
from dapu.statement import Statement


def where(query: Statement, condition: Statement, columns: str = "*") -> Statement:
    """The query's rows for which a condition holds, with these columns."""
    return fill_statement(
        "subquery.where", columns=columns, query=query.without_end(), condition=condition
    )


def only(query: Statement, columns: str) -> Statement:
    """The query's rows with these columns."""
    return fill_statement("subquery.columns", columns=columns, query=query.without_end())


def highest(
    query: Statement, column: str, quote: Callable[[str], str], schema: str = ""
) -> Statement:
    """The query that gives the highest value of a column of a query."""
    return fill_statement(
        "subquery.highest", schema=schema, column=quote(column), query=query.without_end()
    )


def no_rows(query: Statement) -> Statement:
    """The query without its rows: for its columns alone."""
    return fill_statement("subquery.no_rows", query=query.without_end())


def between(
    query: Statement,
    column: str,
    low: Any,
    high: Any,
    quote: Callable[[str], str],
    *,
    nulls: bool = True,
    slack: timedelta = NO_SLACK,
) -> Statement:
    """The query's rows from `low` to `high`, both included.

    None: no bound. quote: how the database quotes an identifier. nulls: rows without
    a value are read too. slack: by less than this `high` may be before what its row has.
    """
    name = f"dapu_query.{quote(column)}"
    bounds = []
    if low is not None:
        bounds.append(Statement((f"{name} >= ", ""), (low,)))
    is_time = slack and isinstance(high, datetime)
    if is_time and datetime.max.replace(tzinfo=high.tzinfo) - high >= slack:
        # Both, since a driver may cut the bound as it cuts what it reads.
        values = (high, high + slack)
        bounds.append(Statement((f"({name} <= ", f" or {name} < ", ")"), values))
    elif high is not None:
        bounds.append(Statement((f"{name} <= ", ""), (high,)))
    if not bounds:
        return query if nulls else where(query, Statement((f"{name} is not null",)))
    condition = Statement(("(",))
    for position, bound in enumerate(bounds):
        condition = condition.then(Statement((" and " if position else "",))).then(bound)
    return where(query, condition.then(Statement((f" or {name} is null)" if nulls else ")",))))
