"""A query from the watermark on, or of a range that an operator wants once more."""

from __future__ import annotations

from typing import Any

from dapu.agents.base import Context
from dapu.databases.source import Asked
from dapu.definitions.templates import Statement
from dapu.errors import JobError
from dapu.loading.options import WatermarkOptions
from dapu.loading.watermark import begin_at, between, end_at, highest
from dapu.registry.values import from_text, to_text
from dapu.registry.watermarks import Watermark


def bounded_query(
    context: Context, file: str, watermark: WatermarkOptions, source: Asked
) -> Statement:
    """A query from the watermark on, up to the highest value that is there now.

    The upper bound is asked for first, so that the watermark is in the source's own terms and
    rows that come while others are read are left for the next run.
    """
    if context.span is not None:
        return _spanning_query(context, file, watermark, source)
    nulls = watermark.nulls == "include"
    low = _low(context, watermark)
    query = context.sql(file, watermark=low)
    from_low = between(query, watermark.column, low, None, source.quote)
    highest_now = source.value(highest(from_low, watermark.column, source.quote))
    if highest_now is not None:
        to_text(highest_now, watermark.column)  # refuses what has no order
    high = end_at(watermark, highest_now, context.warehouse.settings.zone)
    if high is not None and (context.low is None or high > context.low.value):
        context.high = Watermark(watermark.column, high)
    return between(query, watermark.column, low, high, source.quote, nulls=nulls)


def _spanning_query(
    context: Context, file: str, watermark: WatermarkOptions, source: Asked
) -> Statement:
    """The range that an operator wants read once more."""
    low, high = (_like_watermark(context, name) for name in ("from", "to"))
    query = context.sql(file, watermark=low)
    return between(query, watermark.column, low, high, source.quote, nulls=False)


def _like_watermark(context: Context, name: str) -> Any:
    """A value that an operator gave, in the kind that the watermark has."""
    text = (context.span or {}).get(name)
    if text is None or context.low is None:
        return text
    kind, kept = to_text(context.low.value, context.low.column)
    try:
        return from_text(kind, text)
    except (ValueError, ArithmeticError):
        raise JobError(f"--{name} {text}: write it like the watermark, {kept}") from None


def _low(context: Context, watermark: WatermarkOptions) -> Any:
    last = context.low
    if last is not None and last.column != watermark.column:
        raise JobError(
            f"the watermark was kept for the column {last.column}, and is {watermark.column} now; "
            "read everything once with `dapu run --full`"
        )
    return begin_at(watermark, last.value if last else None)
