"""haulwork.yaml as task.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from dapu.convert.actions import convert_action
from dapu.convert.intervals import duration_of
from dapu.convert.old_action import Around, OldAction
from dapu.convert.old_project import Leftovers, OldFile, as_list, as_mapping
from dapu.convert.sql_text import Pasted
from dapu.convert.steps import convert_table_steps
from dapu.errors import Fault
from dapu.statement import TableName

_KNOWN = {"status", "depends", "run", "actions", "upgrade", "upgrade_after", "upgrade_nondata"}
_OF_RUN = {"keep_pause", "morning", "workhours", "evening", "priority"}
_DAY_PARTS = ("morning", "workhours", "evening")
_TRUE = {"true", "yes", "jah", "y", "j", "t", "on"}


@dataclass
class NewTask:
    """A task.yaml and the files beside it. old: the file that it was.

    faults: what cannot be said, so that the task is a draft.
    """

    id: str
    old: OldFile
    keys: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @property
    def depends(self) -> list[str]:
        """The tasks that it depends on."""
        return list(self.keys.get("depends", []))


@dataclass(frozen=True)
class Surroundings:
    """What a conversion needs to know.

    driver: of the route's connection, as 0.8 calls it. services, folders: see `Around`.
    """

    driver: str
    services: Mapping[str, Mapping[str, Any]]
    folders: dict[str, PurePosixPath]
    zone: str
    modules: Mapping[str, str]
    left: Leftovers


def convert_task(folder: Path, old: OldFile, around: Surroundings) -> NewTask:
    """The folder's names say which task it is."""
    route, schema, table = folder.parts[-3:]
    new = NewTask(f"{route}.{schema}.{table}", old)
    for key in old.keys.keys() - _KNOWN:
        around.left.add(old.fault("has no match", key))
    status = str(old.keys.get("status", "active"))
    if status != "active":
        new.keys["status"] = status if status in ("draft", "old") else "draft"
    depends = _depends(old, around.left)
    if depends:
        new.keys["depends"] = depends
    run = _run(old, new, bool("depends" in old.keys), around.left)
    if run:
        new.keys["run"] = run
    _convert_steps(folder, TableName(schema, table), new, around)
    _convert_actions(TableName(schema, table), new, around)
    if status != "active":
        new.faults = []  # it may be unfinished
    return new


def _depends(old: OldFile, left: Leftovers) -> list[str]:
    found = []
    for position, name in enumerate(as_list(old.keys.get("depends"))):
        task = str(name).replace("'", "").lower()
        if task.count(".") == 2:
            found.append(task)
        else:
            left.add(old.fault(f"{name} is not route.schema.table", "depends", position))
    return list(dict.fromkeys(found))


def _run(old: OldFile, new: NewTask, depends: bool, left: Leftovers) -> dict[str, Any]:
    said = as_mapping(old.keys.get("run"))
    if old.keys.get("run") and not said:
        left.add(old.fault("is not a mapping; left out", "run"))
    found: dict[str, Any] = {}
    for key in said.keys() - _OF_RUN:
        left.add(old.fault("has no match", "run", key))
    parts = [part for part in _DAY_PARTS if _is_true(said.get(part, not depends))]
    if not parts and not depends:
        new.faults.append(old.fault("it runs at no time, and depends on no task", "run"))
    if parts and (depends or len(parts) < len(_DAY_PARTS)):
        found["when"] = parts
    found |= _pause(old, said, left)
    if isinstance(said.get("priority"), int):
        found["priority"] = min(max(said["priority"], 1), 100)
        if found["priority"] != said["priority"]:
            left.add(old.fault(f"is {found['priority']} now (from 1 to 100)", "run", "priority"))
    return found


def _pause(old: OldFile, said: Mapping[str, Any], left: Leftovers) -> dict[str, Any]:
    if "keep_pause" not in said:
        return {}
    pause = duration_of(str(said["keep_pause"]))
    if pause is None:
        left.add(old.fault("is no interval; 23 hours, as 0.8 took it", "run", "keep_pause"))
        return {}
    return {"pause": pause}


def _is_true(value: Any) -> bool:
    return value.lower().strip() in _TRUE if isinstance(value, str) else bool(value)


def _convert_steps(folder: Path, table: TableName, new: NewTask, around: Surroundings) -> None:
    old = new.old
    files, faults = convert_table_steps(folder, Pasted(table))
    new.files |= files
    new.faults += faults
    for key in ("upgrade", "upgrade_after"):
        if key in old.keys:
            around.left.add(old.fault("has no match; `dapu baseline` records steps", key))
    numbers = {_number(name) for name in files}
    safe = [one for one in as_list(old.keys.get("upgrade_nondata")) if one in numbers]
    if safe:
        new.keys["upgrade"] = {"keeps_data": safe}


def _number(file: str) -> int:
    return int(file.removeprefix("ver/").partition("_")[0])


def _convert_actions(table: TableName, new: NewTask, around: Surroundings) -> None:
    actions: list[dict[str, Any]] = []
    steps = len(new.files)
    every = as_list(new.old.keys.get("actions"))
    mappings = list(map(as_mapping, every))
    near = Around(new.id.partition(".")[0], around.services, around.folders, mappings)
    for position, keys in enumerate(every):
        if not isinstance(keys, dict):
            new.faults.append(new.old.fault("is not a mapping", "actions", position))
            continue
        number = 1 + max(map(_number, filter(_is_step, new.files)), default=0)
        action = OldAction(
            new.old, position, keys, table, around.driver, around.zone, number, near, new.files
        )
        actions += convert_action(action, around.modules)
        new.faults += action.faults
        for note in action.notes:
            around.left.add(note)
    if not actions:
        new.faults.append(new.old.fault("no action could be converted", "actions"))
    new.keys["actions"] = actions
    added = [_number(name) for name in list(filter(_is_step, new.files))[steps:]]
    if added:
        keeps = new.keys.setdefault("upgrade", {}).setdefault("keeps_data", [])
        keeps += added


def _is_step(file: str) -> bool:
    return file.startswith("ver/")
