"""A task that reads files of a folder, for the tests of the agents that do."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

import openpyxl

from tests.support.one_task import OneTask

Rows = Sequence[Sequence[Any]]


class Share:
    """A folder of files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def put(self, name: str, content: str | bytes, *, hours_ago: float = 1) -> Path:
        """Writes a file that was last changed some time ago."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.age(path, hours_ago)

    def age(self, path: Path, hours_ago: float = 1) -> Path:
        """Makes a file look as if it had last been changed some time ago."""
        then = time.time() - 3600 * hours_ago
        os.utime(path, (then, then))
        return path

    def book(self, name: str, sheets: Mapping[str, Rows] | Rows) -> Path:
        """Writes a workbook: its sheets by name, or one sheet."""
        workbook = openpyxl.Workbook()
        workbook.remove(workbook.worksheets[0])
        named = sheets if isinstance(sheets, Mapping) else {"Costs": sheets}
        for title, rows in named.items():
            sheet = workbook.create_sheet(title)
            for row in rows:
                sheet.append(list(row))
        return self.save(workbook, name)

    def save(self, workbook: openpyxl.Workbook, name: str) -> Path:
        """Saves a workbook."""
        workbook.save(self.path / name)
        return self.age(self.path / name)


class FileTask:
    """A task with one action that reads a share."""

    def __init__(self, task: OneTask, share: Share, agent: str) -> None:
        self.task, self.share, self._agent = task, share, agent

    def has(self, options: str, files: dict[str, str] | None = None) -> None:
        """Writes the definitions. options: the action's keys, in YAML."""
        self.task.has(
            f"driver: files\npath: {self.share.path}",
            f"do: {self._agent}\n{dedent(options)}",
            files,
        )

    def run(self, options: str | None = None, *, full: bool = False) -> str:
        """Runs the task, which must succeed."""
        if options is not None:
            self.has(options)
        return self.task.run(full=full)

    def fails(self, options: str | None = None) -> str:
        """Runs the task, which must fail, and returns what it says."""
        if options is not None:
            self.has(options)
        return self.task.fails()

    def rows(self, what: str = "*") -> list[Any]:
        """Columns of the task's table."""
        return self.task.rows(f"select {what} from staging.thing order by 1")
