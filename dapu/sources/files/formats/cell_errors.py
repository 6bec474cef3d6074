"""Cells of a workbook that calamine does not give as they are: errors, and numbers below 0.

`#REF!`, `#N/A` and a formula without a result are empty for it. An error is not an empty cell, so
they are looked for in the file itself: in the XML of .xlsx (ECMA-376, part 1, 18.3.1.4) and .ods
(OpenDocument 1.3, part 3, 19.385, with LibreOffice's `calcext:value-type`), and in the records of
.xlsb and .xls. A formula without a result is reported in .xlsx and .ods; in the other two every
formula has one, be it a 0.

A number below 0 in a cell with the format of a time or date is a time of day for it: -0.0625, a
balance of -1:30, would be 22:30.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO
from xml.etree.ElementTree import Element, iterparse

from dapu.errors import JobError
from dapu.rows.exactness import remarked
from dapu.sources.files.formats.binary_records import (
    xls_errors,
    xls_numbers,
    xlsb_errors,
    xlsb_numbers,
)
from dapu.sources.files.formats.raw_sheet import RawSheet, bare
from dapu.sources.files.formats.xlsb_stream import check_xlsb_sheet

Errors = dict[tuple[int, int], str]
"""Errors by row and column, both from 0."""

_CHUNK = 1 << 20
_CELL = re.compile(rb"<(?:\w+:)?c\b([^>]*\bt=[\"']e[\"'][^>]*)(?<!/)>(.*?)</(?:\w+:)?c>", re.DOTALL)
# The end of a formula, and no value after it: as programs write it that do not compute.
_NO_VALUE = rb"\s*<(?:(?:\w+:)?v\s*/>|(?:\w+:)?v>\s*</(?:\w+:)?v>|/(?:\w+:)?c>)"
_UNCOMPUTED = (
    re.compile(rb"f>" + _NO_VALUE),
    re.compile(rb"<(?:\w+:)?f\b[^>]*/>" + _NO_VALUE),
)
# A value, and in the same cell another: programs differ in which of them they take.
_TWO_VALUES = re.compile(rb"<(?:\w+:)?v>([^<]*)</(?:\w+:)?v>[^<]*<(?:\w+:)?v\b")
_CELL_START = re.compile(rb"<(?:\w+:)?c\b([^>]*)>")
_NEVER_COMPUTED = remarked(
    "a formula", "it was never computed; open the workbook in Excel or LibreOffice and save it"
)
_ODS_VALUES = {"value", "date-value", "time-value", "boolean-value", "string-value"}
_NO_ODS_VALUE = rb"(?![^<]*:(?:(?:date|time|boolean|string)-)?value=[\"'])"
# The start of a cell of .ods with a formula, and no result among its attributes.
_ODS_UNCOMPUTED = re.compile(
    rb"<[\w:]*table-cell\b(?=[^<]*\bformula=)" + _NO_ODS_VALUE + rb"(?![^<]*value-type=[\"']string)"
)
# The start of one that is no text, has no value, and has something in it.
_ODS_WITHOUT_VALUE = re.compile(
    rb"<[\w:]*table-cell\b"
    + _NO_ODS_VALUE
    + rb"(?![^<]*(?<!calcext:)value-type=[\"']string)[^<]*(?<!/)>\s*<(?!/)"
)
_NO_TYPE = "its cell has no value, and is not of type `string`; save the workbook in LibreOffice"
_ADDRESS = re.compile(rb"\br=[\"']([A-Z]+)(\d+)[\"']")
_LONGEST_ADDRESS = 15  # bytes, with what is around it
_BELOW_ZERO = re.compile(rb"v>\s*(-[\d.eE+-]+)\s*<")
_VALUE = re.compile(rb"<(?:\w+:)?v>([^<]*)<")


def find_errors(raw: RawSheet | None) -> Errors:
    """The cells with errors of a sheet. Raises ValueError where an .xlsb breaks off."""
    if raw is None:
        return {}
    if raw.format == "ods":
        return _ods_errors(raw)
    with raw.open() as file:
        if raw.format == "xlsx":
            return dict(_xlsx_errors(file, raw.sheet))
        data = file.read()
    if raw.format == "xls":
        return xls_errors(data, raw.start)
    check_xlsb_sheet(data)
    return xlsb_errors(data)


def find_below_zero(raw: RawSheet | None) -> dict[tuple[int, int], float]:
    """The numbers below 0 of a sheet, by row and column; of .ods none, which has them as texts."""
    if raw is None or raw.format == "ods":
        return {}
    with raw.open() as file:
        if raw.format == "xlsx":
            return dict(_xlsx_below_zero(file, raw.sheet))
        data = file.read()
    numbers = xlsb_numbers(data) if raw.format == "xlsb" else xls_numbers(data, raw.start)
    return {place: value for place, value in numbers if value < 0}


def last_cell(raw: RawSheet | None) -> str | None:
    """The corner of the range that a sheet's cells take, such as `XFD1048576`; for .xlsx."""
    if raw is None or raw.format != "xlsx":
        return None
    row, column = 0, b"A"
    with raw.open() as file:
        rest = b""
        while data := file.read(_CHUNK):
            text = rest + data
            for letters, number in _ADDRESS.findall(text):
                row = max(row, int(number))
                column = max(column, letters, key=lambda one: (len(one), one))
            rest = text[-_LONGEST_ADDRESS:]
    return f"{column.decode()}{row}" if row else None


