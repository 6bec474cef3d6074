"""Reading only what is new: where to begin, and the query's bounds."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from dapu.definitions import script
from dapu.definitions.templates import Statement
from dapu.errors import JobError
from dapu.loading.options import WatermarkOptions

_TIME_IN_TEXT = re.compile(
    r"\d{4}-\d\d-\d\d(?:([T ])\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?([Z+-].*)?)?"
)


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
    except OverflowError:  # before all times: read from the beginning
        return options.initial
    except (TypeError, ValueError):
        raise _misfit("overlap", options.overlap, options.column, last) from None


def end_at(options: WatermarkOptions, highest_now: Any, zone: tzinfo) -> Any:
    """The value up to which to read: the highest there is, or earlier, as `lag` says.

    A lag of time counts from now, in the warehouse's zone where the values have none; a lag of
    a number counts from the highest value.
    Raises JobError when the lag does not fit the kind of value.
    """
    lag = options.lag
    if lag is None or highest_now is None:
        return highest_now
    try:
        if not isinstance(lag, timedelta):
            return _less(highest_now, lag)
        return min(highest_now, _less(_now_like(highest_now, zone), lag))
    except (TypeError, ValueError, OverflowError):
        raise _misfit("lag", lag, options.column, highest_now) from None


def _misfit(option: str, given: timedelta | float, column: str, value: Any) -> JobError:
    return JobError(
        f"watermark.{option} {given} does not fit the column {column}, whose values are like "
        f"{value!r}; give a duration for a time, a number for a number"
    )


def _now_like(value: Any, zone: tzinfo) -> Any:
    """The present moment as a value of the same kind."""
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        now = datetime.now(moment.tzinfo or zone).replace(tzinfo=moment.tzinfo)
        return _like_text(now, value)
    if isinstance(value, datetime):
        return datetime.now(value.tzinfo or zone).replace(tzinfo=value.tzinfo)
    if isinstance(value, date):
        return datetime.now(zone).date()
    raise TypeError


def _less(value: Any, overlap: timedelta | float) -> Any:
    if isinstance(value, str) and isinstance(overlap, timedelta):
        return _less_in_text(value, overlap)
    if isinstance(value, datetime):
        return value - _duration(overlap)
    if isinstance(value, date):
        return value + timedelta(days=(-_duration(overlap)).days)  # a part of a day is one more
    if isinstance(overlap, timedelta):
        raise TypeError
    return value - type(value)(overlap)


def _duration(overlap: timedelta | float) -> timedelta:
    if not isinstance(overlap, timedelta):
        raise TypeError
    return overlap


def _less_in_text(value: str, overlap: timedelta) -> str:
    """A time that the source keeps as text stays text of the same form."""
    return _like_text(datetime.fromisoformat(value) - overlap, value)


def _like_text(moment: datetime, like: str) -> str:
    """A moment as text of the same form as another, so that the two compare as texts."""
    form = _TIME_IN_TEXT.fullmatch(like)
    if form is None:
        raise ValueError(like)
    between, zone = form.groups(default="")
    text = moment.replace(tzinfo=None).isoformat(between or " ", "microseconds")
    return text[: len(like) - len(zone)] + zone


def between(
    query: Statement,
    column: str,
    low: Any,
    high: Any,
    quote: Callable[[str], str],
    *,
    nulls: bool = True,
    is_cut: bool = False,
) -> Statement:
    """The query's rows from `low` to `high`, both included.

    A None bound is no bound. quote: how the database quotes an identifier. nulls: rows without
    a value are read too. is_cut: `high` may be less than its row has, by less than a microsecond.
    """
    name = f"dapu_query.{quote(column)}"
    bounds = []
    if low is not None:
        bounds.append(Statement((f"{name} >= ", ""), (low,)))
    if is_cut and isinstance(high, datetime) and high < datetime.max.replace(tzinfo=high.tzinfo):
        # Both, since a driver may cut the bound as it cuts what it reads.
        values = (high, high + timedelta(microseconds=1))
        bounds.append(Statement((f"({name} <= ", f" or {name} < ", ")"), values))
    elif high is not None:
        bounds.append(Statement((f"{name} <= ", ""), (high,)))
    if not bounds:
        return query if nulls else _not_null(query, name)
    after = Statement(("\n) dapu_query where (",))
    for position, bound in enumerate(bounds):
        after = after.then(Statement((" and " if position else "",))).then(bound)
    after = after.then(Statement((f" or {name} is null)" if nulls else ")",)))
    return without_end(query).around(Statement(("select * from (\n",)), after)


def _not_null(query: Statement, name: str) -> Statement:
    after = Statement((f"\n) dapu_query where {name} is not null",))
    return without_end(query).around(Statement(("select * from (\n",)), after)


def highest(query: Statement, column: str, quote: Callable[[str], str]) -> Statement:
    """The query that gives the highest value of a column of a query."""
    before = Statement((f"select max(dapu_query.{quote(column)}) from (\n",))  # noqa: S608
    return without_end(query).around(before, Statement(("\n) dapu_query",)))


def no_rows(query: Statement) -> Statement:
    """The query without its rows: for its columns alone."""
    before, after = "select * from (\n", "\n) dapu_query where 1 = 0"
    return without_end(query).around(Statement((before,)), Statement((after,)))


def without_end(query: Statement) -> Statement:
    """The query without a semicolon at its end, so that it can stand in another."""
    return Statement((*query.parts[:-1], script.without_end(query.parts[-1])), query.values)
