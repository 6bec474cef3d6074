"""Reading only what is new: where to begin, and the query's bounds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from dapu.definitions.templates import Statement
from dapu.errors import JobError
from dapu.loading.options import WatermarkOptions


def begin_at(options: WatermarkOptions, last: Any) -> Any:
    """The value from which to read: the last one less the overlap, or `initial`, or None.

    Raises JobError when the overlap does not fit the kind of value.
    """
    if last is None:
        return options.initial
    if options.overlap is None:
        return last
    try:
        return _less(last, options.overlap)
    except (TypeError, ValueError):
        raise JobError(
            f"watermark.overlap {options.overlap} does not fit the column {options.column}, whose "
            f"values are like {last!r}; give a duration for a time, a number for a number"
        ) from None


def _less(value: Any, overlap: timedelta | float) -> Any:
    if isinstance(value, str) and isinstance(overlap, timedelta):
        return _less_in_text(value, overlap)
    if isinstance(value, datetime):
        return value - _duration(overlap)
    if isinstance(value, date):
        return value - timedelta(days=_duration(overlap).days)
    if isinstance(overlap, timedelta):
        raise TypeError
    return value - type(value)(overlap)


def _duration(overlap: timedelta | float) -> timedelta:
    if not isinstance(overlap, timedelta):
        raise TypeError
    return overlap


def _less_in_text(value: str, overlap: timedelta) -> str:
    """A time that the source keeps as text stays text of the same form."""
    earlier = datetime.fromisoformat(value) - overlap
    text = earlier.isoformat("T" if "T" in value else " ")
    return text.replace("+00:00", "Z") if value.endswith("Z") else text[: max(len(value), 19)]


def between(
    query: Statement, column: str, low: Any, high: Any, quote: Callable[[str], str]
) -> Statement:
    """The query's rows from `low` to `high`, both included, and those without a value.

    A None bound is no bound. quote: how the database quotes an identifier.
    """
    name = f"dapu_query.{quote(column)}"
    bounds = [(f"{name} >= ", low), (f"{name} <= ", high)]
    given = [(text, value) for text, value in bounds if value is not None]
    if not given:
        return query
    after = Statement(("\n) dapu_query where (",))
    for position, (text, value) in enumerate(given):
        joint = " and " if position else ""
        after = after.then(Statement((joint + text, ""), (value,)))
    after = after.then(Statement((f" or {name} is null)",)))
    return without_end(query).around(Statement(("select * from (\n",)), after)


def highest(query: Statement, column: str, quote: Callable[[str], str]) -> Statement:
    """The query that gives the highest value of a column of a query."""
    before = Statement((f"select max(dapu_query.{quote(column)}) from (\n",))  # noqa: S608
    return without_end(query).around(before, Statement(("\n) dapu_query",)))


def without_end(query: Statement) -> Statement:
    """The query without a semicolon at its end, so that it can stand in another."""
    last = query.parts[-1].rstrip()
    return Statement((*query.parts[:-1], last.removesuffix(";")), query.values)
