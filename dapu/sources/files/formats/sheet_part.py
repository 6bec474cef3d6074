"""A sheet of a workbook as a part: its header, and its cells with the types that they have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from dapu.errors import JobError
from dapu.rows.column_names import column_names, same_text
from dapu.sources.files.formats.cell_errors import column_number
from dapu.sources.files.formats.workbook import ReadSheet, Workbook
from dapu.sources.files.formats.workbook_reader import Cells, SheetStyle
from dapu.sources.files.part import PartBatch
from dapu.sources.files.values.convert_cells import plain_number
from dapu.suggest import nearest
from dapu.text import counted

_LETTERS = re.compile(r"[A-Z]{1,3}")


@dataclass
class SheetPart:
    """One sheet."""

    workbook: Workbook
    sheet: str
    style: SheetStyle
    copy_delimiter: None = None

    @cached_property
    def _headers(self) -> list[str]:
        return self._read_headers(self._cells)

    @cached_property
    def _read(self) -> ReadSheet:
        return self.workbook.read(self.sheet, self.style)

    @property
    def _cells(self) -> Cells:
        return self._read.cells

    @property
    def file(self) -> str:
        """The workbook's name."""
        return self.workbook.name

    def columns(self) -> dict[str, int]:
        """All columns that have a header or a value, by names made from the headers."""
        headed = {at for at, text in enumerate(self._headers) if text}
        used = sorted(headed.union(self._cells.used))
        texts = [self._headers[at] or f"column_{letters(at)}" for at in used]
        return dict(zip(column_names(texts), used, strict=True))

    def find(self, key: str) -> int:
        """A column by its header, else by its letters."""
        found = [at for at, text in enumerate(self._headers) if same_text(text) == same_text(key)]
        if len(found) > 1:
            where = " and ".join(letters(at) for at in found)
            raise JobError(f"{self._label} has {len(found)} columns {key!r}; name them {where}")
        if found:
            return found[0]
        if _LETTERS.fullmatch(key) and column_number(key) < max(self._cells.width, 1):
            return column_number(key)
        known = [text for text in self._headers if text]
        rows = ", ".join(map(str, self.style.header))
        where = f" in its header (row {rows})" if rows else ""
        raise JobError(f"{self._label} has no column {key!r}{where}{nearest(key, known)}")

    def kinds(self, handles: Sequence[int | None]) -> list[str | None]:
        """Each cell has a type of its own, and a column none."""
        return [None for _ in handles]

    def place(self, row: int, handle: int | None) -> str:
        """`Budget 2026.xlsx, sheet 'Costs', D17`."""
        cell = f"row {row}" if handle is None else f"{letters(handle)}{row}"
        return f"{self._label}, {cell}"

    def batches(self, handles: Sequence[int | None]) -> Iterator[PartBatch]:
        """The cells of the rows that have any value."""
        for numbers, columns in self._read.batches():
            blank = [""] * len(numbers)
            values = [None if at is None else columns.get(at, blank) for at in handles]
            yield PartBatch(numbers, values)

    @property
    def _label(self) -> str:
        return f"{self.file}, sheet {self.sheet!r}"

    def _read_headers(self, cells: Cells) -> list[str]:
        """The text above each column: of all header rows, the merged cells among them filled."""
        if not self.style.header:
            return [""] * cells.width
        if self.style.header[-1] > cells.height:
            raise JobError(
                f"{self._label} ends before its header, row {self.style.header[-1]}: it has "
                f"{counted(cells.height, 'row')}"
            )
        levels = []
        for number, row in zip(self.style.header, cells.headers, strict=True):
            texts = [_header_text(cell) for cell in row]
            is_last = number == self.style.header[-1]
            levels.append(texts if is_last else _spread(texts, number - 1, cells.merged))
        return [" ".join(dict.fromkeys(filter(None, above))) for above in zip(*levels, strict=True)]


def _spread(texts: list[str], row: int, merged: Sequence[Any] | None) -> list[str]:
    """A header row with the text of a merged cell above each of its columns.

    merged: the merged ranges, or None where the format does not give them: then a text goes on
    until the next.
    """
    filled = list(texts)
    if merged is None:
        for column in range(1, len(filled)):
            filled[column] = filled[column] or filled[column - 1]
        return filled
    for (top, left), (_, right) in merged:
        if top == row:
            filled[left : right + 1] = [texts[left]] * len(filled[left : right + 1])
    return filled


def _header_text(cell: Any) -> str:
    if isinstance(cell, float):
        return plain_number(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(" ")
    if isinstance(cell, date):
        return cell.isoformat()
    return " ".join(str(cell).split())


def letters(column: int) -> str:
    """The letters of a column (from 0): 0 is `A`, 26 is `AA`."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text
