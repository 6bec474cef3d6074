"""Workbooks: openpyxl writes all but the rows, which are put between as the text that they become.

Cell by cell openpyxl takes about three times as long. It would also round numbers to 16 digits, cut
long texts and take some for formulas.
"""

from __future__ import annotations

import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Any, TextIO
from xml.sax.saxutils import escape

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter

from dapu.errors import JobError
from dapu.exporting.query import Query, ResultColumn, Row
from dapu.exporting.workbook_cells import LONGEST_TEXT, converter, is_native, length, text_cell

MOST_ROWS = 1_048_576

_FILL = PatternFill("solid", fgColor="FFE7EBF0")
_BOLD = Font(bold=True)
_WIDTHS = (8, 60)  # characters, the least and the most
_BESIDE = 3  # characters: the arrow of the filter, and some air
_EMPTY, _END = b"<sheetData />", b"</sheetData>"
_CELLS = {  # as ECMA-376 part 1, 18.3.1.4 has them
    "n": '<c r="{place}" s="{style}"><v>{content}</v></c>',
    "b": '<c r="{place}" s="{style}" t="b"><v>{content}</v></c>',
    "s": '<c r="{place}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{content}</t></is>'
    "</c>",
}


def write_workbook(
    queries: Mapping[str, Query], path: Path, *, header: bool = True
) -> tuple[int, list[str]]:
    """Writes a workbook (xlsx); returns the number of rows, and what became text of necessity.

    queries: that of each sheet by its name. Raises JobError when a sheet or a cell cannot hold
    what it is to hold.
    """
    workbook = Workbook(write_only=True)
    workbook.properties.creator = "dapu"
    sheets = [
        _Sheet(workbook, title, query, path.with_name(f"rows{number}.xml"), header)
        for number, (title, query) in enumerate(queries.items(), start=1)
    ]
    for sheet in sheets:
        sheet.write_rows()
    for sheet in sheets:
        sheet.finish()
    frame = path.with_name("frame.xlsx")
    workbook.save(frame)
    rows = {f"xl/worksheets/sheet{n}.xml": sheet.rows for n, sheet in enumerate(sheets, start=1)}
    _put_between(frame, rows, path)
    return sum(sheet.count for sheet in sheets), [
        note for sheet in sheets for note in sheet.notes()
    ]


def _put_between(frame: Path, rows: Mapping[str, Path], path: Path) -> None:
    """The workbook with the rows of each sheet at the end of what it has."""
    with (
        zipfile.ZipFile(frame) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            with target.open(name, "w", force_zip64=True) as member:
                if name in rows:
                    _write_sheet(source.read(name), rows[name], member)
                else:
                    member.write(source.read(name))


def _write_sheet(frame: bytes, rows: Path, target: IO[bytes]) -> None:
    before, end, after = frame.replace(_EMPTY, b"<sheetData></sheetData>").partition(_END)
    target.write(before)
    with rows.open("rb") as source:
        shutil.copyfileobj(source, target)
    target.write(end + after)
    rows.unlink()


class _Sheet:
    """One sheet. rows: the file with its rows. count: how many there are, without the header."""

    def __init__(
        self, workbook: Workbook, title: str, query: Query, rows: Path, header: bool
    ) -> None:
        self._sheet: Any = workbook.create_sheet(title)
        self._title, self._query, self._header = title, query, header
        self.rows, self.count = rows, 0
        self._fields = query.fields()
        self._converters = [converter(field) for field in self._fields]
        self._letters = [get_column_letter(n) for n in range(1, len(self._fields) + 1)]
        self._styles: dict[str, int] = {}
        self._widths: list[int] = []
        self._as_text: Counter[str] = Counter()

    def write_rows(self) -> None:
        """Writes the rows into their file."""
        pieces = self._query.rows()
        first = next(pieces, [])
        self._widths = list(_widths(self._fields, first))
        with self.rows.open("w", encoding="utf-8") as file:
            for rows in chain([first], pieces):
                self._check_room(len(rows))
                self._write(rows, file)

    def finish(self) -> None:
        """Gives openpyxl all but the rows."""
        for letter, width in zip(self._letters, self._widths, strict=True):
            self._sheet.column_dimensions[letter].width = width
        if self._header:
            self._sheet.freeze_panes = "A2"
            self._sheet.auto_filter.ref = f"A1:{self._letters[-1]}{self.count + 1}"
            self._sheet.append([self._heading(field.name) for field in self._fields])

    def notes(self) -> list[str]:
        """Which columns have values that a workbook does not know as what they are."""
        return [
            f"{self._title}.{name}: {count:,} written as text, since a workbook cannot hold them "
            "exactly"
            for name, count in self._as_text.items()
        ]

    def _write(self, rows: Sequence[Row], file: TextIO) -> None:
        for row in rows:
            self.count += 1
            number = self.count + self._header
            cells = "".join(self._cells(row, number))
            file.write(f'<row r="{number}">{cells}</row>\n')

    def _cells(self, row: Row, number: int) -> Iterator[str]:
        for position, text in enumerate(row):
            if text is not None:
                made = self._converters[position](text)
                if made.type == "s":
                    self._check_text(position, text)
                yield _CELLS[made.type].format(
                    place=f"{self._letters[position]}{number}",
                    style=self._style(made.format),
                    content=escape(made.content) if made.type == "s" else made.content,
                )

    def _style(self, form: str) -> int:
        """The workbook's number for a number format."""
        if form not in self._styles:
            cell: Any = WriteOnlyCell(self._sheet)
            cell.number_format = form
            self._styles[form] = cell.style_id
        return self._styles[form]

    def _heading(self, name: str) -> Any:
        cell = WriteOnlyCell(self._sheet, text_cell(name).content)
        cell.data_type, cell.font, cell.fill = "s", _BOLD, _FILL
        return cell

    def _check_text(self, position: int, text: str) -> None:
        field = self._fields[position]
        if is_native(field):
            self._as_text[field.name] += 1
        if len(text) > LONGEST_TEXT // 2 and length(text) > LONGEST_TEXT:
            raise JobError(
                f"{self._query.label}, row {self.count:,}, column {field.name}: a text of "
                f"{length(text):,} characters, and a cell holds {LONGEST_TEXT:,}; cut it in the "
                f"query with left({field.name}, …), or export csv or parquet"
            )

    def _check_room(self, more: int) -> None:
        if self.count + more + self._header > MOST_ROWS:
            raise JobError(
                f"{self._query.label}: a sheet holds {MOST_ROWS:,} rows with its header, and the "
                "query gives more; filter it, spread it over several sheets, or export csv or "
                "parquet"
            )


def _widths(fields: Sequence[ResultColumn], rows: Sequence[Row]) -> Iterator[int]:
    least, most = _WIDTHS
    for position, field in enumerate(fields):
        texts = (row[position] or "" for row in rows)
        longest = max((max(map(len, text.split("\n"))) for text in texts), default=0)
        yield max(least, min(most, max(len(field.name), longest) + _BESIDE))
