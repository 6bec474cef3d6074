"""Workbooks: each query is a sheet, written row by row with openpyxl, so that memory stays flat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._writer import WorksheetWriter

from dapu.errors import JobError
from dapu.exporting.cells import LONGEST_TEXT, Cell, converter, is_native, length, text_cell
from dapu.exporting.query import Field, Query, Row

MOST_ROWS = 1_048_576

_FILL = PatternFill("solid", fgColor="FFE7EBF0")
_BOLD = Font(bold=True)
_WIDTHS = (8, 60)  # characters, the least and the most
_BESIDE = 3  # characters: the arrow of the filter, and some air


def write_workbook(
    sheets: Mapping[str, Query], path: Path, *, header: bool = True
) -> tuple[int, list[str]]:
    """Writes a workbook (xlsx); returns the number of rows, and what became text of necessity.

    sheets: the query of each by its name. Raises JobError when a sheet or a cell cannot hold
    what it is to hold.
    """
    workbook = Workbook(write_only=True)
    workbook.properties.creator = "dapu"
    count, notes = 0, list[str]()
    for number, (title, query) in enumerate(sheets.items(), start=1):
        sheet = _Sheet(workbook, title, query, path.with_name(f"sheet{number}.xml"), header)
        count += sheet.write()
        notes += sheet.notes()
    workbook.save(path)
    return count, notes


class _Writer(WorksheetWriter):
    """Keeps the sheet's XML in a file of our own choice, which goes with its folder."""

    def cleanup(self) -> None:
        """Called when the XML is in the workbook."""
        Path(str(self.out)).unlink()


class _Sheet:
    """One sheet while it is written."""

    def __init__(
        self, workbook: Workbook, title: str, query: Query, out: Path, header: bool
    ) -> None:
        self._title, self._query, self._header = title, query, header
        self._sheet: Any = workbook.create_sheet(title)
        self._out = out
        self._fields = query.fields()
        self._converters = [converter(field) for field in self._fields]
        self._cells: dict[tuple[str, str], Any] = {}
        self._as_text: Counter[str] = Counter()
        self._count = 0  # of rows, without the header

    def write(self) -> int:
        """Writes all rows, and returns how many there were."""
        try:
            self._write()
        except BaseException:
            with suppress(Exception):  # else openpyxl's generators complain when they are collected
                self._sheet.close()
            raise
        return self._count

    def _write(self) -> None:
        pieces = self._query.rows()
        first = next(pieces, [])
        self._begin(first)
        for rows in chain([first], pieces):
            self._check_room(len(rows))
            for row in rows:
                self._count += 1
                self._sheet.append(list(self._row(row)))
        if self._header:
            last = f"{get_column_letter(len(self._fields))}{self._count + 1}"
            self._sheet.auto_filter.ref = f"A1:{last}"
        self._sheet.close()

    def notes(self) -> list[str]:
        """Which columns have values that a workbook does not know as what they are."""
        return [
            f"{self._title}.{name}: {count:,} written as text, since a workbook cannot hold them "
            "exactly"
            for name, count in self._as_text.items()
        ]

    def _begin(self, rows: Sequence[Row]) -> None:
        for position, width in enumerate(_widths(self._fields, rows), start=1):
            self._sheet.column_dimensions[get_column_letter(position)].width = width
        if self._header:
            self._sheet.freeze_panes = "A2"
        self._sheet._writer = _Writer(self._sheet, out=str(self._out))
        self._sheet._writer.write_top()
        if self._header:
            self._sheet.append([self._heading(field.name) for field in self._fields])

    def _heading(self, name: str) -> Any:
        cell = WriteOnlyCell(self._sheet)
        cell.font, cell.fill = _BOLD, _FILL
        return _filled(cell, text_cell(name))

    def _row(self, row: Row) -> Iterator[Any]:
        """The cells of a row: one object a column and format, filled anew in each row."""
        for position, text in enumerate(row):
            yield None if text is None else self._cell(position, text)

    def _cell(self, position: int, text: str) -> Any:
        made = self._converters[position](text)
        if made.type == "s":
            self._check_text(position, text)
        key = (str(position), made.format)
        if key not in self._cells:
            self._cells[key] = WriteOnlyCell(self._sheet)
            self._cells[key].number_format = made.format
        return _filled(self._cells[key], made)

    def _check_text(self, position: int, text: str) -> None:
        field = self._fields[position]
        if is_native(field):
            self._as_text[field.name] += 1
        if len(text) > LONGEST_TEXT // 2 and length(text) > LONGEST_TEXT:
            raise JobError(
                f"{self._query.label}, row {self._count:,}, column {field.name}: a text of "
                f"{length(text):,} characters, and a cell holds {LONGEST_TEXT:,}; cut it in the "
                f"query with left({field.name}, …), or export csv or parquet"
            )

    def _check_room(self, more: int) -> None:
        if self._count + more + self._header > MOST_ROWS:
            raise JobError(
                f"{self._query.label}: a sheet holds {MOST_ROWS:,} rows with its header, and the "
                "query gives more; filter it, spread it over several sheets, or export csv or "
                "parquet"
            )


def _filled(cell: Any, made: Cell) -> Any:
    """The cell with its content. Its property `value` would guess a type, and cut long texts."""
    cell.data_type, cell._value = made.type, made.content
    return cell


def _widths(fields: Sequence[Field], rows: Sequence[Row]) -> Iterator[int]:
    least, most = _WIDTHS
    for position, field in enumerate(fields):
        texts = (row[position] or "" for row in rows)
        longest = max((max(map(len, text.split("\n"))) for text in texts), default=0)
        yield max(least, min(most, max(len(field.name) + _BESIDE, longest + _BESIDE)))
