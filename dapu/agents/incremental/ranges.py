"""Where a table is cut into parts, by the values of a column."""

from __future__ import annotations

import math
import re
from datetime import MAXYEAR, date, datetime
from decimal import Decimal
from typing import Any

from dapu.durations import parse_duration
from dapu.errors import JobError

_MOST = 10_000  # parts
_CALENDAR = re.compile(r"\s*(\d+)\s*(month|year)s?\s*", re.IGNORECASE)


def equal_parts(low: Any, high: Any, count: int) -> list[Any]:
    """The values at which `count` parts of equal width begin, the first left out.

    Raises JobError when the values have no width: texts, or an infinite one.
    """
    _check_finite(low, high)
    if isinstance(low, datetime | date):
        width = (high - low) / count
        cuts = [low + width * number for number in range(1, count)]
    elif isinstance(low, int | float | Decimal):
        span = Decimal(high) - Decimal(low)
        exact = [Decimal(low) + span * number / count for number in range(1, count)]
        cuts = [int(cut) + 1 if isinstance(low, int) else cut for cut in exact]
    else:
        raise _no_width(low)
    return sorted({cut for cut in cuts if low < cut <= high})


def regular_parts(low: Any, high: Any, every: str | float) -> list[Any]:
    """The values at which parts of one length begin, the first left out.

    every: a number, a duration, or months or years of the calendar.
    Raises JobError when the length does not fit the values, or makes too many parts.
    """
    _check_finite(low, high)
    calendar = _CALENDAR.fullmatch(str(every))
    cuts: list[Any] = []
    cut = _begin(low, calendar[2].lower()) if calendar else low
    while True:
        try:
            cut = _months_later(cut, calendar) if calendar else _later(cut, every)
        except OverflowError:  # after all times
            return cuts
        if cut > high:
            return cuts
        cuts.append(cut)
        if len(cuts) > _MOST:
            raise JobError(
                f"split.every {every} makes more than {_MOST:,} parts; take a longer one"
            )


def _later(value: Any, every: str | float) -> Any:
    try:
        if isinstance(value, datetime | date):
            step = parse_duration(every)
            later = value + step
        else:
            later = value + type(value)(every)
        if later > value:
            return later
    except OverflowError:
        if isinstance(value, date):
            raise
    except (TypeError, ValueError, ArithmeticError):
        pass
    raise _does_not_fit(every, value)


def _does_not_fit(every: str | float, value: Any) -> JobError:
    of_days = type(value) is date
    durations = "a duration of whole days" if of_days else "a duration (`1 month`, `7 days`)"
    return JobError(
        f"split.every {every} does not fit values like {value!r}; give {durations} for times, a "
        "number for numbers, and more than 0"
    )


def _check_finite(*values: Any) -> None:
    for value in values:
        if isinstance(value, float | Decimal) and not math.isfinite(value):
            raise JobError(
                f"split: there is a value {value}, up to which no parts of equal width lead; leave "
                "such rows out of the query, or split by another column"
            )


def _begin(value: Any, unit: str) -> Any:
    """The beginning of the month or year that a moment lies in."""
    if not isinstance(value, datetime | date):
        raise _no_width(value)
    first = value.replace(day=1) if unit == "month" else value.replace(month=1, day=1)
    if isinstance(first, datetime):
        return first.replace(hour=0, minute=0, second=0, microsecond=0)
    return first


def _months_later(value: Any, calendar: re.Match[str]) -> Any:
    months = int(calendar[1]) * (12 if calendar[2].lower() == "year" else 1)
    if not months:
        raise _does_not_fit(calendar[0].strip(), value)
    years, month = divmod(value.month - 1 + months, 12)
    if value.year + years > MAXYEAR:
        raise OverflowError
    return value.replace(year=value.year + years, month=month + 1)


def _no_width(value: Any) -> JobError:
    return JobError(
        f"split: values like {value!r} cannot be split; take a number, a date or a time, or an "
        "`expression` that makes one of them, as `julianday(at)` does of SQLite's texts"
    )
