"""A task that writes files into a folder, for the tests of the agents that do."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import openpyxl

from tests.support.one_task import OneTask


class ExportTask:
    """A task with one action that exports, and the folder that it exports to."""

    def __init__(self, task: OneTask, folder: Path) -> None:
        self.task, self.folder = task, folder
        folder.mkdir(parents=True, exist_ok=True)

    def has(self, options: str, query: str = "select 1 as n", **queries: str) -> None:
        """Writes the definitions. options: keys of the action. queries: more files by stem."""
        files = {"query.sql": query, **{f"{stem}.sql": text for stem, text in queries.items()}}
        action = f"do: export\n{dedent(options)}"
        if "sheets:" not in options:
            action += "\nquery: query.sql"
        self.task.has(f"driver: files\npath: {self.folder}", action, files)

    def writes(self, options: str, query: str = "select 1 as n", **queries: str) -> str:
        """Runs it, which must succeed, and returns how it went."""
        self.has(options, query, **queries)
        return self.task.run()

    def fails(self, options: str, query: str = "select 1 as n", **queries: str) -> str:
        """Runs it, which must fail, and returns what it says; no file may be left."""
        before = self.names()
        self.has(options, query, **queries)
        said = self.task.fails()
        assert self.names() == before
        return said

    def text(self, name: str) -> str:
        """The content of a file."""
        return (self.folder / name).read_bytes().decode()

    def names(self) -> list[str]:
        """The files that are there, hidden ones too."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.folder)) for path in found)

    def book(self, name: str = "a.xlsx") -> openpyxl.Workbook:
        """A workbook as openpyxl reads it."""
        return openpyxl.load_workbook(self.folder / name)
