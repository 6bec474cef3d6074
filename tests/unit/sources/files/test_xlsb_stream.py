"""A sheet of an .xlsb is whole when its records follow one another to its end."""

from __future__ import annotations

import io
from collections.abc import Callable
from zipfile import ZipFile

import pytest

from dapu.sources.files.formats.xlsb_stream import check_xlsb_sheet
from tests.support.xlsb import xlsb

REAL, TEXT, ROW = b"\x05\x10", b"\x06\x0e", b"\x00\x11"


def _sheet() -> bytes:
    book = xlsb([["n"], [1], [True], ["#N/A"]])
    with ZipFile(io.BytesIO(book)) as archive:
        return archive.read("xl/worksheets/sheet1.bin")


def test_a_whole_sheet_is_whole() -> None:
    check_xlsb_sheet(_sheet())


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda sheet: sheet.replace(REAL, b"\x05\x11"), "after row 2"),  # a byte too many
        (lambda sheet: sheet.replace(REAL, b"\x0d\x10"), "after row 2"),  # no such cell
        (lambda sheet: sheet.replace(TEXT, b"\x06\x21"), "after row 1"),  # takes the next row in
        (lambda sheet: sheet.replace(ROW + b"\x02", ROW + b"\x01"), "after row 2"),  # twice
        (lambda sheet: sheet[:-5], "after row 4"),
        (lambda sheet: sheet[:2], "before its first row"),
        (lambda sheet: b"", "before its first row"),
    ],
)
def test_where_it_breaks_off_is_told(change: Callable[[bytes], bytes], place: str) -> None:
    with pytest.raises(ValueError, match=place):
        check_xlsb_sheet(change(_sheet()))
