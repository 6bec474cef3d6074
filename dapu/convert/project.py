"""A whole project of dapu 0.8 becomes a warehouse directory that registers."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from dapu.convert.actions import modules_of
from dapu.convert.connections import NewConnections, convert_connections
from dapu.convert.intervals import duration_of
from dapu.convert.old_project import Leftovers, OldFile, OldProject, open_old, read_old
from dapu.convert.routes import convert_route
from dapu.convert.services import UnknownLogin, convert_services
from dapu.convert.steps import convert_project_steps
from dapu.convert.tasks import NewTask, Surroundings, convert_task
from dapu.definitions.catalogue import check_dependencies, read_catalogue
from dapu.definitions.folders import ROUTE_FILE, TASK_FILE, TO_DELETE, name_fault, scan
from dapu.definitions.reader import DefinitionReader
from dapu.errors import ConfigurationError, DatabaseUnreachable, Fault, FaultyFile
from dapu.registry import dapu_0_8
from dapu.registry.dapu_0_8 import OldRoute
from dapu.registry.store import Registry
from dapu.warehouse.connections import FILE as CONNECTIONS_FILE
from dapu.warehouse.connections import read_connections
from dapu.warehouse.environment import read_environment
from dapu.warehouse.settings import FILE as SETTINGS_FILE
from dapu.warehouse.settings import Settings, read_settings
from dapu.warehouse.warehouse import open_warehouse
from dapu.warehouse.yamlfile import as_yaml, read_text

_NAME = re.compile(r"\$\{(\w+)\}")
_URLS = re.compile(r"^\s*url: ['\"]?\$\{(\w+)\}", re.MULTILINE)
ReaderOf = Callable[[Settings], DefinitionReader]


@dataclass
class Conversion:
    """What was written. drafts: the tasks that a person must finish.

    left: what could not be said, by file, line and key of the old project. missing: names that the
    environment must give and does not.
    """

    folder: Path
    tasks: list[str] = field(default_factory=list)
    drafts: list[str] = field(default_factory=list)
    left: list[Fault] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Server:
    """What only the database knows: the zone, and what operators changed of routes."""

    timezone: str
    routes: Mapping[str, OldRoute]


def convert(folder: Path, new: Path, timezone: str | None, reader_of: ReaderOf) -> Conversion:
    """Writes the warehouse directory `new` from the project in `folder`, which is not changed.

    timezone: instead of asking the old project's database.
    Raises ConfigurationError or DatabaseUnreachable when it cannot be done; nothing is left then.
    It gets its name when it is complete.
    """
    old = open_old(folder)
    if new.exists() and (not new.is_dir() or any(new.iterdir())):
        raise ConfigurationError(f"{new} already exists and is not empty")
    new = new.resolve()
    unfinished = new.with_name(f"{new.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        done = _Converter(old, unfinished, Leftovers(), reader_of).run(timezone)
        new.mkdir(exist_ok=True)  # somebody may stand in it, so that it is not replaced
        for path in unfinished.iterdir():
            path.rename(new / path.name)
        unfinished.rmdir()
    except BaseException:
        shutil.rmtree(unfinished)
        raise
    return replace(done, folder=new)


@dataclass
class _Converter:
    old: OldProject
    new: Path
    left: Leftovers
    reader_of: ReaderOf

    def run(self, timezone: str | None) -> Conversion:
        connections = convert_connections(self.old, self.left)
        self._write_connections(connections)
        self._write(SETTINGS_FILE, "")
        server = Server(timezone, {}) if timezone else self._ask()
        self._write_settings(server.timezone)
        self._write_project_steps(connections)
        tasks = self._write_routes(connections, server)
        missing = self._missing()
        self._check(tasks, missing)
        drafts = [name for name, task in tasks.items() if task.faults]
        return Conversion(self.new, list(tasks), drafts, self.left.faults, missing)

    def _write(self, name: str, text: str) -> None:
        path = self.new / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def _write_connections(self, connections: NewConnections) -> None:
        self._write(CONNECTIONS_FILE, as_yaml(connections.entries))
        if connections.secrets:
            (self.new / ".env").touch(mode=0o600)
            self._write(".env", connections.dotenv)
            self._write(".gitignore", ".env\n")

    def _ask(self) -> Server:
        place = Registry(self._setting("DAPU_SCHEMA"), self._setting("DAPU_PREFIX"))
        try:
            with open_warehouse(self.new).session("convert") as session, session.cursor() as cursor:
                is_there = dapu_0_8.is_there(cursor, place)
                routes = dapu_0_8.routes(cursor, place) if is_there else []
                zone = dapu_0_8.timezone(cursor, place)
        except (DatabaseUnreachable, FaultyFile) as error:
            raise ConfigurationError(
                f"{error}\nThe old database is asked for its time zone; give it with --timezone to "
                "convert without it"
            ) from error
        return Server(zone, {route.name: route for route in routes})

    def _setting(self, name: str) -> str:
        return str(self.old.setting(name))

    def _write_settings(self, timezone: str) -> None:
        schema = "dapu" if self._setting("DAPU_SCHEMA") != "dapu" else "dapu_registry"
        tries = self.old.setting("FAILURE_LIMIT")
        run: dict[str, Any] = {"priority": 3}
        if isinstance(tries, int):
            run["retries"] = min(max(tries - 1, 0), 20)
        timeout = duration_of(self._setting("DEFAULT_KEEP_GOING_INTERVAL"))
        if timeout is not None:
            run["timeout"] = timeout
        keys = {"timezone": timezone, "registry": {"schema": schema}, "defaults": {"run": run}}
        self._write(SETTINGS_FILE, as_yaml(keys))
        for key in self.old.conf.keys.keys() - _SETTINGS:
            self.left.add(self.old.conf.fault("has no match", key))
        to_delete = self.old.folder / "routes" / self._setting("FILENAME_FOR_DELETION")
        if to_delete.is_file():
            self._write(TO_DELETE, self._ids(to_delete))

    def _ids(self, file: Path) -> str:
        """The lines that are ids of tasks."""
        lines = [line.strip() for line in read_text(file).splitlines()]
        for number, line in enumerate(lines, start=1):
            if line and line.count(".") != 2:
                self.left.add(Fault(file, number, f"{line} is not route.schema.table; left out"))
        return "".join(f"{line}\n" for line in lines if line.count(".") == 2)

    def _write_project_steps(self, connections: NewConnections) -> None:
        owner = str(connections.entries[0].get("username") or "")
        owner = "current_user" if not owner or _NAME.search(owner) else owner
        for name, text in convert_project_steps(self.old, owner, self.left).items():
            self._write(name, text)

    def _write_routes(self, connections: NewConnections, server: Server) -> dict[str, NewTask]:
        tasks: dict[str, NewTask] = {}
        drivers = self._drivers()
        folders = {
            one["name"]: PurePosixPath(one["path"])
            for one in connections.entries
            if one.get("driver") == "files"
        }
        known = set(folders)
        for folder in self.old.routes:
            file = self._route_file(folder)
            if file is None:
                continue
            services = self._services(folder.name, file, connections)
            route = convert_route(folder.name, file, connections, server.routes, self.left)
            missing = f"# connection: {route.old_connection}\n" if route.is_draft else ""
            self._write(f"routes/{folder.name}/{ROUTE_FILE}", missing + as_yaml(route.keys))
            around = Surroundings(
                drivers.get(route.old_connection, ""),
                services,
                folders,
                server.timezone,
                modules_of(self.old.agents.keys),
                self.left,
            )
            for path in self.old.tasks(folder):
                self._convert_task(path, around, tasks)
        connections.entries += [
            {"name": name, "driver": "files", "path": str(path)}
            for name, path in folders.items()
            if name not in known
        ]
        self._write_connections(connections)
        self._drop_dependencies(tasks)
        for task in tasks.values():
            self._write_task(task)
        return tasks

    def _services(
        self, route: str, file: OldFile, connections: NewConnections
    ) -> Mapping[str, Mapping[str, Any]]:
        try:
            return convert_services(route, file, connections)
        except UnknownLogin as error:
            self.left.add(file.fault(str(error)))
            return {}

    def _route_file(self, folder: Path) -> OldFile | None:
        """A route's file; None when it cannot be one, which is noted."""
        message = name_fault(folder.name, "route")
        if message is not None:
            self.left.add(Fault(folder, 1, message))
            return None
        try:
            return read_old(folder / ROUTE_FILE)
        except FaultyFile as error:
            self._note_all(error.faults)
            return None

    def _note_all(self, faults: list[Fault]) -> None:
        for fault in faults:
            self.left.add(fault)

    def _drivers(self) -> dict[str, str]:
        """The driver of each old connection."""
        conf = self.old.folder / "conf"
        keys = read_old(conf / "sql.yaml").keys or read_old(conf / "profiles.yaml").keys
        return {name: str(one.get("driver")) for name, one in keys.items() if isinstance(one, dict)}

    def _convert_task(self, path: Path, around: Surroundings, tasks: dict[str, NewTask]) -> None:
        for name, what in ((path.parent.name, "schema"), (path.name, "table")):
            if (message := name_fault(name, what)) is not None:
                self.left.add(Fault(path, 1, message))
                return
        try:
            old = read_old(path / self._setting("FILENAME_DEFINITION_FILE"))
            task = convert_task(path, old, around)
        except FaultyFile as error:
            self._note_all(error.faults)
            return
        if task.faults:
            self._make_draft(task, task.faults)
        tasks[task.id] = task

    def _make_draft(self, task: NewTask, faults: list[Fault]) -> None:
        self._note_all(faults)
        task.faults = faults
        if task.keys.get("status") is None:
            task.keys = {"status": "draft", **task.keys}

    def _drop_dependencies(self, tasks: Mapping[str, NewTask]) -> None:
        """Those on tables that are not loaded: for dapu 0.8 it was enough that they existed."""
        for task in tasks.values():
            for position, master in enumerate(task.depends):
                other = tasks.get(master)
                loaded = other is not None and (not other.keys.get("status") or other.faults)
                if not loaded:
                    self.left.add(
                        task.old.fault(f"{master} is not loaded; left out", "depends", position)
                    )
                    task.keys["depends"].remove(master)
            if not task.keys.get("depends", True):
                del task.keys["depends"]

    def _write_task(self, task: NewTask) -> None:
        folder = f"routes/{task.id.replace('.', '/')}"
        head = ""
        if task.faults:
            lines = [
                f"#   {fault.file.name}:{fault.line}: {fault.message}\n" for fault in task.faults
            ]
            head = f"# What dapu 0.8 said here and could not be converted:\n{''.join(lines)}"
        self._write(f"{folder}/{TASK_FILE}", head + as_yaml(task.keys))
        for name, text in task.files.items():
            self._write(f"{folder}/{name}", text)

    def _missing(self) -> list[str]:
        names = _NAME.findall(read_text(self.new / CONNECTIONS_FILE))
        return sorted(set(names) - read_environment(self.new).keys())

    def _check(self, tasks: Mapping[str, NewTask], missing: list[str]) -> None:
        """What would not register is a draft, with what is wrong with it."""
        addresses = _URLS.findall(read_text(self.new / CONNECTIONS_FILE))
        stand_ins = {name: "https://1" if name in addresses else "1" for name in missing}
        environment = {**stand_ins, **read_environment(self.new)}
        settings = read_settings(self.new, environment)
        names = read_connections(self.new, environment)
        catalogue = read_catalogue(scan(self.new), self.reader_of(settings), names, {})
        check_dependencies(catalogue, masters={})
        for name, faults in catalogue.faulty.items():
            task = tasks[name]
            self._make_draft(task, [*task.faults, *(_of_old(task, fault) for fault in faults)])
            self._write_task(task)


def _of_old(task: NewTask, fault: Fault) -> Fault:
    """What is wrong with a new file, at the old one that it was made of."""
    beside: OldFile = task.old
    path = beside.document.path.parent / fault.file.name
    if path.is_file():
        return Fault(path, fault.line, fault.message)
    return beside.fault(f"{fault.file.name}:{fault.line}: {fault.message}")


_SETTINGS = {
    "DAPU_SCHEMA", "DAPU_PREFIX", "FILENAME_DEFINITION_FILE", "FILENAME_FOR_DELETION",
    "FAILURE_LIMIT", "DEFAULT_KEEP_GOING_INTERVAL",
}  # fmt: skip
