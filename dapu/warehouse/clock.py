"""The warehouse's clock: its parts of the day and cron times."""

from __future__ import annotations

from datetime import datetime, timedelta

from cronsim import CronSim

from dapu.warehouse.settings import Settings


def day_parts_at(settings: Settings, at: datetime) -> list[str]:
    """The parts of the day that a moment lies in, in the warehouse's time zone."""
    local = at.astimezone(settings.zone).time()
    return [name for name, part in settings.day_parts.items() if part.holds(local)]


def day_part_starts(settings: Settings, at: datetime) -> dict[str, datetime]:
    """When each of the parts of the day began that a moment lies in."""
    local = at.astimezone(settings.zone)
    starts = {}
    for name in day_parts_at(settings, at):
        start = datetime.combine(local.date(), settings.day_parts[name].start, settings.zone)
        starts[name] = start if start <= local else start - timedelta(days=1)
    return starts


def next_cron_time(expression: str, after: datetime, settings: Settings) -> datetime:
    """The next moment after `after` that a cron expression gives in the warehouse's time zone."""
    return next(CronSim(expression, after.astimezone(settings.zone)))
