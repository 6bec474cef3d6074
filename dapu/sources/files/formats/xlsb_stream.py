"""Whether the records of a sheet in an .xlsb follow one another to its end.

calamine takes the first record that it cannot make out for the sheet's end, gives the rows before
it, and passes over a cell of a kind that it does not know. So each record is looked at here: may it
be there, and is it as long as what is in it? One expression passes over the cells that always have
the same length, which makes this cheap.

Records are those of [MS-XLSB] 2.3.2, in the order of 2.1.7.62 (Worksheet).
"""

from __future__ import annotations

import re
import struct

from dapu.sources.files.formats.binary_records import xlsb_head

_ROW, _TEXT, _BEGIN_CELLS, _END_CELLS, _END_SHEET = 0, 6, 145, 146, 130
_MOST_ROWS = 1_048_576
# A real number, RK and shared text, blank, error and boolean: the kind, the length, the column
# (of 16,384) and the rest.
_CELLS = re.compile(
    rb"(?:\x05\x10.[\x00-\x3f]\x00\x00.{12}|[\x02\x07]\x0c.[\x00-\x3f]\x00\x00.{8}"
    rb"|\x01\x08.[\x00-\x3f]\x00\x00.{4}|[\x03\x04]\x09.[\x00-\x3f]\x00\x00.{5})*+",
    re.DOTALL,
)
# Formulas by the kind of their results, and the bytes of those; of a text as many as it has.
_RESULTS = {8: 0, 9: 8, 10: 1, 11: 1}
_FORMULA_TEXT = 8
# What else is among cells: metadata, shared and array formulas, data tables, and what is to come.
_BESIDE = frozenset({35, 36, 37, 38, 49, 50, 426, 427, 428})
_TO_COME = 1024


def check_xlsb_sheet(sheet: bytes) -> None:
    """Raises ValueError where the records of a sheet's part break off, with the row before that."""
    at, row, among_cells, kind = 0, -1, False, -1
    while kind != _END_SHEET:
        if among_cells and (cells := _CELLS.match(sheet, at)):
            at = cells.end()
        try:
            kind, start, at = xlsb_head(sheet, at)
            fits = at <= len(sheet) and (not among_cells or _fits(kind, sheet[start:at], row))
        except (IndexError, struct.error):
            fits, start = False, at
        if not fits:
            after = f"after row {row + 1:,}" if row >= 0 else "before its first row"
            raise ValueError(f"its records break off {after}; save it anew in Excel")
        if kind == _ROW and among_cells:
            (row,) = struct.unpack_from("<I", sheet, start)
        elif kind in (_BEGIN_CELLS, _END_CELLS):
            among_cells = kind == _BEGIN_CELLS


def _fits(kind: int, data: bytes, row: int) -> bool:
    """Whether a record may be among the cells, and is as long as it says itself."""
    if kind == _ROW:
        number, spans = struct.unpack_from("<I9xI", data)
        return bool(row < number < _MOST_ROWS and len(data) == 17 + 8 * spans)
    if kind == _TEXT:
        return len(data) == _after_text(data, 8)
    if kind in _RESULTS:
        at = _after_text(data, 8) if kind == _FORMULA_TEXT else 8 + _RESULTS[kind]
        at = 6 + at + int(struct.unpack_from("<I", data, at + 2)[0])  # flags, length, the formula
        return len(data) == 4 + at + int(struct.unpack_from("<I", data, at)[0])  # what it needs
    return kind == _END_CELLS or kind in _BESIDE or kind >= _TO_COME


def _after_text(data: bytes, at: int) -> int:
    return at + 4 + 2 * int(struct.unpack_from("<I", data, at)[0])
