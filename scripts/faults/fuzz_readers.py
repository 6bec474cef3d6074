"""What independent readers find in a file, and whether a loaded value is that."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zipfile import ZipFile

import openpyxl
import pyxlsb
import xlrd
from pyarrow import parquet

from dapu.sources.files.formats.json_part import Key

Rows = list[list[Any]]
UNKNOWN = object()
"""A value that the other reader does not find out: pyxlsb knows no texts in cells."""


def _read_csv(path: Path) -> Rows:
    text = path.read_bytes().decode("utf-8-sig").removesuffix("\x1a")  # a file's end in DOS
    return [list(one) for one in csv.reader(io.StringIO(text, newline=""), strict=True) if one]


def _read_xlsx(path: Path) -> Rows:
    with ZipFile(path) as archive:
        if b'numFmtId="0' in archive.read("xl/styles.xml").replace(b'numFmtId="0"', b""):
            raise ValueError("a number with zeros before it, which no program writes")
    book = openpyxl.load_workbook(path, data_only=True)
    return [list(one) for one in book.worksheets[0].iter_rows(min_row=1, values_only=True)]


def _read_xls(path: Path) -> Rows:
    book = xlrd.open_workbook(path, logfile=io.StringIO())
    sheet = book.sheet_by_index(0)

    def value(cell: Any) -> Any:
        match cell.ctype:
            case xlrd.XL_CELL_DATE:
                return xlrd.xldate_as_datetime(cell.value, book.datemode)
            case xlrd.XL_CELL_BOOLEAN:
                return bool(cell.value)
            case xlrd.XL_CELL_ERROR:
                return xlrd.error_text_from_code.get(cell.value, "#ERROR")
        return cell.value

    return [[value(cell) for cell in sheet.row(number)] for number in range(sheet.nrows)]


class DaysOf1904(float):
    """A number of a workbook whose days are counted from 1904-01-01, if it is one of days."""


def _read_xlsb(path: Path) -> Rows:
    number = DaysOf1904 if _counts_from_1904(path) else float

    def value(cell: Any) -> Any:
        if cell.v is None:
            return UNKNOWN
        return number(cell.v) if isinstance(cell.v, float) else cell.v

    with pyxlsb.open_workbook(str(path)) as book, book.get_sheet(1) as sheet:
        found = {(one.r, one.c): value(one) for line in sheet.rows(sparse=True) for one in line}
    height = 1 + max((at for at, _ in found), default=-1)
    width = 1 + max((at for _, at in found), default=-1)
    if height * width > _MOST_CELLS:
        raise ValueError("a broken address is far away")
    return [[found.get((y, x)) for x in range(width)] for y in range(height)]


def _counts_from_1904(path: Path) -> bool:
    """Whether the workbook says so, which pyxlsb does not tell: [MS-XLSB] 2.4.822, BrtWbProp."""
    with ZipFile(path) as archive:
        data = io.BytesIO(archive.read("xl/workbook.bin"))
    while (kind := _record_number(data, 2)) is not None:
        content = data.read(_record_number(data, 4) or 0)
        if kind == _WORKBOOK_PROPERTIES:
            return bool(content[0] & 1)
    return False


def _record_number(data: io.BytesIO, longest: int) -> int | None:
    """A record's kind (of two bytes at the most) or length (of four), seven bits a byte."""
    number = 0
    for at in range(longest):
        byte = data.read(1)
        if not byte:
            return None
        number |= (byte[0] & 0x7F) << (7 * at)
        if byte[0] < 0x80:
            break
    return number


def _read_ods(path: Path) -> Rows:
    with ZipFile(path) as archive, archive.open("content.xml") as file:
        root = ElementTree.parse(file).getroot()
    return [
        [_ods_value(cell) for cell in row if _bare(cell.tag) == "table-cell"]
        for row in root.iter()
        if _bare(row.tag) == "table-row"
    ]


def _ods_value(cell: ElementTree.Element) -> Any:
    given = {_bare(key): text for key, text in cell.attrib.items()}
    if any(key.endswith("repeated") for key in given):
        raise ValueError("cells that are repeated are not for this reader")
    match given.get("value-type"):
        case "float":
            return float(given["value"])
        case "boolean":
            return given["boolean-value"] == "true"
        case "date":
            return datetime.fromisoformat(given["date-value"])
    return "".join(cell.itertext()) or None


def _bare(name: str) -> str:
    return name.rpartition("}")[2]


def _read_parquet(path: Path) -> Rows:
    table = parquet.read_table(path)
    return [list(table.schema.names), *map(list, zip(*table.to_pydict().values(), strict=True))]


