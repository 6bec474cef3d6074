"""One action of a haulwork.yaml."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from dapu.convert.old_project import OldFile, as_list
from dapu.convert.sql_text import Pasted, Unsayable
from dapu.errors import Fault
from dapu.statement import TableName
from dapu.warehouse.yamlfile import read_text


@dataclass(frozen=True)
class Around:
    """What an action may need to know of the rest of its project.

    route: its name. services: of its route.yaml, by name. folders: of connections of files, by
    name; a conversion may add some. actions: all of the task.
    """

    route: str
    services: Mapping[str, Mapping[str, Any]]
    folders: dict[str, PurePosixPath]
    actions: Sequence[Mapping[str, Any]]


@dataclass
class OldAction:
    """One action of a haulwork.yaml, and what was made of it so far.

    position: from 0. driver: of the route's connection, as 0.8 calls it. zone: of the times of
    the machine that loaded. next_step: the number that the table's next step in ver/ gets.
    around: the rest of the project. files: new ones by their name in the task's folder. faults:
    what cannot be said, so that the task stays a draft. notes: what goes without a match and is
    not missed.
    """

    file: OldFile
    position: int
    keys: Mapping[str, Any]
    table: TableName
    driver: str
    zone: str
    next_step: int
    around: Around
    files: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """The task's folder."""
        return self.file.document.path.parent

    @property
    def earlier(self) -> Sequence[Mapping[str, Any]]:
        """The task's actions before it."""
        return self.around.actions[: self.position]

    @property
    def later(self) -> Sequence[Mapping[str, Any]]:
        """The task's actions behind it."""
        return self.around.actions[self.position + 1 :]

    def fault(self, message: str, *steps: int | str) -> None:
        """Something cannot be said."""
        self.faults.append(self._at(message, *steps))

    def note(self, message: str, *steps: int | str) -> None:
        """Something is left out that is not missed, or that the next reader should know."""
        self.notes.append(self._at(message, *steps))

    def names(self, key: str) -> list[str]:
        """A name, or a list of them."""
        return [str(one) for one in as_list(self.keys.get(key)) if one is not None]

    def existing(self, key: str, within: Mapping[str, Any] | None = None) -> Iterator[Path]:
        """The files that a key names; 0.8 passed over those that are not there.

        within: the mapping that has the key; default the action.
        """
        keys = self.keys if within is None else within
        for name in (str(one) for one in as_list(keys.get(key)) if one is not None):
            path = self.folder / name
            if path.is_file():
                yield path
            else:
                self.note(f"there is no file {name}; dapu 0.8 passed over it", key)

    def others(self, *known: str) -> None:
        """A fault for each key that dapu 0.8 did not know either."""
        for key in self.keys.keys() - {"do", *known}:
            self.note("has no match", key)

    def add(self, path: Path, convert: Callable[[str, Pasted], str], pasted: Pasted) -> str:
        """Converts a SQL file; returns its name. One from elsewhere is copied to the task."""
        text = read_text(path)
        try:
            new = convert(text, pasted)
        except Unsayable as error:
            self.faults.append(Fault(path, error.line, str(error)))
            new = text
        is_inside = path.resolve().is_relative_to(self.folder.resolve())
        name = str(path.relative_to(self.folder)) if is_inside else path.name
        if self.files.setdefault(name, new) != new:
            self.fault(f"{name} is used in two ways, which need a file each")
        return name

    def _at(self, message: str, *steps: int | str) -> Fault:
        return self.file.fault(message, "actions", self.position, *steps)
