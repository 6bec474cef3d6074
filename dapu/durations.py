"""Lengths of time as people write them: `23 hours`, `90 s`, `1 day 12 hours`.

Without pydantic, for commands that read no definition; its field is in `duration_field`.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from typing import Any

_UNITS = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_SHORT = {"s": "second", "sec": "second", "m": "minute", "min": "minute", "h": "hour", "d": "day"}
# For editors, whose patterns know no flag for letters of both sizes.
_WORDS = re.sub(
    r"[a-z]",
    lambda letter: f"[{letter[0]}{letter[0].upper()}]",
    r"weeks?|days?|d|hours?|h|minutes?|min|m|seconds?|sec|s",
)
# More is a slip of the keyboard, and leads to times that no calendar of Python's has.
_LONGEST = timedelta(days=36_525)
PATTERN = rf"^\s*(0|(\d+(\.\d+)?\s*({_WORDS})\s*)+)$"
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.IGNORECASE)


def parse_duration(value: Any) -> timedelta:
    """Reads `4 hours`, `5 min` or `1 day 12 hours`; a bare 0 is no time at all.

    Raises ValueError, with an example in its text, for anything else, and for over 100 years.
    """
    if isinstance(value, timedelta):
        return value
    text = str(value).strip()
    if text == "0":
        return timedelta(0)
    total, end = timedelta(0), 0
    for part in _PART.finditer(text):
        unit = part[2].lower()
        unit = _SHORT.get(unit, unit.removesuffix("s"))
        if part.start() != end or unit not in _UNITS:
            break
        total, end = _add(total, float(part[1]), _UNITS[unit]), part.end()
    if end == 0 or end != len(text):
        raise ValueError(f"{value!r} is not a length of time; write, for example, `4 hours`")
    return total


def _add(total: timedelta, count: float, unit: timedelta) -> timedelta:
    if total.total_seconds() + count * unit.total_seconds() > _LONGEST.total_seconds():
        raise ValueError("is longer than 100 years, the longest that a length of time can be")
    return total + count * unit


def show_duration(value: timedelta) -> str:
    """A length of time for a person: `1.9 s`, `4 min 10 s`, `2 days 3 h`."""
    seconds = value.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} days {hours % 24} h"


def write_duration(value: timedelta) -> str:
    """A length of time as `parse_duration` reads it: `90 minutes`."""
    seconds = value.total_seconds()
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds / length:.0f} {unit}" + ("" if seconds == length else "s")
    return f"{seconds:f}".rstrip("0").rstrip(".") + " seconds"


def moment(text: str, zone: tzinfo) -> datetime:
    """`yesterday`, `today`, a length of time before now, or a time in a zone.

    Raises ValueError, with examples in its text, for anything else.
    """
    now = datetime.now(zone)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    words = {"today": midnight, "yesterday": midnight - timedelta(days=1)}
    if text in words:
        return words[text]
    with suppress(ValueError):
        return now - parse_duration(text)
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(zone)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is no time; write, for example, `yesterday`, `2 hours` or `2024-05-01 14:30`"
        ) from None