def column_number(letters: str) -> int:
    """`A` is 0, `AA` is 26."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _whole_cells(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Pieces of a sheet, and where in each its last whole cell ends; the next begins there."""
    rest = b""
    while data := file.read(_CHUNK):
        text = rest + data
        end = max(text.rfind(b"</c>"), text.rfind(b":c>")) + 4
        end = end if end > 3 else 0
        yield text, end
        rest = text[max(end, len(text) - _CHUNK) :]  # no cell is as long
    yield rest, len(rest)


def _xlsx_errors(file: IO[bytes], sheet: str) -> Iterator[tuple[tuple[int, int], str]]:
    for text, end in _whole_cells(file):
        if b't="e"' in text or b"t='e'" in text:
            for cell in _CELL.finditer(text, 0, end):
                yield _xlsx_error(cell[1], cell[2], sheet)
        if b":v>" in text or text.count(b"</v>", 0, end) != text.count(b"</v></c>", 0, end):
            for two in _TWO_VALUES.finditer(text, 0, end):
                cell_of_two = _cell_around(text, two.start()) or b""
                value = remarked(two[1].decode(errors="replace"), "its cell has another value too")
                yield _place(cell_of_two, sheet), value
        if b"<f" in text or b":f" in text:
            yield from _uncomputed(text, end, sheet)


def _uncomputed(text: bytes, end: int, sheet: str) -> Iterator[tuple[tuple[int, int], str]]:
    """The formulas whose results are not in the file. A result that is an empty text is one."""
    for pattern in _UNCOMPUTED:
        for found in pattern.finditer(text, 0, end):
            cell = _cell_around(text, found.start())
            if cell and not re.search(rb"\bt=[\"']str[\"']", cell):
                yield _place(cell, sheet), _NEVER_COMPUTED


def _xlsx_below_zero(file: IO[bytes], sheet: str) -> Iterator[tuple[tuple[int, int], float]]:
    for text, end in _whole_cells(file):
        for found in _BELOW_ZERO.finditer(text, 0, end) if b"v>-" in text else ():
            cell = _cell_around(text, found.start())
            if cell and b"s=" in cell:  # without a style it has the format of a number
                yield _place(cell, sheet), float(found[1])


def _cell_around(text: bytes, at: int) -> bytes | None:
    """The attributes of the cell in which a place is."""
    mark = b"<c " if b"<c " in text else b":c "
    cell = _CELL_START.search(text, text.rfind(b"<", 0, text.rfind(mark, 0, at) + 1))
    return cell[1] if cell else None


def _xlsx_error(attributes: bytes, inside: bytes, sheet: str) -> tuple[tuple[int, int], str]:
    value = _VALUE.search(inside)
    return _place(attributes, sheet), value[1].decode() if value else "#ERROR"


def _place(attributes: bytes, sheet: str) -> tuple[int, int]:
    address = _ADDRESS.search(attributes)
    if address is None:
        raise JobError(
            f"the sheet {sheet!r} has an error or a formula in a cell without an address; open the "
            "workbook in a spreadsheet program and save it, which gives all cells theirs"
        )
    return int(address[2]) - 1, column_number(address[1].decode())


def _ods_errors(raw: RawSheet) -> Errors:
    with raw.open() as file:
        if not _may_have_errors(file):
            return {}
    errors: Errors = {}
    row = column = 0
    table = ""
    with raw.open() as file:
        for event, element in iterparse(file, ("start", "end")):
            name = bare(element.tag)
            if event == "start" and name == "table":
                table, row = _attribute(element, "name"), 0
            elif event == "start" and name == "table-row":
                column = 0
            elif event == "end" and name in ("table-cell", "covered-table-cell"):
                if table == raw.sheet and (error := _ods_error(element)):
                    errors[row, column] = error
                column += int(_attribute(element, "number-columns-repeated") or 1)
            elif event == "end" and name == "table-row":
                row += int(_attribute(element, "number-rows-repeated") or 1)
                element.clear()
    return errors


def _may_have_errors(file: IO[bytes]) -> bool:
    """Whether it is worth while to walk through the cells, which takes long."""
    rest = b""
    while data := file.read(_CHUNK):
        text = rest + data
        end = max(text.rfind(b"<"), 0)  # the last tag may be cut here
        if b'value-type="error"' in text or any(
            one.search(text, 0, end) for one in (_ODS_UNCOMPUTED, _ODS_WITHOUT_VALUE)
        ):
            return True
        rest = text[end:]
    return False


def _ods_error(cell: Element) -> str | None:
    if _calcext_type(cell) == "error":
        return "".join(cell.itertext()).strip() or "#ERROR"
    names = {bare(name) for name in cell.attrib}
    # A text stands in the cell, and may be empty.
    if _ods_type(cell) == "string" or names & _ODS_VALUES:
        return None
    if "formula" in names:
        return _NEVER_COMPUTED
    texts = ("".join(one.itertext()) for one in cell if bare(one.tag) == "p")
    text = "\n".join(texts).strip()
    return remarked(text, _NO_TYPE) if text else None


def _ods_type(cell: Element) -> str:
    """What OpenDocument says of its value: `float`, `string`, …; LibreOffice's own is another."""
    return next(
        (v for k, v in cell.attrib.items() if "calcext" not in k and bare(k) == "value-type"), ""
    )


def _calcext_type(cell: Element) -> str:
    return next(
        (v for k, v in cell.attrib.items() if "calcext" in k and bare(k) == "value-type"), ""
    )


def _attribute(element: Element, name: str) -> str:
    return next((value for key, value in element.attrib.items() if bare(key) == name), "")
