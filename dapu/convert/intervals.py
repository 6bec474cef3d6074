"""Lengths of time as PostgreSQL's `interval` reads them, in which dapu 0.8 wrote pauses."""

from __future__ import annotations

import re
from datetime import timedelta

from dapu.durations import write_duration

_UNITS = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),  # as PostgreSQL counts a month where it adds up intervals
    "year": timedelta(days=365),
}
_SHORT = {
    "s": "second",
    "sec": "second",
    "m": "minute",
    "min": "minute",
    "h": "hour",
    "hr": "hour",
    "d": "day",
    "w": "week",
    "mon": "month",
    "y": "year",
    "yr": "year",
}
_PART = re.compile(
    r"\s*(?:(\d+(?:\.\d+)?)\s*([a-z]+)|(\d+):(\d\d)(?::(\d\d))?)(?:\s*,)?\s*", re.IGNORECASE
)


def duration_of(interval: str) -> str | None:
    """An interval as `4 hours`; None for what is not understood. A month is 30 days."""
    total, end = timedelta(0), 0
    for part in _PART.finditer(interval):
        if part.start() != end:
            return None
        if part[3]:
            length = timedelta(hours=int(part[3]), minutes=int(part[4]), seconds=int(part[5] or 0))
        else:
            unit = part[2].lower()
            unit = _SHORT.get(unit.removesuffix("s") or unit, unit.removesuffix("s"))
            if unit not in _UNITS:
                return None
            length = float(part[1]) * _UNITS[unit]
        total, end = total + length, part.end()
    return write_duration(total) if end and end == len(interval) else None
