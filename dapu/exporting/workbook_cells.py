"""What a value of PostgreSQL is in a cell of a workbook, so that nothing of it is lost.

Excel keeps 15 digits of a number, knows dates from 1900-03-01 to 9999-12-31 and no time zones
(ECMA-376 part 1, 18.17.4). What has no place there becomes text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Literal, NamedTuple

from dapu.exporting import query as kinds
from dapu.exporting.query import ResultColumn

LONGEST_TEXT = 32_767  # UTF-16 units in a cell

_DIGITS = 15
_SMALLEST, _LARGEST = 2.2250738585072014e-308, 9.99999999999999e307
_FIRST_DAY, _DAY_ZERO = date(1900, 3, 1), date(1899, 12, 30).toordinal()
_MICROSECONDS = 86_400_000_000  # in a day
_EXACT_UNTIL = 65_536  # days; until then a number of 64 bits keeps microseconds apart
_LONGEST_AS_TEXT = 255  # older versions show longer texts in the format `@` as ####
_GENERAL, _TEXT = "General", "@"
_DATE, _TIME, _DATE_TIME = "yyyy-mm-dd", "hh:mm:ss", "yyyy-mm-dd hh:mm:ss"
# As ECMA-376 part 1, 22.9.2.19 (ST_Xstring) has it; an underscore that would begin such a mark too.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_OFFSET = re.compile(r"[+-]\d\d(:\d\d)*$")


class Cell(NamedTuple):
    """A cell: its type in the file's XML (number, text, boolean), its format, its content."""

    type: Literal["n", "s", "b"]
    format: str
    content: str


Convert = Callable[[str], Cell]


def text_cell(text: str) -> Cell:
    """A text, which stays one even when it looks like a number or a formula, and is edited."""
    form = _TEXT if len(text) <= _LONGEST_AS_TEXT else _GENERAL
    return Cell("s", form, _UNFIT.sub(lambda match: f"_x{ord(match[0]):04X}_", text))


def length(text: str) -> int:
    """How many characters a cell has for a text: those beyond U+FFFF count twice."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def converter(field: ResultColumn) -> Convert:
    """What makes cells of the values of a column."""
    if field.type == kinds.NUMERIC:
        form = f"#,##0.{'0' * field.scale}" if field.scale else "0" if field.precision else _GENERAL
        return lambda text: _number(text, form)
    return _CONVERTERS.get(field.type, text_cell)


def is_native(field: ResultColumn) -> bool:
    """Whether a workbook knows such values, and only some of them must become text."""
    return field.type in _CONVERTERS or field.type == kinds.NUMERIC


def _boolean(text: str) -> Cell:
    return Cell("b", _GENERAL, "1" if text == "t" else "0")


def _integer(text: str) -> Cell:
    return _number(text, "0")


def _number(text: str, form: str) -> Cell:
    """The digits go into the file as PostgreSQL wrote them."""
    try:
        size = abs(float(text))
    except ValueError:
        return text_cell(text)
    significant = text.lstrip("-").replace(".", "").strip("0")
    fits = len(significant) <= _DIGITS and (size == 0 or _SMALLEST <= size <= _LARGEST)
    return Cell("n", form, text) if fits and text[-1].isdigit() else text_cell(text)


def _float(text: str) -> Cell:
    """A number of 64 bits is one in the workbook too, however many digits it is written with."""
    size = abs(float(text))
    fits = size == 0 or _SMALLEST <= size <= _LARGEST
    return Cell("n", _GENERAL, text) if fits else text_cell(text)


def _date(text: str) -> Cell:
    try:
        day = date.fromisoformat(text)
    except ValueError:  # infinity, BC, a year of five digits
        return text_cell(text)
    return (
        text_cell(text) if day < _FIRST_DAY else Cell("n", _DATE, str(day.toordinal() - _DAY_ZERO))
    )


def _time(text: str) -> Cell:
    try:
        moment = time.fromisoformat(text)
    except ValueError:  # 24:00:00
        return text_cell(text)
    return _moment(text, 0, moment, _TIME)


def _timestamp(text: str) -> Cell:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text_cell(text)
    if moment.date() < _FIRST_DAY:
        return text_cell(text)
    return _moment(text, moment.toordinal() - _DAY_ZERO, moment.time(), _DATE_TIME)


def _timestamptz(text: str) -> Cell:
    """The time of its zone, which the cell's format shows behind it."""
    offset = _OFFSET.search(text)
    if offset is None:  # infinity, BC
        return text_cell(text)
    cell = _timestamp(text[: offset.start()])
    return (
        cell._replace(format=f'{cell.format}"{offset[0]}"') if cell.type == "n" else text_cell(text)
    )


def _moment(text: str, days: int, clock: time, form: str) -> Cell:
    part = ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1_000_000 + clock.microsecond
    if clock.microsecond and days >= _EXACT_UNTIL:
        return text_cell(text)
    number = (days * _MICROSECONDS + part) / _MICROSECONDS
    return Cell("n", f"{form}.000" if clock.microsecond else form, repr(number))


_CONVERTERS: dict[int, Convert] = {
    kinds.BOOL: _boolean,
    kinds.INT2: _integer,
    kinds.INT4: _integer,
    kinds.INT8: _integer,
    kinds.FLOAT4: _float,
    kinds.FLOAT8: _float,
    kinds.DATE: _date,
    kinds.TIME: _time,
    kinds.TIMESTAMP: _timestamp,
    kinds.TIMESTAMPTZ: _timestamptz,
}
