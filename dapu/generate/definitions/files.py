"""The sheets and files of a folder."""

from __future__ import annotations

import glob
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from dapu.errors import JobError
from dapu.generate.definitions.source_table import Offered, Table, TableColumn
from dapu.sources.files.file_tables import FileTable, is_workbook, tables_of
from dapu.sources.files.formats.workbook import Workbooks
from dapu.sources.files.places.place import FoundFile, open_place
from dapu.sources.files.places.unpack import format_of
from dapu.warehouse.warehouse import Warehouse


class FileTables:
    """See `Tables`. Types are those that hold each value that is there now."""

    def __init__(self, warehouse: Warehouse, connection: str) -> None:
        self._place = open_place(warehouse, connection)
        self._open = ExitStack()
        folder = self._open.enter_context(tempfile.TemporaryDirectory(prefix="dapu-"))
        self._folder = Path(folder)
        self._books = self._open.enter_context(Workbooks())

    @cached_property
    def _found(self) -> dict[str, tuple[FoundFile, FileTable]]:
        found = {}
        for file in self._place.find("**/*"):
            if is_workbook(file.name) or _is_readable(file.name):
                path = self._place.local(file, self._folder)
                for table in tables_of(self._books, file.name, path):
                    label = file.name if table.sheet is None else f"{file.name}:{table.sheet}"
                    found[label] = file, table
        return found

    def offered(self) -> Sequence[Offered]:
        """See `Tables`."""
        return [
            Offered(label, _table_names(file.name, table.sheet))
            for label, (file, table) in self._found.items()
        ]

    def describe(self, label: str, known: Mapping[str, str]) -> Table:  # noqa: ARG002 - as they are
        """See `Tables`."""
        file, table = self._found[label]
        columns = [TableColumn(one.name, one.name, one.type) for one in table.typed_columns()]
        if not columns:
            raise JobError(f"{label} has no columns")
        return Table(label, _action(file.name, table.sheet), columns)

    def close(self) -> None:
        """See `Tables`."""
        self._open.close()


def _is_readable(name: str) -> bool:
    """Whether the format is known, and needs no word on where its rows are."""
    return format_of(name) not in (None, "xml") and not name.lower().endswith(".gz")


def _table_names(name: str, sheet: str | None) -> tuple[str, ...]:
    path = PurePosixPath(name)
    whole = str(path.with_suffix(""))
    if sheet is None:
        return path.stem, whole
    return f"{path.stem} {sheet}", f"{whole} {sheet}"


def _action(name: str, sheet: str | None) -> dict[str, Any]:
    pattern = glob.escape(name)
    # What is a pattern gets the columns that say which file a row is of; here it is one file.
    one = {"origin": False} if pattern != name else {}
    if sheet is None:
        return {"do": "file", "file": pattern, **one}
    return {"do": "excel", "workbook": pattern, "sheet": glob.escape(sheet), **one}
