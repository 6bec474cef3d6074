"""A project of dapu 0.8, as it stands in its folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dapu.errors import ConfigurationError, Fault, FaultyFile
from dapu.warehouse.yamlfile import Document, read_document

_DEFAULTS = {
    "DAPU_SCHEMA": "meta",
    "DAPU_PREFIX": "",
    "FILENAME_DEFINITION_FILE": "haulwork.yaml",
    "FILENAME_FOR_DELETION": "tasks_to_delete.txt",
    "FAILURE_LIMIT": 3,
    "DEFAULT_KEEP_GOING_INTERVAL": "5 hours",
}


@dataclass
class Leftovers:
    """What a warehouse directory cannot say: file, line and key of the old project, each once."""

    faults: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Notes one."""
        if fault not in self.faults:
            self.faults.append(fault)


@dataclass(frozen=True)
class OldFile:
    """A YAML file with its keys; one that is missing has none."""

    document: Document
    keys: dict[str, Any]

    def fault(self, message: str, *steps: int | str) -> Fault:
        """What is said at some steps, with its line. The message begins with the steps."""
        place = ".".join(str(step + 1 if isinstance(step, int) else step) for step in steps)
        return self.document.fault(f"{place}: {message}" if place else message, *steps)


def read_old(path: Path) -> OldFile:
    """Raises FaultyFile when it is there and cannot be read, or is not a mapping."""
    if not path.is_file():
        return OldFile(Document(path, ""), {})
    document = read_document(path)
    keys = document.parse()
    if not isinstance(keys, dict | None):
        raise FaultyFile([document.fault("is not a mapping of keys to values")])
    return OldFile(document, keys or {})


def as_mapping(value: Any) -> dict[str, Any]:
    """A mapping; empty for what is none, of which dapu 0.8 took nothing either."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """A list; of one value that is none, and of nothing."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True)
class OldProject:
    """The folder, its conf/conf.yaml and conf/agents.yaml."""

    folder: Path
    conf: OldFile
    agents: OldFile

    def setting(self, name: str) -> Any:
        """A value of conf/conf.yaml, or what dapu 0.8 takes otherwise."""
        return self.conf.keys.get(name, _DEFAULTS[name])

    @property
    def routes(self) -> list[Path]:
        """The folders of the routes."""
        root = self.folder / "routes"
        return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []

    def tasks(self, route: Path) -> Iterator[Path]:
        """The folders of a route's tasks."""
        name = str(self.setting("FILENAME_DEFINITION_FILE"))
        yield from sorted(path.parent for path in route.glob(f"*/*/{name}"))


def open_old(folder: Path) -> OldProject:
    """Raises ConfigurationError when the folder has no project of dapu 0.8."""
    conf = folder / "conf"
    if not (folder / "routes").is_dir() or not conf.is_dir():
        raise ConfigurationError(
            f"{folder} is not a project of dapu 0.8, which has the folders conf and routes"
        )
    return OldProject(folder, read_old(conf / "conf.yaml"), read_old(conf / "agents.yaml"))
