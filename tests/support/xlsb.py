"""Writes small workbooks in Excel's binary format, which nothing else here can write.

Records as [MS-XLSB] has them: only those without which a workbook is none.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from datetime import date, timedelta
from io import BytesIO
from typing import Any

_ERRORS = {"#DIV/0!": 0x07, "#REF!": 0x17, "#N/A": 0x2A}
_TYPES = b"""<?xml version="1.0" encoding="UTF-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="bin" ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"/>
</Types>"""
_RELATIONS = """<?xml version="1.0" encoding="UTF-8"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}
</Relationships>"""
_RELATION = (
    '<Relationship Id="rId{0}" Target="{2}" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{1}"/>'
)
_GENERAL, _DAY = 0, 1  # the two styles of cells


def xlsb(rows: Sequence[Sequence[Any]], sheet: str = "Costs") -> bytes:
    """A workbook of one sheet. A text like `#REF!` becomes an error."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", _relations(("officeDocument", "xl/workbook.bin")))
        parts = (("worksheet", "worksheets/sheet1.bin"), ("styles", "styles.bin"))
        archive.writestr("xl/_rels/workbook.bin.rels", _relations(*parts))
        archive.writestr("xl/workbook.bin", _workbook(sheet))
        archive.writestr("xl/styles.bin", _styles())
        archive.writestr("xl/worksheets/sheet1.bin", _sheet(rows))
    return packed.getvalue()


def _relations(*parts: tuple[str, str]) -> str:
    lines = (_RELATION.format(number, *part) for number, part in enumerate(parts, start=1))
    return _RELATIONS.format("".join(lines))


def _record(kind: int, data: bytes = b"") -> bytes:
    head = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size, length = b"", len(data)
    while length > 127:
        size += bytes([length & 0x7F | 0x80])
        length >>= 7
    return head + size + bytes([length]) + data


def _text(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def _workbook(sheet: str) -> bytes:
    bundle = struct.pack("<II", 0, 1) + _text("rId1") + _text(sheet)
    return b"".join(
        [_record(131), _record(153, bytes(8) + _text("")), _record(143), _record(156, bundle),
         _record(144), _record(132)]
    )  # fmt: skip


def _styles() -> bytes:
    formats = [struct.pack("<HHHHBBBBHH", 0, number, 0, 0, 0, 0, 0, 0, 0, 0) for number in (0, 14)]
    return b"".join(
        [_record(278), _record(617, struct.pack("<I", 2)), *(_record(47, xf) for xf in formats),
         _record(618), _record(279)]
    )  # fmt: skip


def _sheet(rows: Sequence[Sequence[Any]]) -> bytes:
    width = max(map(len, rows))
    records = [
        _record(129),
        _record(148, struct.pack("<IIII", 0, len(rows) - 1, 0, width - 1)),
        _record(145),
    ]
    for number, row in enumerate(rows):
        records.append(_record(0, struct.pack("<IIHBBBI", number, 0, 300, 0, 0, 0, 0)))
        records += [_cell(at, value) for at, value in enumerate(row) if value is not None]
    return b"".join([*records, _record(146), _record(130)])


def _cell(column: int, value: Any) -> bytes:
    match value:
        case bool():
            return _record(4, _at(column) + bytes([value]))
        case int() | float():
            return _record(5, _at(column) + struct.pack("<d", value))
        case date():
            days = (value - date(1899, 12, 30)).days
            return _record(5, _at(column, _DAY) + struct.pack("<d", days))
        case timedelta():
            return _record(5, _at(column, _DAY) + struct.pack("<d", value / timedelta(days=1)))
        case str() if value in _ERRORS:
            return _record(3, _at(column) + bytes([_ERRORS[value]]))
    return _record(6, _at(column) + _text(value))


def _at(column: int, style: int = _GENERAL) -> bytes:
    return struct.pack("<II", column, style)