TABLES: Mapping[str, Callable[[Path], Rows]] = {
    "csv": _read_csv,
    "xlsx": _read_xlsx,
    "xls": _read_xls,
    "xlsb": _read_xlsb,
    "ods": _read_ods,
    "parquet": _read_parquet,
}
_NUMBERS = ("bigint", "integer", "smallint", "numeric", "double")
_MOST_CELLS = 100_000
_EXCEL_ZERO = datetime.fromisoformat("1899-12-30")
_EXCEL_ZERO_OF_1904 = datetime.fromisoformat("1904-01-01")
_WORKBOOK_PROPERTIES = 153
_WORKBOOKS = ("xlsx", "xls", "xlsb", "ods")


def values_of(kind: str, path: Path, handles: Mapping[str, Any]) -> dict[str, list[Any]] | None:
    """The values of columns; None where there is no independent reader, or it refuses the file.

    handles: how a part of dapu finds each column: a position, a key, a path.
    """
    try:
        if kind == "json":
            records = json.loads(path.read_bytes(), parse_float=Decimal)
            records = records if isinstance(records, list) else [records]
            return {
                name: [one.get(handle.name) for one in records]
                for name, handle in handles.items()
                if isinstance(handle, Key)
            }
        if kind == "xml":
            found = [e for e in ElementTree.parse(path).iter() if _bare(e.tag) == "row"]
            return {name: [_at(one, steps) for one in found] for name, steps in handles.items()}
        if kind not in TABLES:
            return None
        header, *rows = TABLES[kind](path)
        if not rows and not any(header):
            return None  # it found no cell, where a broken name may mislead it
    except Exception:  # noqa: BLE001 - another reader may break off where it likes
        return None
    if kind in _WORKBOOKS:
        rows = [
            one
            for one in rows
            if any(value not in ("", None) and str(value).strip() for value in one)
        ]
    return {
        name: [one[at] if at < len(one) else None for one in rows] for name, at in handles.items()
    }


def _at(element: ElementTree.Element, steps: tuple[str, ...]) -> Any:
    for step in steps:
        if step.startswith("@"):
            named = {_bare(key): text for key, text in element.attrib.items()}
            return named.get(step[1:])
        inside = [child for child in element if _bare(child.tag) == step]
        if not inside:
            return None
        (element,) = inside
    if not len(element):
        return element.text or ""
    return "".join([element.text or "", *(child.tail or "" for child in element)]).strip() or None


def is_same(kind: str, type_: str, loaded: str | None, expected: Any) -> bool:
    """Whether the text of a loaded value means the same as what another reader found."""
    if expected is UNKNOWN:
        return True
    if loaded is None:
        blank = isinstance(expected, str) and not expected.strip()
        return expected is None or (blank and (kind != "json" or type_ != "text"))
    if expected is None:
        return False
    try:
        return _is_same(kind, type_, loaded, expected)
    except (ValueError, InvalidOperation, OverflowError):
        return False


def _is_same(kind: str, type_: str, loaded: str, expected: Any) -> bool:
    if type_ == "jsonb":
        # JSON has no types of its own for what is inside Parquet's: that is for the tests.
        return kind == "parquet" or json.loads(loaded, parse_float=Decimal) == expected
    if isinstance(expected, bool) or type_ == "boolean":
        return loaded.lower() == str(expected).lower()
    if isinstance(expected, datetime) and expected < _EXCEL_ZERO and ":" in loaded[-9:]:
        return _duration(loaded) == expected - _EXCEL_ZERO  # a number below 0
    if isinstance(expected, date) or type_.startswith(("date", "timestamp")):
        return _moment(loaded) == _moment(expected)
    if isinstance(expected, float) and "-" in loaded[1:]:  # pyxlsb knows no dates
        return _moment(loaded) == _moment(expected)
    if isinstance(expected, float | int | Decimal) or type_.startswith(_NUMBERS):
        return _number(loaded) == _number(expected)
    text = str(expected)
    return loaded == (text.strip() if kind in _WORKBOOKS else text)


def _number(value: Any) -> Decimal:
    return Decimal(str(value).strip())


def _duration(text: str) -> timedelta:
    hours, minutes, seconds = text.removeprefix("-").split(":")
    sign = -1 if text.startswith("-") else 1
    return sign * timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time(0))
    if isinstance(value, DaysOf1904):
        return _EXCEL_ZERO_OF_1904 + timedelta(days=value)
    if isinstance(value, float | int):
        return _EXCEL_ZERO + timedelta(milliseconds=round(value * 86_400_000))  # as Excel has it
    text = re.sub(r"\b(\d)\b", r"0\1", str(value).strip())  # of 2025-7-2
    return datetime.fromisoformat(text)
