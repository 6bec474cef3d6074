"""The folders below routes/: which routes and tasks are there, and what they hold."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dapu.definitions.models import Route
from dapu.errors import Fault, FaultyFile
from dapu.yamlfile import read_model

TASK_FILE = "task.yaml"
ROUTE_FILE = "route.yaml"
LONGEST_NAME = 63  # bytes, PostgreSQL's NAMEDATALEN - 1


@dataclass(frozen=True)
class TaskFolder:
    """A folder with a task.yaml. The id is route.schema.table, after the folders' names."""

    path: Path
    route: str
    schema: str
    table: str

    @property
    def id(self) -> str:
        """The task's id."""
        return f"{self.route}.{self.schema}.{self.table}"

    @property
    def file(self) -> Path:
        """Its task.yaml."""
        return self.path / TASK_FILE


@dataclass
class Scan:
    """What stands below routes/."""

    routes: dict[str, Route] = field(default_factory=dict)
    tasks: dict[str, TaskFolder] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def scan(warehouse_folder: Path) -> Scan:
    """Looks through routes/. Faulty folders are left out and told in `faults`."""
    found = Scan()
    root = warehouse_folder / "routes"
    if not root.is_dir():
        found.faults.append(Fault(root, 1, "there is no folder `routes`"))
        return found
    for route in _folders(root):
        _scan_route(route, found)
    _leave_out_doubles(found)
    return found


def _scan_route(path: Path, found: Scan) -> None:
    try:
        _check_name(path, "route")
        if not (path / ROUTE_FILE).is_file():
            message = "is missing: a route needs one (it may be empty)"
            raise FaultyFile([Fault(path / ROUTE_FILE, 1, message)])
        found.routes[path.name] = read_model(Route, path / ROUTE_FILE)
    except FaultyFile as error:
        found.faults += error.faults
        return
    for schema in _folders(path):
        for table in _folders(schema):
            _scan_task(path.name, schema, table, found)


def _scan_task(route: str, schema: Path, table: Path, found: Scan) -> None:
    try:
        _check_name(schema, "schema")
        _check_name(table, "table")
        if not (table / TASK_FILE).is_file():
            raise FaultyFile([Fault(table / TASK_FILE, 1, "is missing")])
    except FaultyFile as error:
        found.faults += error.faults
        return
    task = TaskFolder(table, route, schema.name, table.name)
    found.tasks[task.id] = task


def _folders(path: Path) -> Iterator[Path]:
    with os.scandir(path) as entries:
        names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith((".", "__")))
    for name in names:
        yield path / name


def _check_name(path: Path, what: str) -> None:
    name = path.name
    if not name.isidentifier() or name != name.lower():
        message = (
            f"the {what} name {name!r} must be lower-case letters, digits and underscores, "
            "and start with a letter; rename the folder"
        )
        raise FaultyFile([Fault(path, 1, message)])
    size = len(name.encode())
    if size > LONGEST_NAME:
        message = f"the {what} name {name!r} has {size} bytes; PostgreSQL takes {LONGEST_NAME}"
        raise FaultyFile([Fault(path, 1, message)])


def _leave_out_doubles(found: Scan) -> None:
    """Two tasks may not fill one table."""
    owners: dict[tuple[str, str], TaskFolder] = {}
    for task in list(found.tasks.values()):
        owner = owners.setdefault((task.schema, task.table), task)
        if owner is not task:
            message = f"duplicate: {task.schema}.{task.table} is the table of {owner.id} already"
            found.faults.append(Fault(task.file, 1, message))
            del found.tasks[task.id]


def fingerprint(path: Path) -> str:
    """SHA-256 (hex) of all files in a task's folder.

    Raises FileNotFoundError when the folder is gone.
    """
    digest = hashlib.sha256()
    for name, file in sorted(_files(str(path), "")):
        digest.update(f"{name}\0".encode())
        with open(file, "rb") as content:  # noqa: PTH123 - three times as fast as a Path
            digest.update(hashlib.sha256(content.read()).digest())
    return digest.hexdigest()


def _files(folder: str, prefix: str) -> Iterator[tuple[str, str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.endswith("~"):
                continue
            if entry.is_dir():
                yield from _files(entry.path, f"{prefix}{entry.name}/")
            else:
                yield prefix + entry.name, entry.path
