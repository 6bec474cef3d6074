"""The warehouse directory of a dev warehouse: what changed, rewritten for schemas with a suffix."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dapu.definitions.folders import ROUTE_FILE, TASK_FILE
from dapu.definitions.models import ActionOptions, Route
from dapu.definitions.reader import Definition
from dapu.warehouse.connection_kinds import Connection, EmbeddedConnection, FilesConnection
from dapu.warehouse.connections import MAIN, Connections
from dapu.warehouse.warehouse import Warehouse
from dapu.warehouse.yamlfile import read_document, read_model

_OWN = {"routes", "ver", "warehouse.yaml", "tasks_to_delete.txt", "grants.yaml"}
_INTO_TABLES = {"sql", "airbyte", "singer", "execute"}  # and all that load
_PASSED_OVER = r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'"


@dataclass(frozen=True)
class DevNames:
    """Which names of tables are others in a dev warehouse.

    tables: of each schema that has a suffix there.
    """

    name: str
    tables: Mapping[str, Collection[str]]

    def schema(self, schema: str) -> str:
        """`staging__anna`."""
        return f"{schema}__{self.name}"

    def task(self, task: str) -> str:
        """`erp.staging__anna.sale`."""
        route, schema, table = task.split(".")
        return f"{route}.{self.schema(schema)}.{table}"

    def rewritten(self, text: str) -> str:
        """SQL of the warehouse, with its tables' names; what stands in quotes or comments stays."""
        if not self.tables:
            return text
        schemas = "|".join(re.escape(schema) for schema in self.tables)
        pattern = re.compile(
            rf'{_PASSED_OVER}|(?<![\w."])("?)({schemas})\1\s*\.\s*(?:"([^"]+)"|(\w+))',
            re.DOTALL | re.IGNORECASE,
        )
        return pattern.sub(self._renamed, text)

    def _renamed(self, match: re.Match[str]) -> str:
        quote, schema, quoted, plain = match.groups()
        if schema is None:
            return match[0]
        schema = schema if quote else schema.lower()
        table = quoted if quoted is not None else plain.lower()
        if table not in self.tables.get(schema, ()):  # a column of an alias of that name
            return match[0]
        after = f'"{quoted}"' if quoted is not None else plain
        return f'"{self.schema(schema)}".{after}'


def dev_folder(warehouse: Warehouse, name: str) -> Path:
    """Where the directory of a dev warehouse is."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    own = hashlib.sha256(str(warehouse.folder).encode()).hexdigest()[:16]
    return Path(base, "dapu", "dev", f"{warehouse.folder.name}-{own}", name)


def write_dev_folder(
    warehouse: Warehouse, names: DevNames, definitions: Iterable[Definition]
) -> Warehouse:
    """Writes the directory, and returns it as a warehouse with a registry of its own.

    definitions: the tasks to build.
    """
    folder = dev_folder(warehouse, names.name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for entry in warehouse.folder.iterdir():
        if entry.name not in _OWN:
            (folder / entry.name).symlink_to(entry)
    (folder / "warehouse.yaml").write_text("")
    built = {one.folder.id: one for one in definitions}
    for route in {one.folder.route for one in built.values()}:
        _write_route(warehouse.folder / "routes" / route, folder / "routes" / route)
    for one in built.values():
        _write_task(folder, names, one, built)
    settings = warehouse.settings
    registry = settings.registry.model_copy(
        update={"schema_name": names.schema(settings.registry.schema_name)}
    )
    quiet: dict[str, Any] = {
        "name": warehouse.name,
        "notify": [],
        "openlineage": None,
        "metrics_file": None,
    }
    return Warehouse(
        folder,
        settings.model_copy(update={"registry": registry, **quiet}),
        _connections(warehouse),
    )


def _connections(warehouse: Warehouse) -> Connections:
    """The same, with paths as they are from the first directory."""
    found = Connections()
    for name, connection in warehouse.connections.items():
        found[name] = _absolute(connection, warehouse.folder)
    return found


def _absolute(connection: Connection, folder: Path) -> Connection:
    if isinstance(connection, FilesConnection | EmbeddedConnection):
        path = str(connection.path)
        if "://" not in path:
            return connection.model_copy(update={"path": type(connection.path)(folder / path)})
    return connection


def _write_route(old: Path, new: Path) -> None:
    new.mkdir(parents=True)
    keys = read_document(old / ROUTE_FILE).parse() or {}
    defaults = {k: v for k, v in (keys.get("defaults") or {}).items() if k != "depends"}
    _write_yaml(new / ROUTE_FILE, {**keys, "defaults": defaults, "disabled": []})


def _write_task(
    root: Path, names: DevNames, one: Definition, built: Mapping[str, Definition]
) -> None:
    folder = one.folder
    new = root / "routes" / folder.route / names.schema(folder.schema) / folder.table
    in_warehouse = set(one.task.sql_files()) - set(_of_sources(one))
    for file in sorted(folder.path.rglob("*")):
        if file.is_dir() or file.name.startswith("."):
            continue
        place = new / file.relative_to(folder.path)
        place.parent.mkdir(parents=True, exist_ok=True)
        name = str(file.relative_to(folder.path))
        if name in in_warehouse or name.startswith("ver/"):
            place.write_text(names.rewritten(file.read_text("utf-8")), encoding="utf-8")
        else:
            shutil.copyfile(file, place)
    keys = read_document(folder.file).parse() or {}
    kept = [place for place, action in enumerate(one.task.actions) if _is_kept(action)]
    keys["depends"] = [names.task(master) for master in one.task.depends if master in built]
    keys["actions"] = [keys["actions"][place] for place in kept]
    keys["checks"] = _checks(keys.get("checks") or [], names)
    _write_yaml(new / TASK_FILE, keys)


def _is_kept(action: ActionOptions) -> bool:
    """Whether what it writes is in the task's schema; files and other schemas are not a dev's."""
    return action.is_undone or action.do in _INTO_TABLES


def can_be_built(definition: Definition) -> bool:
    """Whether anything of a task is built in a dev warehouse."""
    return any(map(_is_kept, definition.task.actions))


def _of_sources(one: Definition) -> Iterable[str]:
    """The SQL that runs elsewhere than in the warehouse."""
    route = read_model(Route, one.folder.path.parents[1] / ROUTE_FILE)
    for action in one.task.actions:
        connection = action.connections.get("connection") or route.connection
        if action.do == "database" and connection != MAIN:
            yield from action.sql_files()


def _checks(checks: list[dict[str, Any]], names: DevNames) -> list[dict[str, Any]]:
    """A relationship is one with the table that the dev warehouse has."""
    found = []
    for check in checks:
        other = check.get("relationships")
        changed = dict[str, Any]()
        if isinstance(other, dict):
            there = {column: _column(str(of), names) for column, of in other.items()}
            changed = {"relationships": there}
        found.append({**check, **changed})
    return found


def _column(column: str, names: DevNames) -> str:
    schema, _, rest = column.partition(".")
    return f"{names.schema(schema)}.{rest}" if schema in names.tables else column


def _write_yaml(path: Path, keys: Mapping[str, Any]) -> None:
    """JSON is YAML."""
    path.write_text(json.dumps(keys, indent=2, default=str, ensure_ascii=False), encoding="utf-8")
