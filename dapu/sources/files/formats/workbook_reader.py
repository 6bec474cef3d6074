"""Reads workbooks, in a process of its own (see `LimitedProcess`).

For calamine takes as much memory as a sheet's last cell asks for, and aborts its process when there
is none. The cells go into a file, a batch of rows after the other, each column by itself: a sheet
never is in the memory of the worker as a whole.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import cached_property, lru_cache
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dapu.errors import JobError
from dapu.sources.files.formats.cell_errors import Errors, find_below_zero, find_errors, last_cell
from dapu.sources.files.formats.raw_sheet import (
    OLE,
    ZIP,
    RawSheet,
    check_size,
    faults_of,
    find_raw_sheet,
)

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

Result = TypeVar("Result")
Row = list[Any]
_ROWS = 20_000  # a batch
_MOST_ROWS, _MOST_COLUMNS = 1_048_576, 16_384  # of a sheet, in Excel and LibreOffice
_OPEN = 8  # workbooks at once


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


class Cells(NamedTuple):
    """What was read of a sheet, but for the rows of values, which are in a file.

    height, width: of the range from A1 to the last cell. headers: the rows of the header that there
    are. merged: the merged ranges, where the format gives them. used: the columns (from 0) with a
    value.
    """

    height: int
    width: int
    headers: list[Row]
    merged: Sequence[Any] | None
    used: list[int]


class CellBatch(NamedTuple):
    """Rows that have a value. columns: by position; a column without any is left out."""

    numbers: list[int]
    columns: dict[int, list[Any]]


def answer(what: str, *arguments: Any) -> Any:
    """What a `LimitedProcess` calls: `sheets`, `read` or `last_cell`."""
    return _ANSWERS[what](*arguments)


def sheets(name: str, path: Path) -> list[tuple[str, bool]]:
    """The names of a workbook's sheets, and whether each is a table that people see.

    Raises JobError when the file is not a workbook, is broken, or has a password.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        raise JobError(f"{name} is empty (0 bytes); is it still being copied?")
    if not start.startswith((OLE, ZIP)):
        raise JobError(
            f"{name} is not a workbook; is it a web page or CSV with the ending of one? "
            "Save it as .xlsx"
        )
    if start.startswith(ZIP):
        check_size(name, path)
    return [
        (
            sheet.name,
            str(sheet.visible).endswith(".Visible") and str(sheet.typ).endswith(".WorkSheet"),
        )
        for sheet in _book(name, path).sheets_metadata
    ]


def read(name: str, path: Path, sheet: str, style: SheetStyle, target: Path) -> Cells:
    """Reads a sheet. target: the file for its rows of values. Raises JobError when it is broken."""
    label = f"{name}, sheet {sheet!r}"
    book = _book(name, path)
    with faults_of(label):
        raw = find_raw_sheet(path, sheet)
    # calamine does not hold up other threads while it parses, nor does unzipping.
    with ThreadPoolExecutor(1) as second:
        errors = second.submit(_with_faults, label, lambda: find_errors(raw))
        with _translated_faults(label):
            parsed = book.get_sheet_by_name(sheet)
        rows = _Rows(label, parsed, errors.result(), raw)
    try:
        with target.open("wb") as file:
            return _write(rows, style, lambda batch: pickle.dump(tuple(batch), file, 5))
    except OSError as error:
        raise JobError(
            f"{label} cannot be put aside in {target.parent}: {error.strerror}"
        ) from None


def corner(name: str, path: Path, sheet: str) -> str | None:
    """The last cell of the range that a sheet takes, where that is known without reading it."""
    with faults_of(name):
        return last_cell(find_raw_sheet(path, sheet))


def batches(file: Path) -> Iterator[CellBatch]:
    """The rows of values that `read` wrote."""
    with file.open("rb") as stream:
        while stream.peek(1):
            yield CellBatch(*pickle.load(stream))  # noqa: S301 - our own process wrote it


