"""The folders below routes/: which routes and tasks exist, and what they hold."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dapu.definitions.models import Route
from dapu.errors import Fault, FaultyFile
from dapu.statement import LONGEST_NAME
from dapu.warehouse.yamlfile import read_model, read_text

TASK_FILE = "task.yaml"
ROUTE_FILE = "route.yaml"
TO_DELETE = "tasks_to_delete.txt"
TESTS = "tests/"  # in a task's folder


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
    """What stands below routes/.

    root: the folder routes/ itself.
    tasks: all that have a task.yaml, whatever stands in it, those of faulty routes too.
    faulty_routes, faulty_tasks: what is wrong with them, by name and by id.
    faults: what is wrong with folders that can be neither.
    to_delete: the ids in tasks_to_delete.txt; they are not among `tasks`.
    """

    root: Path
    routes: dict[str, Route] = field(default_factory=dict)
    tasks: dict[str, TaskFolder] = field(default_factory=dict)
    faulty_routes: dict[str, list[Fault]] = field(default_factory=dict)
    faulty_tasks: dict[str, list[Fault]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    to_delete: set[str] = field(default_factory=set)


def scan(warehouse_folder: Path) -> Scan:
    """Looks through routes/. Raises nothing: what is faulty is reported in the outcome."""
    root = warehouse_folder / "routes"
    found = Scan(root)
    if not root.is_dir():
        found.faults.append(Fault(root, 1, "there is no folder `routes`"))
        return found
    _leave_out_misplaced(root, "route", found)
    for route in _folders(root):
        _scan_route(route, found)
    _take_away(warehouse_folder / TO_DELETE, found)
    return found


def _scan_route(path: Path, found: Scan) -> None:
    if not _has_good_name(path, "route", found):
        return
    try:
        if not (path / ROUTE_FILE).is_file():
            message = "is missing: a route needs one (it may be empty)"
            raise FaultyFile([Fault(path / ROUTE_FILE, 1, message)])
        found.routes[path.name] = read_model(Route, path / ROUTE_FILE)
    except FaultyFile as error:
        found.faulty_routes[path.name] = error.faults
    _leave_out_misplaced(path, "schema", found)
    for schema in _folders(path):
        if _has_good_name(schema, "schema", found):
            _leave_out_misplaced(schema, "table", found)
            for table in _folders(schema):
                _scan_task(path.name, schema.name, table, found)


def _scan_task(route: str, schema: str, path: Path, found: Scan) -> None:
    if not _has_good_name(path, "table", found):
        return
    task = TaskFolder(path, route, schema, path.name)
    if task.file.is_file():
        found.tasks[task.id] = task
    elif any(_files(str(path), "")):  # version control leaves empty folders behind
        found.faulty_tasks[task.id] = [Fault(task.file, 1, "is missing")]


def _take_away(path: Path, found: Scan) -> None:
    """Reads tasks_to_delete.txt, one task id a line; a `#` begins a comment."""
    if not path.is_file():
        return
    try:
        lines = read_text(path).splitlines()
    except FaultyFile as error:
        found.faults += error.faults
        return
    for number, line in enumerate(lines, start=1):
        task = line.partition("#")[0].strip()
        if task and task.count(".") != 2:
            message = f"{task!r} is not a task id; write route.schema.table"
            found.faults.append(Fault(path, number, message))
        elif task:
            found.to_delete.add(task)
            found.tasks.pop(task, None)
            found.faulty_tasks.pop(task, None)


def _folders(path: Path) -> Iterator[Path]:
    with os.scandir(path) as entries:
        names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith((".", "__")))
    for name in names:
        yield path / name


def _leave_out_misplaced(folder: Path, level: str, found: Scan) -> None:
    """A definition at the wrong place would be passed over in silence."""
    if (folder / TASK_FILE).exists():
        message = f"a task's folder is routes/<route>/<schema>/<table>, and a {level} is missing"
        found.faults.append(Fault(folder / TASK_FILE, 1, message))


def name_fault(name: str, what: str) -> str | None:
    """Why a name can be none of a route, schema or table; None when it can.

    what: of these it is to be.
    """
    size = len(name.encode())
    if not name.isidentifier() or name != name.lower():
        return (
            f"the {what} name {name!r} must be lower-case letters, digits and underscores, "
            "and start with a letter"
        )
    if size > LONGEST_NAME:
        return f"the {what} name {name!r} has {size} bytes; PostgreSQL takes {LONGEST_NAME}"
    if what == "schema" and name.startswith("pg_"):
        return f"the schema name {name!r} belongs to PostgreSQL; no own schema may begin `pg_`"
    return None


def _has_good_name(path: Path, what: str, found: Scan) -> bool:
    """Whether a folder's name can be the name of a route, schema or table; a fault if not."""
    message = name_fault(path.name, what)
    if message is not None:
        found.faults.append(Fault(path, 1, f"{message}; rename the folder"))
    return message is None


def is_file(path: Path) -> bool:
    """Whether a file is there; False for a name that no file system takes."""
    try:
        return path.is_file()
    except OSError:
        return False


def fingerprint(path: Path) -> str:
    """SHA-256 (hex) of all files in a task's folder, but for its tests.

    Raises FileNotFoundError when the folder was deleted.
    """
    digest = hashlib.sha256()
    for name, file in sorted(_files(str(path), "")):
        digest.update(f"{name}\0".encode())
        with open(file, "rb", buffering=0) as content:  # noqa: PTH123 - thrice as fast as a Path
            digest.update(hashlib.sha256(content.read()).digest())
    return digest.hexdigest()


def _files(folder: str, prefix: str) -> Iterator[tuple[str, str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.endswith("~"):
                continue
            if prefix == TESTS and entry.name.endswith(".yaml"):
                continue
            if entry.is_dir():
                yield from _files(entry.path, f"{prefix}{entry.name}/")
            else:
                yield prefix + entry.name, entry.path
