"""Where to go on reading: from the watermark, or over the range of a backfill."""

from __future__ import annotations

from typing import Any, NamedTuple

from dapu.agents.base import Context
from dapu.agents.incremental.bounds import begin_at, end_at
from dapu.agents.incremental.days import is_time, whole
from dapu.agents.incremental.newest import Newest
from dapu.errors import JobError, WrongBackfill
from dapu.loading.options import WatermarkOptions
from dapu.registry.ordered_values import from_text, to_text
from dapu.registry.watermarks import Watermark


class Bounds(NamedTuple):
    """The values of the watermark's column to read, both included; None is without a bound."""

    low: Any = None
    high: Any = None


def bounds(context: Context, watermark: WatermarkOptions | None) -> Bounds:
    """From the last run's value on; or the range of a backfill.

    Raises JobError when the watermark was kept for another column.
    """
    if watermark is None:
        if context.backfill is not None:
            raise WrongBackfill("--from and --to need an action with a `watermark`")
        return Bounds()
    if context.backfill is not None:
        # The source knows no kinds: the last run's value says which one it is.
        last = context.state_before.watermark
        return backfill_bounds(context, last and last.value, last.column if last else "")
    return Bounds(begin(context, watermark))


def begin(context: Context, watermark: WatermarkOptions) -> Any:
    """The value to read on from; None at the first run.

    Raises JobError when the watermark was kept for another column.
    """
    last = context.state_before.watermark
    if last is not None and last.column != watermark.column:
        raise JobError(
            f"the watermark was kept for the column {last.column}, and is {watermark.column} now; "
            "read everything once with `dapu run --full`"
        )
    return begin_at(watermark, last.value if last else None)


def backfill_bounds(context: Context, like: Any, column: str) -> Bounds:
    """What an operator gave as `from` and `to`, in the kind of a value that the column has.

    A day, month or year means the whole of it. A time without a zone is one of the warehouse's,
    where the column's have a zone. Raises WrongBackfill for a value of another kind, and for a
    range that ends before it begins; the order of texts is the source's own, so that of these is
    not looked at unless they are times.
    """
    low, high = (_end(context, name, like, column) for name in ("from", "to"))
    known = low is not None and high is not None and (not isinstance(low, str) or is_time(like))
    if known and high < low:
        given = context.backfill or {}
        raise WrongBackfill(
            f"--from {given.get('from')} is after --to {given.get('to')}; no row can be between: "
            "change places"
        )
    between = [
        f"{name} {value}" for name, value in (("from", low), ("to", high)) if value is not None
    ]
    context.note(f"reads the range {' '.join(between)} of {column}")
    context.state_after.backfilled = (low, high)
    return Bounds(low, high)


def _end(context: Context, name: str, like: Any, column: str) -> Any:
    text = (context.backfill or {}).get(name)
    if text is None or like is None:
        return text
    kind, kept = to_text(like, column)
    zone = context.warehouse.settings.zone
    try:
        value = whole(kind, name, text, like, zone)
        if value is None:
            value = from_text(kind, text)
    except (ValueError, ArithmeticError):
        raise WrongBackfill(f"--{name} {text}: write it like the watermark, {kept}") from None
    if kind == "timestamptz" and value.tzinfo is None:
        return value.replace(tzinfo=zone)
    return value


def keep_newest(context: Context, watermark: WatermarkOptions, newest: Newest) -> None:
    """Moves the watermark to the highest value that was read, never backwards."""
    high = end_at(watermark, newest.value, context.warehouse.settings.zone)
    if high is None or context.backfill is not None:
        return
    known = Newest(watermark.column)
    if context.state_before.watermark is not None:
        known.see(context.state_before.watermark.value)
    known.see(high)
    if known.value is high:
        context.state_after.watermark = Watermark(watermark.column, high)
