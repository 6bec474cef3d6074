"""Columns of which only a part is kept: `hide`, `first 2`, `last 4`, or the `year` of a date.

The words, and what they show, are those of masks in grants.yaml.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from dapu.errors import JobError
from dapu.rows.changed_columns import ColumnChange, with_changes
from dapu.rows.hashed_columns import check_text, type_of
from dapu.rows.rows import Rows

_WORDS = re.compile(r"hide|year|(first|last) [1-9][0-9]{0,3}")


def _known(how: str) -> str:
    if not _WORDS.fullmatch(how):
        raise ValueError(f"there is no mask `{how}`; there are `hide`, `first 2`, `last 4`, `year`")
    return how


PART_KEPT = (
    "of which only a part is kept: `hide`, `first 2`, `last 4` (characters), or `year` (of a date)"
)
"""What a `mask` does, for the descriptions of options."""
Mask = Annotated[
    str,
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "pattern": f"^({_WORDS.pattern})$"}),
]

_HIDDEN = "…"
_DATE = re.compile(r"(\d{4,})-\d\d-\d\d((?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?)( BC)?")
_EPOCH = date(2000, 1, 1).toordinal()  # of COPY's binary format
_DAY = 86_400_000_000  # microseconds
_INFINITE = {b"\x7f" + n * b"\xff" for n in (3, 7)} | {b"\x80" + bytes(n) for n in (3, 7)}


def masked_text(how: str) -> Callable[[str | None], str | None]:
    """What a mask leaves of a text. A value that is no longer than what is shown is hidden."""
    word, _, number = how.partition(" ")
    count = int(number or 0)

    def part(text: str | None) -> str | None:
        if text is None:
            return None
        if len(text) <= count:
            return _HIDDEN
        return text[:count] + _HIDDEN if word == "first" else _HIDDEN + text[-count:]

    return {"hide": lambda _: None, "year": _year}.get(word, part)


def with_masks(rows: Rows, masks: Mapping[str, str]) -> Rows:
    """The rows of which some columns are masked. masks: by column.

    Raises JobError for a column that is not there, or whose type has no such part, and for rows of
    the warehouse itself.
    """
    changes = {name: _change(rows, name, how) for name, how in masks.items()}
    return with_changes(rows, changes, "mask") if changes else rows


def _change(rows: Rows, name: str, how: str) -> ColumnChange:
    kind = type_of(rows, name, "mask")
    if how == "hide":
        return ColumnChange(kind, masked_text(how), lambda _: None)
    if how != "year":
        check_text(rows, name, "mask", f"`{how}` is of a text")
        return ColumnChange(kind, masked_text(how))
    binary = _BINARY_YEARS.get(re.sub(r"\(\d\)", "", kind).removesuffix(" without time zone"))
    if binary is None:
        raise JobError(
            f"the column {name} is {kind}, and `year` is of a date or a timestamp without time zone"
        )
    return ColumnChange(kind, masked_text(how), binary)


def _year(text: str | None) -> str | None:
    """The first day of its year; what is no date is refused by its column, but not shown."""
    match = _DATE.fullmatch(text or "")
    if text is None or "infinity" in text:
        return text
    if match is None:
        return _HIDDEN
    return f"{match[1]}-01-01{' 00:00:00' if match[2] else ''}{match[3] or ''}"


def _year_of_date(value: bytes | None) -> bytes | None:
    """Of days since 2000-01-01."""
    if value is None or value in _INFINITE:
        return value
    (days,) = struct.unpack("!i", value)
    return struct.pack("!i", _first_day(days))


def _year_of_timestamp(value: bytes | None) -> bytes | None:
    """Of microseconds since 2000-01-01."""
    if value is None or value in _INFINITE:
        return value
    (microseconds,) = struct.unpack("!q", value)
    return struct.pack("!q", _first_day(microseconds // _DAY) * _DAY)


def _first_day(days: int) -> int:
    """That of the year, in days since 2000-01-01, as the proleptic Gregorian calendar has it."""
    # 400 years are 146,097 days, so that all years can be moved into those that Python has.
    eras, within = divmod(days, 146_097)
    day = date.fromordinal(_EPOCH + within)
    return eras * 146_097 + date(day.year, 1, 1).toordinal() - _EPOCH


_BINARY_YEARS = {"date": _year_of_date, "timestamp": _year_of_timestamp}
