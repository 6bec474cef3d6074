"""A day, month or year as one end of a range: it means the whole of it."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, datetime, time, tzinfo
from typing import Any

from dapu.agents.incremental.bounds import like_text

_DAYS = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_TIME_IN_TEXT = re.compile(r"\d{4}-\d\d-\d\d(?:([T ])\d\d:\d\d(?::\d\d(?:\.\d+)?)?([Z+-].*)?)?")
_LAST = "23:59:59.999999999"


def first_day(text: str) -> date | None:
    """`2024-02` is 2024-02-01; None for what is not a day, month or year."""
    found = _DAYS.fullmatch(text)
    return date(int(found[1]), int(found[2] or 1), int(found[3] or 1)) if found else None


def last_day(text: str) -> date | None:
    """`2024-02` is 2024-02-29; None for what is not a day, month or year. Raises ValueError."""
    found = _DAYS.fullmatch(text)
    if found is None:
        return None
    year, month = int(found[1]), int(found[2] or 12)
    return date(year, month, int(found[3] or monthrange(year, month)[1]))


def whole(kind: str, name: str, text: str, like: Any, zone: tzinfo) -> Any:
    """The first or last value of a day, month or year; None where the text is none.

    Of days, a time means its day: what is made of a part of a day is made of the whole of it.
    Where the column has times as texts, another time is given in their form.
    kind: of the watermark's values, see `to_text`. name: `from` or `to`. like: one of the values.
    Raises ValueError for what is no time, and a day that does not exist.
    """
    day = first_day(text) if name == "from" else last_day(text)
    if day is None and kind == "text" and is_time(like):
        return _time_like(text, like)
    if day is None:
        return _day_of(text, zone) if kind == "date" else None
    moment = datetime.combine(day, time.min if name == "from" else time.max)
    match kind:
        case "date":
            return day
        case "timestamp":
            return moment
        case "timestamptz":
            return moment.replace(tzinfo=zone)
        case "text" if form := _TIME_IN_TEXT.fullmatch(like):
            between, behind = form.groups(default="")
            if name == "from" or not between:
                return day.isoformat()
            # Texts without a zone may have further digits of a second; others are of one form.
            return like_text(moment, like) if behind else f"{day}{between}{_LAST}"
    return None


def is_time(like: Any) -> bool:
    """Whether a value is a text that says a time, as ISO 8601 has it."""
    return isinstance(like, str) and _TIME_IN_TEXT.fullmatch(like) is not None


def _time_like(text: str, like: str) -> str:
    """A time in the form of a column's texts, with which it is compared. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    zone, between = datetime.fromisoformat(like).tzinfo, like[10:11]
    if moment.tzinfo and not zone:
        raise ValueError(text)
    if moment.tzinfo:
        moment = moment.astimezone(zone)
    if not between:
        return moment.date().isoformat()
    return like_text(moment, like) if zone else moment.isoformat(between)


def _day_of(text: str, zone: tzinfo) -> date:
    """The day of a time, in the warehouse's zone. Raises ValueError for another text."""
    moment = datetime.fromisoformat(text)
    return (moment.astimezone(zone) if moment.tzinfo else moment).date()
