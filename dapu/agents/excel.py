"""`do: excel`: sheets of workbooks become the rows of the task's table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator

from dapu.agents.base import Context
from dapu.agents.files_agent import FileParts, FilesAgent
from dapu.agents.files_options import ReadingOptions
from dapu.rows.rows import Rows
from dapu.sources.files.formats.sheet_part import SheetPart
from dapu.sources.files.formats.workbook import Workbooks
from dapu.sources.files.formats.workbook_reader import SheetStyle
from dapu.sources.files.places.place import FoundFile
from dapu.sources.files.values.convert_texts import TextStyle


class ExcelOptions(ReadingOptions):
    """Reads sheets of workbooks (xlsx, xls, xlsb, ods) into the task's table."""

    reads: ClassVar[tuple[str, ...]] = ("workbook", "sheet")

    do: Literal["excel"]
    workbook: str = Field(
        min_length=1, description="Its name below the connection's folder, or a pattern"
    )
    sheet: str | PositiveInt | None = Field(
        None, description="A name, a pattern, or a number from 1; default the first visible sheet"
    )
    header: PositiveInt | list[PositiveInt] | Literal["none"] = Field(
        1, description="The row that names the columns; several make one name together"
    )
    start_row: PositiveInt | None = Field(
        None, description="The first row of values; default the one after the header"
    )
    end_when: Literal["blank row"] | None = Field(
        None, description="`blank row`: what is below the first row without values is not read"
    )

    @model_validator(mode="after")
    def _values_are_below_the_header(self) -> ExcelOptions:
        rows = self.header_rows
        if list(rows) != sorted(set(rows)):
            raise ValueError("`header` gives its rows from top to bottom, each once")
        if self.start_row is not None and rows and self.start_row <= rows[-1]:
            raise ValueError("`start_row` is below the header")
        return self

    @property
    def header_rows(self) -> tuple[int, ...]:
        """The rows of the header."""
        if self.header == "none":
            return ()
        return (self.header,) if isinstance(self.header, int) else tuple(self.header)


class ExcelAgent(FilesAgent[ExcelOptions]):
    """Reads workbooks with calamine."""

    name = "excel"
    options = ExcelOptions
    _books: Workbooks

    @contextmanager
    def read(self, context: Context, options: ExcelOptions) -> Iterator[Rows | None]:
        """See `FilesAgent`. A workbook that is larger than all bounds ends this job only."""
        with (
            Workbooks() as self._books,
            context.stoppable(self._books.stop),
            super().read(context, options) as rows,
        ):
            yield rows

    def wanted(self, options: ExcelOptions) -> str:
        """The workbooks."""
        return options.workbook

    def parts(
        self,
        options: ExcelOptions,
        files: Sequence[tuple[FoundFile, Path]],
        known: set[str],  # noqa: ARG002 - the header's row is given
    ) -> FileParts:
        """The sheets of all workbooks."""
        place = SheetStyle(options.header_rows, options.start_row, options.end_when is not None)
        style = TextStyle(options.decimal, options.dates, trim=True, of_people=True)
        parts = FileParts(of_cells=True)
        for file, path in files:
            workbook = self._books.open(file.name, path)
            for sheet in workbook.sheets(options.sheet):
                parts.add(SheetPart(workbook, sheet, place), style)
        return parts