@dataclass
class _Rows:
    """All rows of a sheet from A1 on, with errors where calamine has empty cells."""

    label: str
    parsed: CalamineSheet
    errors: Errors
    raw: RawSheet | None

    def __post_init__(self) -> None:
        self.top, self.left = self.parsed.start or (0, 0)
        end = self.parsed.end
        last_row, last_column = end if end is not None else (-1, -1)
        self.height = 1 + max([last_row, *(row for row, _ in self.errors)])
        if last_row >= _MOST_ROWS or last_column >= _MOST_COLUMNS:
            raise JobError(
                f"{self.label} is broken: its last cell is in row {last_row + 1:,} and column "
                f"{last_column + 1:,}, and a sheet has {_MOST_ROWS:,} rows and {_MOST_COLUMNS:,} "
                "columns at most"
            )
        self.width = 1 + max([last_column, *(column for _, column in self.errors)])

    def __iter__(self) -> Iterator[Row]:
        return self._with_errors() if self.errors else self._padded()

    def _with_errors(self) -> Iterator[Row]:
        of_rows: dict[int, dict[int, str]] = {}
        for (row, column), name in self.errors.items():
            of_rows.setdefault(row, {})[column] = name
        for number, cells in enumerate(self._padded()):
            for column, name in of_rows.get(number, {}).items():
                cells[column] = name
            yield cells

    def _padded(self) -> Iterator[Row]:
        """Calamine begins and ends a sheet with the first and last cell that has a value."""
        for _ in range(min(self.top, self.height)):
            yield [""] * self.width
        before: Row = [""] * self.left
        after: Row = [""] * (self.width - self.left - self.parsed.width)
        with _translated_faults(self.label):
            if before or after:
                yield from ([*before, *cells, *after] for cells in self.parsed.iter_rows())
            else:
                yield from self.parsed.iter_rows()
        for _ in range(self.height - self.top - self.parsed.height):
            yield [""] * self.width

    def as_they_are(self, numbers: Sequence[int], column: int, cells: list[Any]) -> list[Any]:
        """The cells of a column, of which calamine has made times of day out of numbers below 0."""
        types = set(map(type, cells))
        if time in types and self._below_zero:
            below = self._below_zero
            cells = [
                below.get((number - 1, column), cell) if type(cell) is time else cell
                for number, cell in zip(numbers, cells, strict=True)
            ]
        if not any(issubclass(one, date) for one in types):
            return cells
        # A date that occurs again is written once, which is where pickle spends its time.
        known: dict[Any, Any] = {}
        return [known.setdefault(c, c) if isinstance(c, date) else c for c in cells]

    @cached_property
    def _below_zero(self) -> dict[tuple[int, int], timedelta]:
        with faults_of(self.label):
            found = find_below_zero(self.raw)
        return {place: timedelta(days=value) for place, value in found.items()}


def _write(rows: _Rows, style: SheetStyle, put: Callable[[CellBatch], None]) -> Cells:
    headers: list[Row] = []
    used: set[int] = set()
    of_values = _of_values(rows, style, headers)
    while some := list(islice(of_values, _ROWS)):
        numbers = [number for number, _ in some]
        columns = {}
        for column, cells in enumerate(zip(*(row for _, row in some), strict=True)):
            if any(map(_is_value, cells)):
                columns[column] = rows.as_they_are(numbers, column, list(cells))
        used.update(columns)
        put(CellBatch(numbers, columns))
    return Cells(rows.height, rows.width, headers, rows.parsed.merged_cell_ranges, sorted(used))


def _of_values(rows: _Rows, style: SheetStyle, headers: list[Row]) -> Iterator[tuple[int, Row]]:
    """The rows of values that have any, by their numbers; puts the others of the style aside."""
    header, first = frozenset(style.header), style.first
    for number, row in enumerate(rows, start=1):
        if number in header:
            headers.append(row)
        if number < first:
            continue
        # Of a wide sheet with a stray cell most rows are blank, and counting is fast.
        if _is_value(row[0]) or (row.count("") < len(row) and any(map(_is_value, row))):
            yield number, row
        elif style.end_at_blank:
            return


def _is_value(cell: Any) -> bool:
    return bool(cell.strip()) if isinstance(cell, str) else True


def _with_faults(label: str, act: Callable[[], Result]) -> Result:
    with faults_of(label):
        return act()


@lru_cache(_OPEN)
def _book(name: str, path: Path) -> CalamineWorkbook:
    with _translated_faults(name):
        return _open(path)


def _open(path: Path) -> CalamineWorkbook:
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    try:
        return CalamineWorkbook.from_path(path)
    except PasswordError:
        raise
    except CalamineError as error:
        try:  # one with the wrong ending is known by its content
            return CalamineWorkbook.from_filelike(BytesIO(path.read_bytes()))
        except CalamineError:
            raise error from None


@contextmanager
def _translated_faults(label: str) -> Iterator[None]:
    """What goes wrong inside calamine as a JobError, a crash of its own too."""
    from python_calamine import CalamineError, PasswordError

    try:
        yield
    except PasswordError:
        raise JobError(f"{label} is protected with a password; save it without") from None
    except (CalamineError, ValueError, OverflowError) as error:
        raise JobError(
            f"{label} is broken, or is not all there yet (its reader says: {error})"
        ) from error
    except OSError as error:
        raise JobError(f"{label} cannot be read: {error}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise JobError(f"{label} cannot be read: the reader stumbled over it: {error}") from None


_ANSWERS: dict[str, Callable[..., Any]] = {"sheets": sheets, "read": read, "last_cell": corner}
