"""Where to go on reading, for agents whose source knows no SQL."""

from __future__ import annotations

from typing import Any, NamedTuple

from dapu.agents.base import Context
from dapu.documents.newest import Newest
from dapu.errors import JobError
from dapu.loading.options import WatermarkOptions
from dapu.loading.watermark import begin_at, end_at
from dapu.registry.values import from_text, to_text
from dapu.registry.watermarks import Watermark


class Bounds(NamedTuple):
    """The values of the watermark's column to read, both included; None is no bound."""

    low: Any = None
    high: Any = None


def bounds(context: Context, watermark: WatermarkOptions | None) -> Bounds:
    """From the last run's value on; or the range that an operator wants read once more.

    Raises JobError when the watermark was kept for another column.
    """
    if watermark is None:
        if context.span is not None:
            raise JobError("--from and --to need an action with a `watermark`")
        return Bounds()
    if context.span is not None:
        return Bounds(_given(context, "from"), _given(context, "to"))
    last = context.low
    if last is not None and last.column != watermark.column:
        raise JobError(
            f"the watermark was kept for the column {last.column}, and is {watermark.column} now; "
            "read everything once with `dapu run --full`"
        )
    return Bounds(begin_at(watermark, last.value if last else None))


def keep_newest(context: Context, watermark: WatermarkOptions, newest: Newest) -> None:
    """Moves the watermark to the highest value that was read, never backwards."""
    high = end_at(watermark, newest.value, context.warehouse.settings.zone)
    if high is None or context.span is not None:
        return
    known = Newest(watermark.column)
    if context.low is not None:
        known.see(context.low.value)
    known.see(high)
    if known.value is high:
        context.high = Watermark(watermark.column, high)


def _given(context: Context, name: str) -> Any:
    """A value that an operator gave, in the kind that the watermark has."""
    text = (context.span or {}).get(name)
    if text is None or context.low is None:
        return text
    kind, kept = to_text(context.low.value, context.low.column)
    try:
        return from_text(kind, text)
    except (ValueError, ArithmeticError):
        raise JobError(f"--{name} {text}: write it like the watermark, {kept}") from None
