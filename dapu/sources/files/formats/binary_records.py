"""Cells with errors, and numbers below 0, in Excel's binary formats: .xlsb and .xls.

Records are those of [MS-XLSB] 2.3.2 and [MS-XLS] 2.4.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

Errors = dict[tuple[int, int], str]
Numbers = Iterator[tuple[tuple[int, int], float]]
"""Cells by row and column, both from 0."""

# [MS-XLS] 2.5.10, BErr.
_NAMES = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}

_XLSB_ROW, _XLSB_RK, _XLSB_ERROR, _XLSB_REAL = 0, 2, 3, 5
_XLSB_FORMULA_NUMBER, _XLSB_FORMULA_ERROR, _XLSB_SHEET = 9, 11, 156
# What such a cell's bytes look like: without any like it a sheet need not be walked through.
_XLSB_HINT = re.compile(rb"[\x03\x0b][\x09-\xff]..?.\x00\x00", re.DOTALL)

_XLS_FORMULA, _XLS_END, _XLS_SHEET, _XLS_VALUE = 0x0006, 0x000A, 0x0085, 0x0205
_XLS_NUMBER, _XLS_RK, _XLS_RKS = 0x0203, 0x027E, 0x00BD


def xlsb_sheets(workbook: bytes) -> dict[str, str]:
    """The relationship ids of the sheets by their names, from xl/workbook.bin."""
    sheets = {}
    for kind, data in _xlsb_records(workbook):
        if kind == _XLSB_SHEET:
            relation, at = _wide_text(data, 8)
            name, _ = _wide_text(data, at)
            sheets[name] = relation
    return sheets


def xlsb_errors(sheet: bytes) -> Errors:
    """The errors in a sheet's part."""
    errors: Errors = {}
    if not _XLSB_HINT.search(sheet):
        return errors
    row = 0
    for kind, data in _xlsb_records(sheet):
        if kind == _XLSB_ROW:
            row = int.from_bytes(data[:4], "little")
        elif kind in (_XLSB_ERROR, _XLSB_FORMULA_ERROR):
            errors[row, int.from_bytes(data[:4], "little")] = _NAMES.get(data[8], "#ERROR")
    return errors


def xlsb_numbers(sheet: bytes) -> Numbers:
    """The numbers in a sheet's part."""
    row = 0
    for kind, data in _xlsb_records(sheet):
        if kind == _XLSB_ROW:
            row = int.from_bytes(data[:4], "little")
        elif kind in (_XLSB_RK, _XLSB_REAL, _XLSB_FORMULA_NUMBER):
            value = _rk(data, 8) if kind == _XLSB_RK else struct.unpack_from("<d", data, 8)[0]
            yield (row, int.from_bytes(data[:4], "little")), value


def xls_sheet(stream: bytes, sheet: str) -> int | None:
    """Where the records of a sheet begin in the stream of an .xls, by the sheet's name."""
    for kind, data in _xls_records(stream, 0):
        if kind == _XLS_SHEET and _xls_name(data) == sheet:
            return int(struct.unpack_from("<I", data)[0])
    return None


def xls_errors(stream: bytes, start: int) -> Errors:
    """The errors in the sheet that begins at a place."""
    errors: Errors = {}
    for kind, data in _xls_records(stream, start):
        code = _xls_error(kind, data)
        if code is not None:
            errors[struct.unpack_from("<HH", data)] = _NAMES.get(code, "#ERROR")
    return errors


def xls_numbers(stream: bytes, start: int) -> Numbers:
    """The numbers in the sheet that begins at a place."""
    for kind, data in _xls_records(stream, start):
        if kind == _XLS_RKS:  # several beside each other, each with its format before it
            row, first = struct.unpack_from("<HH", data)
            for position in range((len(data) - 6) // 6):
                yield (row, first + position), _rk(data, 6 + 6 * position)
        elif kind in (_XLS_NUMBER, _XLS_RK) or (
            kind == _XLS_FORMULA and data[12:14] != b"\xff\xff"
        ):
            value = _rk(data, 6) if kind == _XLS_RK else struct.unpack_from("<d", data, 6)[0]
            yield struct.unpack_from("<HH", data), value


def _rk(data: bytes, at: int) -> float:
    """[MS-XLS] 2.5.217: 30 bits of a whole number or of a double, or 100 times it."""
    (bits,) = struct.unpack_from("<i", data, at)
    if bits & 2:
        value = float(bits >> 2)
    else:
        (value,) = struct.unpack("<d", b"\0\0\0\0" + struct.pack("<i", bits & ~3))
    return value / 100 if bits & 1 else value


def xlsb_head(data: bytes, at: int) -> tuple[int, int, int]:
    """The kind of the record at a place, and where its data begin and end: [MS-XLSB] 2.1.4."""
    kind = data[at]
    at += 1
    if kind & 0x80:
        kind = kind & 0x7F | (data[at] & 0x7F) << 7
        at += 1
    size = shift = 0
    while True:
        byte = data[at]
        at += 1
        size |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return kind, at, at + size


def _xlsb_records(data: bytes) -> Iterator[tuple[int, bytes]]:
    at, end = 0, len(data)
    while at < end:
        kind, start, at = xlsb_head(data, at)
        yield kind, data[start:at]


def _wide_text(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<I", data, at)
    end = at + 4 + 2 * length
    return data[at + 4 : end].decode("utf-16-le"), end


def _xls_records(stream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """The records of the substream that begins at a place, to its end."""
    while at + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, at)
        if kind == _XLS_END:
            return
        yield kind, stream[at + 4 : at + 4 + size]
        at += 4 + size


def _xls_name(data: bytes) -> str:
    """The name in a BoundSheet8 record; before Excel 97 there is no flag of its width."""
    length, flags = data[6], data[7]
    if len(data) == 7 + length:
        return data[7:].decode("cp1252", "replace")
    return data[8 : 8 + 2 * length].decode("utf-16-le") if flags & 1 else (
        data[8 : 8 + length].decode("latin-1")
    )  # fmt: skip


def _xls_error(kind: int, data: bytes) -> int | None:
    """The code of the error that a cell's record holds: a value, or a formula's result."""
    if kind == _XLS_VALUE and data[7]:
        return data[6]
    if kind == _XLS_FORMULA and data[12:14] == b"\xff\xff" and data[6] == 2:
        return data[8]
    return None
