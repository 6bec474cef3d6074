"""Which range of its source an action has read, for the registry and in the job's transaction."""

from __future__ import annotations

from typing import Any

from psycopg2.extensions import cursor as Cursor

from dapu.agents.base import Context
from dapu.definitions.models import ActionOptions
from dapu.loading.options import LoadOptions, WatermarkOptions
from dapu.registry import read_ranges
from dapu.registry.ordered_values import given_as
from dapu.registry.read_ranges import Range


def note_range(cursor: Cursor, context: Context, options: ActionOptions) -> None:
    """Notes what was read by a watermark: up to it, or a backfill's range."""
    if not isinstance(options, LoadOptions) or options.watermark is None:
        return
    read = _range_read(context, options.watermark)
    if read is not None:
        read_ranges.add(
            cursor,
            context.job.registry,
            context.action.task,
            context.action.source,
            options.watermark.column,
            read,
            context.job.number,
            whole=context.scope == "full",
        )


def _range_read(context: Context, watermark: WatermarkOptions) -> Range | None:
    before, after = context.state_before.watermark, context.state_after.watermark
    if context.scope == "backfill":
        low, high = context.state_after.backfilled or (None, None)
        high = before.value if high is None and before else high
        return None if high is None else Range(low, high)
    if after is None:
        return None
    return Range(before.value if before else _initial(context, watermark, after.value), after.value)


def _initial(context: Context, watermark: WatermarkOptions, like: Any) -> Any:
    """`initial` as a value of the column; None where there is none."""
    if watermark.initial is None:
        return None
    try:
        return given_as(str(watermark.initial), like, context.warehouse.settings.zone)
    except (ValueError, ArithmeticError):  # only the source knows what it is there
        return None
