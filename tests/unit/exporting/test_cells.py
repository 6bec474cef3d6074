"""Cells of workbooks hold what PostgreSQL's values are, or say as a text what they cannot hold."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from dapu.exporting import query as kinds
from dapu.exporting.query import ResultColumn
from dapu.exporting.workbook_cells import converter, text_cell

DAY_ZERO = datetime(1899, 12, 30)
MICROSECOND = timedelta(microseconds=1)


def cell(kind: int, text: str) -> tuple[str, str, str]:
    return converter(ResultColumn("x", kind))(text)


@given(some.decimals(allow_nan=False, allow_infinity=False))
def test_a_number_in_a_cell_is_the_number(number: Decimal) -> None:
    """Excel shows the first 15 digits of a number of 64 bits."""
    text = f"{number:f}"
    made = cell(kinds.NUMERIC, text)
    shown = Decimal(f"{float(text):.15g}") if made[0] == "n" else Decimal(made[2])
    assert shown == number


@example(datetime(2000, 1, 1, microsecond=1))
@example(datetime(2080, 1, 1, 1, 1))
@given(some.datetimes(datetime(1900, 3, 1), datetime(9999, 12, 31)))
def test_a_moment_in_a_cell_is_the_moment(moment: datetime) -> None:
    made = cell(kinds.TIMESTAMP, str(moment))
    if made[0] == "s":
        assert made[2] == str(moment)
        return
    microseconds = round(Fraction(float(made[2])) * 86_400_000_000)
    # After 2079 a double has no single microseconds; whole seconds are shown as they are.
    off = timedelta() if moment.microsecond else 50 * MICROSECOND
    assert abs(DAY_ZERO + microseconds * MICROSECOND - moment) <= off


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a_b", "a_b"),
        ("\x0b", "_x000B_"),
        ("_x000B_", "_x005F_x000B_"),
        ("_x00_", "_x00_"),
        ("\ufffe\r", "_xFFFE__x000D_"),
    ],
)
def test_a_character_that_xml_cannot_hold_is_written_as_excel_does(text: str, written: str) -> None:
    assert text_cell(text).content == written
