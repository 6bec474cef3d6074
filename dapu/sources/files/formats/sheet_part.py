"""A sheet of a workbook as a part: its header, and its cells with the types that they have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from dapu.errors import JobError
from dapu.rows.column_names import column_names, same_text
from dapu.sources.files.formats.cell_errors import Errors, column_number, find_errors
from dapu.sources.files.formats.workbook import Workbook
from dapu.sources.files.part import BATCH, PartBatch
from dapu.sources.files.values.cells import plain_number
from dapu.suggest import nearest

Row = list[Any]

_KEPT_CELLS = 2_000_000
_LETTERS = re.compile(r"[A-Z]{1,3}")


@dataclass(frozen=True)
class SheetStyle:
    """Where the rows of a sheet are.

    header: the row or rows (from 1) that name the columns; several make one name together.
    start_row: the first row of values; None is the one after the header.
    end_at_blank: a row without any value is the end; otherwise it is passed over.
    """

    header: tuple[int, ...]
    start_row: int | None
    end_at_blank: bool

    @property
    def first(self) -> int:
        """The first row of values, from 1."""
        return self.start_row or (self.header[-1] + 1 if self.header else 1)


@dataclass
class ParsedSheets:
    """Sheets that were parsed; the oldest of many are let go, and parsed again when needed."""

    _parsed: dict[tuple[Path, str], ParsedSheet] = field(default_factory=dict)

    def get(self, workbook: Workbook, sheet: str) -> ParsedSheet:
        """A sheet's cells."""
        key = workbook.path, sheet
        if key not in self._parsed:
            self._parsed[key] = _parse(workbook, sheet)
            while len(self._parsed) > 1 and sum(map(_size, self._parsed.values())) > _KEPT_CELLS:
                del self._parsed[next(iter(self._parsed))]
        return self._parsed[key]


class ParsedSheet(NamedTuple):
    """All cells of a sheet from A1 on, and its merged ranges where the format tells them."""

    rows: list[Row]
    merged: Sequence[Any] | None


def _size(sheet: ParsedSheet) -> int:
    return len(sheet.rows) * len(sheet.rows[0]) if sheet.rows else 0


def _parse(workbook: Workbook, sheet: str) -> ParsedSheet:
    # calamine does not hold up other threads while it parses, nor does unzipping.
    with ThreadPoolExecutor(1) as second:
        errors = second.submit(find_errors, workbook.path, sheet)
        parsed = workbook.read(sheet)
        rows: list[Row] = parsed.to_python(skip_empty_area=False)
        _put_errors(rows, errors.result())
    return ParsedSheet(rows, parsed.merged_cell_ranges)


def _put_errors(rows: list[Row], errors: Errors) -> None:
    """Puts errors into their cells. calamine ends a sheet where only cells without value follow."""
    if not errors:
        return
    height = 1 + max(row for row, _ in errors)
    width = max([len(rows[0]) if rows else 0, *(column + 1 for _, column in errors)])
    for cells in rows:
        cells.extend([""] * (width - len(cells)))
    rows.extend([""] * width for _ in range(len(rows), height))
    for (row, column), name in errors.items():
        rows[row][column] = name


@dataclass
class SheetPart:
    """One sheet."""

    workbook: Workbook
    sheet: str
    style: SheetStyle
    sheets: ParsedSheets
    copy_delimiter: None = None

    @cached_property
    def _headers(self) -> list[str]:
        return self._read_headers(self.sheets.get(self.workbook, self.sheet).merged)

    @property
    def _rows(self) -> list[Row]:
        return self.sheets.get(self.workbook, self.sheet).rows

    @property
    def file(self) -> str:
        """The workbook's name."""
        return self.workbook.name

    @property
    def _width(self) -> int:
        return len(self._rows[0]) if self._rows else 0

    def columns(self) -> dict[str, int]:
        """All columns that have a header or a value, by names made from the headers."""
        used = [at for at, text in enumerate(self._headers) if text or self._has_value(at)]
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
        if _LETTERS.fullmatch(key) and column_number(key) < max(self._width, 1):
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
        numbers: list[int] = []
        rows: list[Row] = []
        for number, row in self._with_values():
            numbers.append(number)
            rows.append(row)
            if len(rows) == BATCH:
                yield self._batch(numbers, rows, handles)
                numbers, rows = [], []
        if rows:
            yield self._batch(numbers, rows, handles)

    @staticmethod
    def _batch(numbers: list[int], rows: list[Row], handles: Sequence[int | None]) -> PartBatch:
        columns = [None if at is None else [row[at] for row in rows] for at in handles]
        return PartBatch(numbers, columns)

    def _with_values(self) -> Iterator[tuple[int, Row]]:
        first = self.style.first
        for number, row in enumerate(self._rows[first - 1 :], start=first):
            if _is_value(row[0]) or any(map(_is_value, row)):
                yield number, row
            elif self.style.end_at_blank:
                return

    def _has_value(self, column: int) -> bool:
        return any(_is_value(row[column]) for _, row in self._with_values())

    @property
    def _label(self) -> str:
        return f"{self.file}, sheet {self.sheet!r}"

    def _read_headers(self, merged: Sequence[Any] | None) -> list[str]:
        """The text above each column: of all header rows, the merged cells among them filled."""
        if not self.style.header:
            return [""] * self._width
        if self.style.header[-1] > len(self._rows):
            raise JobError(
                f"{self._label} ends before its header, row {self.style.header[-1]}: it has "
                f"{len(self._rows)} rows"
            )
        levels = []
        for number in self.style.header:
            texts = [_header_text(cell) for cell in self._rows[number - 1]]
            is_last = number == self.style.header[-1]
            levels.append(texts if is_last else _spread(texts, number - 1, merged))
        return [" ".join(dict.fromkeys(filter(None, above))) for above in zip(*levels, strict=True)]


def _spread(texts: list[str], row: int, merged: Sequence[Any] | None) -> list[str]:
    """A header row with the text of a merged cell above each of its columns.

    merged: the merged ranges, or None where the format does not tell them: then a text goes on
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


def _is_value(cell: Any) -> bool:
    return bool(cell.strip()) if isinstance(cell, str) else True


def letters(column: int) -> str:
    """The letters of a column (from 0): 0 is `A`, 26 is `AA`."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text
