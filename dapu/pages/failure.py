"""An error in full: the details beside its sentence, the lines it comes from, the SQL as sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dapu.definitions.folders import TASK_FILE, fingerprint
from dapu.errors import FaultyFile
from dapu.pages.frame import Reading
from dapu.registry.failed_at import FailedAt, failed_at, other_details
from dapu.warehouse.yamlfile import read_document, read_text

_AROUND = 4  # lines shown before and after the one that is meant


class Detail(NamedTuple):
    """Something that an event has beside its sentence: a text, or rows with these columns."""

    name: str
    text: str
    columns: list[str]
    rows: list[list[str]]

    @property
    def is_short(self) -> bool:
        """Whether it fits into a line beside its name."""
        return not self.rows and len(self.text) < 200 and "\n" not in self.text


class CodeLine(NamedTuple):
    """A line of code, with its number in its file."""

    number: int
    text: str
    is_marked: bool


class Code(NamedTuple):
    """Code with the line that is meant, where one is. name: the file's, with the line."""

    name: str
    lines: list[CodeLine]


class Failure(NamedTuple):
    """All of it. excerpts: of the task's files; None where they have changed since.

    sql: as it was sent, with its file.
    """

    facts: list[Detail]
    details: list[Detail]
    excerpts: list[Code] | None
    sql: Code | None


def failure_of(
    reading: Reading, task: str, data: dict[str, Any] | None, hash_then: str | None
) -> Failure:
    """What an event's details say of an error. hash_then: of the definition; None for today's."""
    details = details_of(other_details(data))
    where = failed_at(data) or FailedAt()
    return Failure(
        [one for one in details if one.is_short],
        [one for one in details if not one.is_short],
        _excerpts(reading, task, where, hash_then),
        _marked(where.file or "", where.sql, where.sql_line) if where.sql else None,
    )


def details_of(data: dict[str, Any]) -> list[Detail]:
    """The details of an event, each with its name."""
    found = [_detail(name.replace("_", " "), value) for name, value in other_details(data).items()]
    where = failed_at(data)
    if where is not None and where.sql:
        found.append(Detail("SQL as it was sent", where.sql, [], []))
    return found


def files_of(reading: Reading, task: str) -> list[tuple[str, str]]:
    """The SQL files of a task's folder, as they are now."""
    folder = _folder(reading, task)
    return [
        (path.name, path.read_text("utf-8", errors="replace"))
        for path in sorted(folder.glob("*.sql") if folder else ())
        if path.is_file()
    ]


def _folder(reading: Reading, task: str) -> Path | None:
    folder = reading.warehouse.folder / "routes" / "/".join(task.split(".", 2))
    return folder if folder.resolve().is_relative_to(reading.warehouse.folder) else None


def _excerpts(
    reading: Reading, task: str, where: FailedAt, hash_then: str | None
) -> list[Code] | None:
    folder = _folder(reading, task)
    if folder is None or not (where.file or where.definition):
        return []
    found = []
    try:
        if hash_then is not None and fingerprint(folder) != hash_then.partition(":")[0]:
            return None
        if where.file and where.line and (folder / where.file).resolve().is_relative_to(folder):
            found.append(_excerpt(where.file, read_text(folder / where.file), where.line))
        if where.definition:
            document = read_document(folder / TASK_FILE)
            line = document.find(tuple(where.definition))[1]
            found.append(_excerpt(TASK_FILE, document.text, line))
    except (FaultyFile, OSError):  # it was deleted
        return None
    return found


def _excerpt(name: str, text: str, line: int) -> Code:
    whole = _marked(f"{name}:{line}", text, line)
    first = max(line - 1 - _AROUND, 0)
    return whole._replace(lines=whole.lines[first : line + _AROUND])


def _marked(name: str, text: str, line: int | None) -> Code:
    lines: Sequence[str] = text.rstrip().split("\n")
    numbered = enumerate(lines, start=1)
    return Code(name, [CodeLine(number, one, number == line) for number, one in numbered])


def _detail(name: str, value: Any) -> Detail:
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        columns = list(value[0])
        return Detail(
            name, "", columns, [[_text(row.get(key)) for key in columns] for row in value]
        )
    return Detail(name, _text(value), [], [])


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
