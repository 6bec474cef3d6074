"""Dates and times as people and programs write them, in ISO 8601.

What cannot be understood, or would lose something, is given back with a word of why. No column of
dates or times takes such a text, which is the point: PostgreSQL itself would read `02/01/2024` in
the order of some setting, drop the time of day of a date, and take `today` for a date.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal

from dapu.rows.exactness import remarked

DateOrder = Literal["day first", "month first"]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# The forms that PostgreSQL writes itself: they are passed on as they are.
_OWN_DATE = re.compile(r"\d{4,}-\d\d-\d\d(?: BC)?|-?infinity")
_OWN_TIME = re.compile(
    r"(\d{4,}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d(?:\.(\d+))?)?)"
    r"\s*(Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?( BC)?"
)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})\.?|(\d{4})(\d\d)(\d\d)")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])\s?(\d{1,2})\2\s?(\d{4})\.?")
_TWO_DIGITS = re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{2}")
_DAY_NAME = re.compile(r"(\d{1,2})[ .-]*([A-Za-z]{3,9})[ .,-]+(\d{4})")
_NAME_DAY = re.compile(r"([A-Za-z]{3,9})[ .]+(\d{1,2})(?:st|nd|rd|th)?,? +(\d{4})")
_CLOCK = re.compile(
    r"(?P<date>.*?)[T ,]+(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)"
    r"(?:[.,](?P<fraction>\d+))?)?\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*"
    r"(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?"
)


@dataclass(frozen=True)
class DateStyle:
    """How a column's dates are written, where it is known.

    formats: as strftime has them; with any given, only these and ISO 8601 are understood.
    """

    order: DateOrder | None = None
    formats: Sequence[str] = ()


def iso_date(text: str, style: DateStyle) -> str | None:
    """The date in ISO 8601; None for an empty text."""
    bare = text.strip()
    if not bare or _OWN_DATE.fullmatch(bare):
        return bare or None
    by_format = _by_format(bare, style)
    if by_format is not None:
        is_date = by_format.time() == time(0) and by_format.tzinfo is None
        return by_format.date().isoformat() if is_date else _loses(bare)
    if own := _OWN_TIME.fullmatch(bare):
        return own[1] + (own[5] or "") if _is_midnight(own) else _loses(bare)
    clock = _CLOCK.fullmatch(bare)
    if clock is None:
        return _date(bare, style)
    day = _date(clock["date"].strip(), style)
    midnight = not any(int(clock[part] or 0) for part in ("hour", "minute", "second", "fraction"))
    return day if midnight and not (clock["half"] or clock["zone"]) else _loses(bare)


def iso_time(text: str, style: DateStyle, *, zoned: bool) -> str | None:
    """The date and time in ISO 8601; None for an empty text.

    zoned: the column keeps a zone; otherwise a text with one is not taken.
    """
    bare = text.strip()
    if not bare or _OWN_DATE.fullmatch(bare):
        return bare or None
    if own := _OWN_TIME.fullmatch(bare):
        return _kept(bare, own[3], own[4], zoned)
    by_format = _by_format(bare, style)
    if by_format is not None:
        return _kept(by_format.isoformat(" "), None, by_format.tzinfo, zoned)
    clock = _CLOCK.fullmatch(bare)
    if clock is None:
        return _date(bare, style)
    given = clock["date"].strip()
    day = _date(given, style)
    hour = _hour(int(clock["hour"]), clock["half"])
    if not _is_iso(day):
        return bare + day[len(given) :]
    if hour is None:
        return remarked(bare, "no time")
    fraction = f".{clock['fraction']}" if clock["fraction"] else ""
    seconds = f"{clock['minute']}:{clock['second'] or '00'}{fraction}"
    return _kept(f"{day} {hour:02}:{seconds}{clock['zone'] or ''}", clock["fraction"],
                 clock["zone"], zoned)  # fmt: skip


def _is_midnight(own: re.Match[str]) -> bool:
    return not own[2].strip("0:.") and own[4] is None


def _is_iso(text: str) -> bool:
    return _OWN_DATE.fullmatch(text) is not None


def _loses(text: str) -> str:
    return remarked(text, "a time of day, which a date does not keep")


def _kept(text: str, fraction: str | None, zone: object, zoned: bool) -> str:
    if zone is not None and not zoned:
        return remarked(text, "a time zone, which the column does not keep")
    if fraction and len(fraction.rstrip("0")) > 6:
        return remarked(text, "parts of a microsecond, which the column does not keep")
    return text


def _by_format(text: str, style: DateStyle) -> datetime | None:
    for form in style.formats:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - a zone is there if %z is
        except ValueError:
            continue
    return None


def _date(text: str, style: DateStyle) -> str:
    """A date without a time of day."""
    if _is_iso(text):
        return text
    if style.formats:
        return remarked(text, f"not as {' or '.join(style.formats)}")
    if found := _YEAR_FIRST.fullmatch(text):
        year, month, day = (found[1], found[3], found[4]) if found[1] else found.group(5, 6, 7)
        return _calendar(text, int(year), int(month), int(day))
    if found := _YEAR_LAST.fullmatch(text):
        return _year_last(text, int(found[1]), found[2], int(found[3]), int(found[4]), style)
    if _TWO_DIGITS.fullmatch(text):
        return remarked(text, "which century? say `format`")
    return _with_month_name(text)


def _year_last(text: str, first: int, mark: str, second: int, year: int, style: DateStyle) -> str:
    day_first = style.order == "day first" or (style.order is None and mark == ".")
    if style.order is None and mark != ".":
        if first <= 12 and second <= 12 and first != second:
            return remarked(text, "day or month first? say `dates`")
        day_first = first > 12
    return _calendar(text, year, *((second, first) if day_first else (first, second)))


def _with_month_name(text: str) -> str:
    if found := _DAY_NAME.fullmatch(text):
        day, name, year = found.groups()
    elif found := _NAME_DAY.fullmatch(text):
        name, day, year = found.groups()
    else:
        return remarked(text, "no date")
    month = name[:3].lower()
    if month not in _MONTHS:
        return remarked(text, "no date")
    return _calendar(text, int(year), _MONTHS.index(month) + 1, int(day))


def _calendar(text: str, year: int, month: int, day: int) -> str:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return remarked(text, "no day of the calendar")


def _hour(hour: int, half: str | None) -> int | None:
    """The hour of 24, or None when there is no such hour."""
    if half is None:
        return hour if hour < 24 else None
    if not 1 <= hour <= 12:
        return None
    return hour % 12 + (12 if half[0] in "Pp" else 0)
