"""Reads a task's folder into a checked definition; needs no database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dapu.definitions.folders import TaskFolder, fingerprint
from dapu.definitions.models import ActionOptions, Route, Task, task_model
from dapu.definitions.steps import read_steps
from dapu.definitions.templates import BUILT_IN, read_template
from dapu.errors import Fault, FaultyFile
from dapu.settings import Settings
from dapu.yamlfile import line_of, nearest, parse_yaml, read_text, validate


@dataclass(frozen=True)
class Definition:
    """A task as its files and its defaults say, with the hash of all that."""

    folder: TaskFolder
    task: Task
    variables: dict[str, Any]
    hash: str


@dataclass(frozen=True)
class DefinitionReader:
    """Reads the tasks of one warehouse."""

    settings: Settings
    actions: tuple[type[ActionOptions], ...]

    def hash(self, folder: TaskFolder, route: Route) -> str:
        """The hash that `read` would give, without reading the definition.

        The hash of the folder's files, a colon, and the hash of what the task inherits.
        """
        inherited = json.dumps(self._inherited(route), sort_keys=True, default=str)
        return f"{fingerprint(folder.path)}:{hashlib.sha256(inherited.encode()).hexdigest()}"

    def read(self, folder: TaskFolder, route: Route) -> Definition:
        """Raises FaultyFile with all faults that can be found without a database."""
        text = read_text(folder.file)
        own = parse_yaml(folder.file, text) or {}
        if not isinstance(own, dict):
            raise FaultyFile([Fault(folder.file, 1, "is not a mapping of keys to values")])
        merged = _merge(_merge(self.settings.defaults, route.defaults), own)
        task = validate(task_model(self.actions), merged, folder.file, text)
        variables = self.settings.variables | route.variables | task.variables
        faults = [
            *self._day_part_faults(folder, task, text),
            *_file_faults(folder, task, text, set(variables) | BUILT_IN),
            *_upgrade_faults(folder, task, text),
        ]
        if faults:
            raise FaultyFile(faults)
        return Definition(folder, task, variables, self.hash(folder, route))

    def restore(self, values: Mapping[str, Any]) -> Task:
        """A task as it was registered."""
        return task_model(self.actions).model_validate(values)

    def _inherited(self, route: Route) -> dict[str, Any]:
        return {
            "defaults": [self.settings.defaults, route.defaults],
            "variables": [self.settings.variables, route.variables],
            "connection": route.connection,
        }

    def _day_part_faults(self, folder: TaskFolder, task: Task, text: str) -> list[Fault]:
        known = self.settings.day_parts
        line = line_of(text, ("run", "when"))
        return [
            Fault(
                folder.file,
                line,
                f"run.when: unknown part of the day `{name}`{nearest(name, known)}",
            )
            for name in task.run.day_parts
            if name not in known
        ]


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` over `below`; mappings are merged key by key, all else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merge(old, value) if both and old is not None else value
    return merged


def _file_faults(folder: TaskFolder, task: Task, text: str, known: set[str]) -> list[Fault]:
    faults: list[Fault] = []
    for name in task.sql_files():
        path = folder.path / name
        if not path.is_file():
            position = text.find(name)
            line = 1 + text[: max(position, 0)].count("\n")
            beside = [file.name for file in folder.path.glob("*.sql")]
            faults.append(
                Fault(folder.file, line, f"there is no file {name}{nearest(name, beside)}")
            )
            continue
        try:
            faults += read_template(path).check(sorted(known))
        except FaultyFile as error:
            faults += error.faults
    return faults


def _upgrade_faults(folder: TaskFolder, task: Task, text: str) -> list[Fault]:
    try:
        numbers = {step.number for step in read_steps(folder.path / "ver")}
    except FaultyFile as error:
        return error.faults
    line = line_of(text, ("upgrade", "keeps_data"))
    return [
        Fault(folder.file, line, f"upgrade.keeps_data: there is no step {number} in ver/")
        for number in task.upgrade.keeps_data
        if number not in numbers
    ]
