"""Cells with errors in the binary formats of Excel: .xlsb ([MS-XLSB]) and .xls ([MS-XLS])."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

Errors = dict[tuple[int, int], str]

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

# Records of .xlsb: [MS-XLSB] 2.3.2.
_XLSB_ROW, _XLSB_ERROR, _XLSB_FORMULA_ERROR, _XLSB_SHEET = 0, 3, 11, 156
# What such a cell's bytes look like: without any like it a sheet need not be walked through.
_XLSB_HINT = re.compile(rb"[\x03\x0b][\x09-\xff]..?.\x00\x00", re.DOTALL)

# Records of .xls: [MS-XLS] 2.4.
_XLS_FORMULA, _XLS_END, _XLS_SHEET, _XLS_VALUE = 0x0006, 0x000A, 0x0085, 0x0205


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


def _xlsb_records(data: bytes) -> Iterator[tuple[int, bytes]]:
    at, end = 0, len(data)
    while at < end:
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
                break
        yield kind, data[at : at + size]
        at += size


def _wide_text(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<I", data, at)
    end = at + 4 + 2 * length
    return data[at + 4 : end].decode("utf-16-le"), end


def xls_errors(path: Path, sheet: str) -> Errors:
    """The errors in a sheet of an .xls file; {} when the file is none."""
    import olefile

    if not olefile.isOleFile(str(path)):
        return {}
    with olefile.OleFileIO(str(path)) as container:
        name = next((name for name in ("Workbook", "Book") if container.exists(name)), None)
        if name is None:
            return {}
        stream = container.openstream(name).read()
    begins = {_xls_name(data): data for kind, data in _xls_records(stream, 0) if kind == _XLS_SHEET}
    if sheet not in begins:
        return {}
    errors: Errors = {}
    (start,) = struct.unpack_from("<I", begins[sheet])
    for kind, data in _xls_records(stream, start):
        code = _xls_error(kind, data)
        if code is not None:
            errors[struct.unpack_from("<HH", data)] = _NAMES.get(code, "#ERROR")
    return errors


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
