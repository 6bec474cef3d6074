"""The warehouse's clock: its parts of the day and cron times."""

from __future__ import annotations

from datetime import datetime

from cronsim import CronSim

from dapu.warehouse.settings import Settings


def day_parts_at(settings: Settings, at: datetime) -> list[str]:
    """The parts of the day that a moment lies in, in the warehouse's time zone."""
    local = at.astimezone(settings.zone).time()
    return [name for name, part in settings.day_parts.items() if part.holds(local)]


def next_cron_time(expression: str, after: datetime, settings: Settings) -> datetime:
    """The next moment after `after` that a cron expression gives in the warehouse's time zone."""
    return next(CronSim(expression, after.astimezone(settings.zone)))
