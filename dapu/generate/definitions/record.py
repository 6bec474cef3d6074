"""What was generated into a task's folder: by it is seen what a person changed since.

It is a file beside the others, so that version control carries it along.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import Field

from dapu.warehouse.yamlfile import Strict, as_yaml, read_model

FILE = "generated.yaml"
_HEAD = "# Written by `dapu generate`, which sees by it what a person changed. Commit it too.\n"


class RecordedColumn(Strict):
    """A column that the table got."""

    name: str
    type: str


class GeneratedRecord(Strict):
    """What was generated.

    files: a checksum of each. columns: those that the table got, by their names in the source.
    """

    source: str
    load: str
    files: dict[str, str] = Field({})
    columns: dict[str, RecordedColumn] = Field({})

    def text(self) -> str:
        """The file's text."""
        return _HEAD + as_yaml(self.model_dump())

    def is_untouched(self, folder: Path, name: str) -> bool:
        """Whether a file is as it was generated; one that a person deleted is not."""
        path = folder / name
        return path.is_file() and self.files.get(name) == checksum(path.read_text("utf-8"))


def checksum(text: str) -> str:
    """Of a text, whatever line ends version control gave it."""
    return hashlib.sha256("\n".join(text.splitlines()).encode()).hexdigest()[:16]


def read_record(folder: Path) -> GeneratedRecord | None:
    """The record of a task's folder; None when it was not generated. Raises FaultyFile."""
    path = folder / FILE
    return read_model(GeneratedRecord, path) if path.is_file() else None
