"""Workbooks: opening them, and which of their sheets are meant."""

from __future__ import annotations

import glob
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dapu.errors import JobError
from dapu.limited_process import LimitedProcess, ProcessDied, most_memory
from dapu.rows.column_names import same_text
from dapu.sources.files.formats import workbook_reader
from dapu.sources.files.formats.workbook_reader import CellBatch, Cells, SheetStyle
from dapu.suggest import nearest

_MEMORY = 4 << 30  # bytes: enough for a sheet of 50 million cells


@dataclass(frozen=True)
class ReadSheet:
    """A sheet that was read. file: its rows of values, as `workbook_reader` wrote them."""

    cells: Cells
    file: Path

    def batches(self) -> Iterator[CellBatch]:
        """The rows of values that have any."""
        return workbook_reader.batches(self.file)


class Workbooks:
    """Opens workbooks, in a process that may end at any of them without harm.

    seconds: how long one may take, and as long again for each megabyte.
    """

    def __init__(self, seconds: float = 60) -> None:
        self._seconds = seconds
        answers = f"{workbook_reader.__name__}:answer"
        self._process = LimitedProcess(answers, most_memory(_MEMORY))
        self._folder = tempfile.TemporaryDirectory(prefix="dapu-cells-")
        self._read: dict[tuple[Path, str], ReadSheet] = {}

    def __enter__(self) -> Workbooks:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.close()
        self._folder.cleanup()

    def stop(self) -> None:
        """Ends the reading at once; may be called from another thread."""
        self._process.stop()

    def open(self, name: str, path: Path) -> Workbook:
        """Raises JobError when the file is not a workbook, is broken, or has a password.

        name: what people call it.
        """
        return Workbook(name, path, dict(self._ask("sheets", name, path)), self)

    def read(self, book: Workbook, sheet: str, style: SheetStyle) -> ReadSheet:
        """Reads a sheet, once. Raises JobError when it is broken, or larger than all bounds."""
        key = book.path, sheet
        if key not in self._read:
            file = Path(self._folder.name) / str(len(self._read))
            label = f"{book.name}, sheet {sheet!r}"
            request = ("read", book.name, book.path, sheet, style, file)
            try:
                cells = self._process.ask(*request, seconds=self._most_seconds(book.path))
            except ProcessDied as died:
                raise JobError(
                    f"{label} cannot be read: {died}{self._why(died, book, sheet)}"
                ) from died
            self._read[key] = ReadSheet(cells, file)
        return self._read[key]

    def _most_seconds(self, path: Path) -> float:
        """For a reader that never ends: a workbook of 1 MB takes a fraction of a second."""
        return self._seconds * (1 + path.stat().st_size // 1_000_000)

    def _ask(self, what: str, name: str, path: Path, *more: Any) -> Any:
        try:
            request = (what, name, path, *more)
            return self._process.ask(*request, seconds=self._most_seconds(path))
        except ProcessDied as died:
            raise JobError(f"{name} cannot be read: {died}") from died

    def _why(self, died: ProcessDied, book: Workbook, sheet: str) -> str:
        if died.cause != "memory":
            return ""
        last = self._ask("last_cell", book.name, book.path, sheet)
        stray = (
            f"; its last cell is {last}: delete the rows and columns after the table"
            if last
            else ""
        )
        return f"{stray}, or save the sheet as CSV"


@dataclass(frozen=True)
class Workbook:
    """A workbook that was opened. sheets: all of them, and whether people see each as a table."""

    name: str
    path: Path
    _sheets: dict[str, bool]
    _books: Workbooks

    def sheets(self, wanted: str | int | None) -> list[str]:
        """The names of the sheets that are meant, in order.

        wanted: a name or a pattern, a number from 1, or None for the first. Hidden sheets are
        only found by their names. Raises JobError when there is none.
        """
        visible = [name for name, is_visible in self._sheets.items() if is_visible]
        if wanted is None or isinstance(wanted, int):
            number = wanted or 1
            if not 0 < number <= len(visible):
                raise JobError(f"{self.name} has {len(visible)} visible sheets, and no {number}")
            return [visible[number - 1]]
        named = [name for name in self._sheets if name == wanted] or [
            name for name in self._sheets if same_text(name) == same_text(wanted)
        ]
        if not named and glob.has_magic(wanted):
            pattern = same_text(wanted)
            named = [name for name in visible if fnmatchcase(same_text(name), pattern)]
        if not named:
            raise JobError(f"{self.name} has no sheet {wanted!r}{nearest(wanted, self._sheets)}")
        return named

    def read(self, sheet: str, style: SheetStyle) -> ReadSheet:
        """See `Workbooks.read`."""
        return self._books.read(self, sheet, style)
