"""Reading only what is new: where to begin and where to end."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from dapu.errors import JobError
from dapu.loading.options import WatermarkOptions

_TIME_IN_TEXT = re.compile(
    r"\d{4}-\d\d-\d\d(?:([T ])\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?([Z+-].*)?)?"
)


def begin_at(options: WatermarkOptions, last: Any) -> Any:
    """The value from which to read: the last one less the overlap, or `initial`, or None.

    Raises JobError when the overlap does not fit the kind of value.
    """
    if last is None:
        return options.initial
    if options.overlap is None:
        return last
    try:
        return _less(last, options.overlap)
    except OverflowError:  # before all times: read from the beginning
        return options.initial
    except (TypeError, ValueError):
        raise _does_not_fit("overlap", options.overlap, options.column, last) from None


def end_at(options: WatermarkOptions, highest_now: Any, zone: tzinfo) -> Any:
    """The value up to which to read: the highest there is, or earlier, as `lag` says.

    A lag of time counts from now, in the warehouse's zone where the values have none; a lag of
    a number counts from the highest value.
    Raises JobError when the lag does not fit the kind of value.
    """
    lag = options.lag
    if lag is None or highest_now is None:
        return highest_now
    try:
        if not isinstance(lag, timedelta) or isinstance(highest_now, int | float | Decimal):
            return _less(highest_now, lag)
        return min(highest_now, _less(_now_like(highest_now, zone), lag))
    except (TypeError, ValueError, OverflowError):
        raise _does_not_fit("lag", lag, options.column, highest_now) from None


def _does_not_fit(option: str, given: timedelta | float, column: str, value: Any) -> JobError:
    return JobError(
        f"watermark.{option} {given} does not fit the column {column}, whose values are like "
        f"{value!r}; give a duration for a time, a number for a number"
    )


def _now_like(value: Any, zone: tzinfo) -> Any:
    """The present moment as a value of the same kind."""
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        now = datetime.now(moment.tzinfo or zone).replace(tzinfo=moment.tzinfo)
        return like_text(now, value)
    if isinstance(value, datetime):
        return datetime.now(value.tzinfo or zone).replace(tzinfo=value.tzinfo)
    if isinstance(value, date):
        return datetime.now(zone).date()
    raise TypeError


def _less(value: Any, overlap: timedelta | float) -> Any:
    if isinstance(value, str) and isinstance(overlap, timedelta):
        return _less_in_text(value, overlap)
    if isinstance(value, datetime):
        return value - _duration(overlap)
    if isinstance(value, date):
        return value + timedelta(days=(-_duration(overlap)).days)  # a part of a day is one more
    if isinstance(overlap, timedelta):
        if overlap:
            raise TypeError
        return value  # a bare 0, which is read as a length of time
    return value - type(value)(overlap)


def _duration(overlap: timedelta | float) -> timedelta:
    if not isinstance(overlap, timedelta):
        raise TypeError
    return overlap


def _less_in_text(value: str, overlap: timedelta) -> str:
    """A time that the source keeps as text stays text of the same form."""
    return like_text(datetime.fromisoformat(value) - overlap, value)


def like_text(moment: datetime, like: str) -> str:
    """A moment as text of the same form as another, so that the two compare as texts."""
    form = _TIME_IN_TEXT.fullmatch(like)
    if form is None:
        raise ValueError(like)
    between, zone = form.groups(default="")
    text = moment.replace(tzinfo=None).isoformat(between or " ", "microseconds")
    return text[: len(like) - len(zone)] + zone
