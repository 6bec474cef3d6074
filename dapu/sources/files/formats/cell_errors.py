"""Cells of a workbook that hold an error: `#REF!`, `#N/A`, a formula without a result.

calamine gives them as empty. An error is not an empty cell, so they are looked for in the file
itself: in the XML of .xlsx (ECMA-376, part 1, 18.3.1.4) and .ods (OpenDocument 1.3, part 3,
19.385, with LibreOffice's `calcext:value-type`), and in the records of .xlsb and .xls. A formula
without a result is told in .xlsx and .ods; in the other two every formula has one, be it a 0.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO
from xml.etree.ElementTree import Element, iterparse, parse

from dapu.errors import JobError
from dapu.rows.exactness import remarked
from dapu.sources.files.formats.binary_cell_errors import xls_errors, xlsb_errors, xlsb_sheets

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
_CELL_START = re.compile(rb"<(?:\w+:)?c\b([^>]*)>")
_NEVER_COMPUTED = remarked(
    "a formula", "it was never computed; open the workbook in Excel or LibreOffice and save it"
)
# The start of a cell of .ods with a formula, and no result among its attributes.
_ODS_UNCOMPUTED = re.compile(
    rb"<[\w:]*table-cell\b(?=[^<]*\bformula=)(?![^<]*[:-]value=[\"'])(?![^<]*value-type=[\"']string)"
)
_ADDRESS = re.compile(rb"\br=[\"']([A-Z]+)(\d+)[\"']")
_VALUE = re.compile(rb"<(?:\w+:)?v>([^<]*)<")


def find_errors(path: Path, sheet: str) -> Errors:
    """The cells with errors of a sheet; {} for a format that has none."""
    if not zipfile.is_zipfile(path):
        return xls_errors(path, sheet)
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        if "content.xml" in names:
            return _ods_errors(archive, sheet)
        if "xl/workbook.bin" in names:
            sheets = xlsb_sheets(archive.read("xl/workbook.bin"))
            part = _targets(archive, "xl/_rels/workbook.bin.rels").get(sheets.get(sheet, ""))
            return xlsb_errors(archive.read(part)) if part in names and part else {}
        part = _xlsx_part(archive, sheet) if "xl/workbook.xml" in names else None
        if part is None or part not in names:
            return {}
        with archive.open(part) as file:
            return dict(_xlsx_errors(file, sheet))


def column_number(letters: str) -> int:
    """`A` is 0, `AA` is 26."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _xlsx_part(archive: zipfile.ZipFile, sheet: str) -> str | None:
    with archive.open("xl/workbook.xml") as file:
        sheets = {
            element.get("name"): value
            for element in parse(file).iter()
            if _bare(element.tag) == "sheet"
            for key, value in element.attrib.items()
            if key.endswith("}id")
        }
    return _targets(archive, "xl/_rels/workbook.xml.rels").get(sheets.get(sheet, ""))


def _targets(archive: zipfile.ZipFile, name: str) -> dict[str, str]:
    """The parts that relationships lead to, by their id."""
    with archive.open(name) as file:
        targets = {one.get("Id", ""): one.get("Target", "") for one in parse(file).iter()}
    return {
        key: target[1:] if target.startswith("/") else f"xl/{target}"
        for key, target in targets.items()
    }


def _xlsx_errors(file: IO[bytes], sheet: str) -> Iterator[tuple[tuple[int, int], str]]:
    rest = b""
    while data := file.read(_CHUNK):
        text = rest + data
        # What is after the last whole cell is looked at with the next piece.
        end = max(text.rfind(b"</c>"), text.rfind(b":c>")) + 4
        rest = text[end:] if end > 3 else text
        if b't="e"' in text or b"t='e'" in text:
            for cell in _CELL.finditer(text, 0, end):
                yield _xlsx_error(cell[1], cell[2], sheet)
        if b"<f" in text or b":f" in text:
            yield from _uncomputed(text, end, sheet)


def _uncomputed(text: bytes, end: int, sheet: str) -> Iterator[tuple[tuple[int, int], str]]:
    """The formulas whose results are not in the file. A result that is an empty text is one."""
    for pattern in _UNCOMPUTED:
        for found in pattern.finditer(text, 0, end if end > 3 else len(text)):
            start = max(text.rfind(b"<c ", 0, found.start()), text.rfind(b":c ", 0, found.start()))
            cell = _CELL_START.search(text, text.rfind(b"<", 0, start + 1))
            if cell and not re.search(rb"\bt=[\"']str[\"']", cell[1]):
                yield _place(cell[1], sheet), _NEVER_COMPUTED


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


def _ods_errors(archive: zipfile.ZipFile, sheet: str) -> Errors:
    with archive.open("content.xml") as file:
        if not _may_have_errors(file):
            return {}
    errors: Errors = {}
    row = column = 0
    table = ""
    with archive.open("content.xml") as file:
        for event, element in iterparse(file, ("start", "end")):
            name = _bare(element.tag)
            if event == "start" and name == "table":
                table, row = _attribute(element, "name"), 0
            elif event == "start" and name == "table-row":
                column = 0
            elif event == "end" and name in ("table-cell", "covered-table-cell"):
                if table == sheet and (error := _ods_error(element)):
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
        if b'value-type="error"' in text or _ODS_UNCOMPUTED.search(text, 0, end):
            return True
        rest = text[end:]
    return False


def _has_no_result(attributes: Mapping[str, str]) -> bool:
    """Whether a formula has none. A text is one, which stands in the cell, and may be empty."""
    if "formula" not in attributes or attributes.get("value-type") == "string":
        return False
    return not any(name == "value" or name.endswith("-value") for name in attributes)


def _ods_error(cell: Element) -> str | None:
    if _calcext_type(cell) == "error":
        return "".join(cell.itertext()).strip() or "#ERROR"
    attributes = {_bare(name): value for name, value in cell.attrib.items()}
    return _NEVER_COMPUTED if _has_no_result(attributes) else None


def _calcext_type(cell: Element) -> str:
    return next(
        (v for k, v in cell.attrib.items() if "calcext" in k and _bare(k) == "value-type"), ""
    )


def _attribute(element: Element, name: str) -> str:
    return next((value for key, value in element.attrib.items() if _bare(key) == name), "")


def _bare(name: str) -> str:
    return name.rpartition("}")[2]
