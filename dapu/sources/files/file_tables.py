"""The tables in a file, for those who look before they write a definition: a sheet is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dapu.errors import JobError
from dapu.rows.rows import Column
from dapu.sources.files.column_options import ChosenColumns
from dapu.sources.files.combine import Gathering
from dapu.sources.files.formats.csv_dialect import CsvStyle
from dapu.sources.files.formats.csv_part import open_csv
from dapu.sources.files.formats.json_part import open_json
from dapu.sources.files.formats.sheet_part import SheetPart
from dapu.sources.files.formats.workbook import Workbooks
from dapu.sources.files.formats.workbook_reader import SheetStyle
from dapu.sources.files.part import FilePart
from dapu.sources.files.places.unpack import Content, format_of
from dapu.sources.files.values.convert_texts import TextStyle

_WORKBOOKS = {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"}
_BELOW_FIRST_ROW = SheetStyle((1,), None, False)


@dataclass(frozen=True)
class FileTable:
    """A sheet, or what else one file holds.

    sheet: None for a file without sheets. fault: why it cannot be read.
    columns: names, with types where the format itself declares them.
    """

    sheet: str | None
    columns: Mapping[str, str] = field(default_factory=dict)
    fault: str | None = None
    _part: FilePart[Any] | None = None
    _style: TextStyle = field(default_factory=TextStyle)
    _of_cells: bool = False

    def typed_columns(self) -> list[Column]:
        """The columns with the types that hold each value; all of them are read.

        Raises JobError when the file is broken.
        """
        if self._part is None:
            raise JobError(self.fault or "it holds no table")
        gathering = Gathering(
            [self._part],
            ChosenColumns(None, {}, (), False),
            {},
            [self._style],
            of_cells=self._of_cells,
            has_steps=False,
            origin=False,
            hash_key=None,
        )
        return list(gathering.rows().columns)


def is_workbook(name: str) -> bool:
    """Whether a name's ending is that of a workbook."""
    return Path(name.lower()).suffix in _WORKBOOKS


def tables_of(books: Workbooks, name: str, path: Path) -> list[FileTable]:
    """The visible sheets of a workbook; the one table of CSV, JSON and Parquet; else no columns.

    books: opens workbooks; the columns of their sheets can be read while it is open.
    """
    try:
        return list(_sheets(books, name, path)) if is_workbook(name) else [_file(name, path)]
    except (JobError, OSError) as error:
        return [FileTable(None, fault=str(error))]


def _sheets(books: Workbooks, name: str, path: Path) -> Iterator[FileTable]:
    workbook = books.open(name, path)
    for sheet in workbook.sheets("*"):
        try:
            part = SheetPart(workbook, sheet, _BELOW_FIRST_ROW)
            columns = dict.fromkeys(part.columns(), "")
            style = TextStyle(None, None, trim=True, of_people=True)
            yield FileTable(sheet, columns, None, part, style, _of_cells=True)
        except JobError as error:
            yield FileTable(sheet, fault=str(error))


def _file(name: str, path: Path) -> FileTable:
    content = Content(name, lambda: path.open("rb"))
    match format_of(name):
        case "csv" | "tsv" as kind:
            given = CsvStyle(delimiter="\t" if kind == "tsv" else None, quote='"')
            part = open_csv(content, given, ())
            style = TextStyle(part.dialect.decimal)
            return FileTable(None, dict.fromkeys(part.columns(), ""), None, part, style)
        case "json" | "ndjson" as kind:
            document = open_json(content, None, None, None, by_line=kind == "ndjson")
            return FileTable(None, _part=document, _of_cells=True)
        case "parquet":
            return _parquet(content)
    return FileTable(None)


def _parquet(content: Content) -> FileTable:
    from dapu.sources.files.formats.parquet_part import open_parquet  # libraries of its own

    part = open_parquet(content)
    handles = part.columns()
    types = part.kinds(list(handles.values()))
    columns = {name: kind or "" for name, kind in zip(handles, types, strict=True)}
    return FileTable(None, columns, _part=part)
