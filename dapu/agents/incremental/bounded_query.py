"""A query from the watermark on, or of a backfill's range."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from dapu.agents.base import Context
from dapu.agents.incremental.bounds import end_at
from dapu.agents.incremental.resume import backfill_bounds, begin
from dapu.agents.incremental.text_order import check_order
from dapu.errors import JobError
from dapu.loading.options import WatermarkOptions
from dapu.registry.ordered_values import to_text
from dapu.registry.watermarks import Watermark
from dapu.sources.databases.source import Queryable
from dapu.sources.databases.subquery import between, highest
from dapu.statement import Statement


def bounded_query(
    context: Context, file: str, watermark: WatermarkOptions, source: Queryable
) -> Statement:
    """A query from the watermark on, up to the highest value that is there now.

    The upper bound is asked for first, so that the watermark is in the source's own terms and
    rows that come while others are read are left for the next run.
    """
    if context.backfill is not None:
        return _backfill_query(context, file, watermark, source)
    nulls, last = watermark.nulls == "include", context.state_before.watermark
    low = begin(context, watermark)
    query = context.sql(file, watermark=low)
    if last is not None and watermark.overlap is not None:
        # The source compares: what `initial` is there, only it knows.
        query = between(query, watermark.column, watermark.initial, None, source.quote)
    from_low = between(query, watermark.column, low, None, source.quote)
    highest_now = _highest(context, file, source, from_low, watermark.column)
    if last is None and watermark.initial is not None:
        like = highest_now
        if like is None:
            like = _highest(context, file, source, query, watermark.column)
        _check_initial(watermark, like)
    if highest_now is not None:
        to_text(highest_now, watermark.column)  # refuses what has no order
    if isinstance(highest_now, str) or (last is not None and isinstance(last.value, str)):
        whole = context.sql(file, watermark=watermark.initial)
        like = last.value if highest_now is None and last is not None else highest_now
        check_order(source, whole, watermark.column, like)
    high = end_at(watermark, highest_now, context.warehouse.settings.zone)
    if high is not None and _is_later(high, last, watermark):
        context.state_after.watermark = Watermark(watermark.column, high)
    slack = source.time_slack
    bounded = between(query, watermark.column, low, high, source.quote, nulls=nulls, slack=slack)
    context.sent.send(file, bounded)
    return bounded


def _check_initial(watermark: WatermarkOptions, like: Any) -> None:
    """Raises JobError when `initial` is of another kind than a value of the column.

    Some databases compare a text with a number, or with a time, and find nothing or all.
    """
    parse: Callable[[str], Any]
    if isinstance(like, int | float | Decimal):
        parse = Decimal
    elif isinstance(like, date):  # or a datetime, which is one too
        parse = datetime.fromisoformat
    else:
        return
    initial = watermark.initial
    try:
        parse(str(initial))
    except (ValueError, ArithmeticError):
        raise JobError(
            f"watermark.initial {initial} does not fit the column {watermark.column}, which has "
            f"values like {like}"
        ) from None


def _is_later(high: Any, last: Watermark | None, watermark: WatermarkOptions) -> bool:
    """Whether the watermark moves; never back."""
    if last is None:
        return True
    if isinstance(high, str) and isinstance(last.value, str) and not watermark.overlap:
        # What the source gave is not before the last value in the source's own order of texts,
        # and may be in another order.
        return high != last.value and (watermark.lag is None or high > last.value)
    try:
        return bool(high > last.value)
    except TypeError:
        raise JobError(
            f"the column {watermark.column} has values of several kinds, {last.value!r} and "
            f"{high!r}; let the query give one kind, and read everything once with "
            "`dapu run --full`"
        ) from None


def _highest(context: Context, file: str, source: Queryable, query: Statement, column: str) -> Any:
    asked = highest(query, column, source.quote, source.own_schema)
    context.sent.send(file, asked)
    return source.value(asked)


def _backfill_query(
    context: Context, file: str, watermark: WatermarkOptions, source: Queryable
) -> Statement:
    """The query of a backfill: the range that an operator wants read again."""
    column = watermark.column
    if context.state_before.watermark is not None:
        like = context.state_before.watermark.value
    else:
        whole = context.sql(file, watermark=watermark.initial)
        like = _highest(context, file, source, whole, column)
    low, high = backfill_bounds(context, like, column)
    query = context.sql(file, watermark=low)
    slack = source.time_slack
    bounded = between(query, column, low, high, source.quote, nulls=False, slack=slack)
    context.sent.send(file, bounded)
    return bounded
