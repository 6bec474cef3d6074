"""Reads a task's folder into a checked definition; needs no database."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from dapu.definitions.definition_hash import definition_hash
from dapu.definitions.folders import ROUTE_FILE, TaskFolder, is_file
from dapu.definitions.models import ActionOptions, Route, Task, task_model
from dapu.definitions.script import transaction_faults
from dapu.definitions.sql_placeholders import quoted_names
from dapu.definitions.steps import TABLE_STEP_NAMES, read_steps, step_faults
from dapu.definitions.templates import (
    BUILT_IN,
    BUILT_IN_TEXTS,
    parse_template,
    read_template,
)
from dapu.errors import Fault, FaultyFile
from dapu.statement import TableName
from dapu.suggest import nearest
from dapu.warehouse.settings import FILE as SETTINGS_FILE
from dapu.warehouse.settings import Settings
from dapu.warehouse.yamlfile import Document, fault_in, read_document, read_text, validate

_AUTO = re.compile(r"\bdepends['\"]?\s*:\s*['\"]?auto\b")


@dataclass(frozen=True)
class Definition:
    """A task as its files and its defaults say, with the hash of all that."""

    folder: TaskFolder
    task: Task
    variables: dict[str, Any]
    hash: str

    @property
    def step_names(self) -> dict[str, Any]:
        """What the templates of the table's steps may use."""
        table = TableName(self.folder.schema, self.folder.table)
        return {**self.variables, "task": self.folder.id, "this": table}


@dataclass(frozen=True)
class DefinitionReader:
    """Reads the tasks of one warehouse.

    options: gives the options of the agents of these names.
    """

    settings: Settings
    options: Callable[[Iterable[str]], tuple[type[ActionOptions], ...]]

    def hash(self, folder: TaskFolder, route: Route) -> str:
        """The hash that `read` would give, without reading the definition."""
        return definition_hash(self.settings, folder, route)

    def may_be_auto(self, folder: TaskFolder, route: Route) -> bool:
        """Whether a task has `depends: auto`, so that other tasks decide what it depends on."""
        inherited = (self.settings.defaults, route.defaults)
        return any(one.get("depends") == "auto" for one in inherited) or bool(
            _AUTO.search(read_text(folder.file))
        )

    def read(self, folder: TaskFolder, route: Route) -> Definition | None:
        """None when the task's status is not `active`: what is a draft may be unfinished.

        Raises FaultyFile with all faults that can be found without a database.
        """
        own = read_document(folder.file)
        keys = own.parse() or {}
        if not isinstance(keys, dict):
            raise FaultyFile([own.fault("is not a mapping of keys to values")])
        merged = _with_defaults(keys, [route.defaults, self.settings.defaults])
        if merged.get("status") in ("draft", "old"):
            return None
        task = validate(self._model(merged), merged, _origins(own, folder))
        variables = self.settings.variables | route.variables | task.variables
        known = set(variables) | task.template_names()
        faults = [
            *self._day_part_faults(folder, task, own),
            *_file_faults(folder, task, own, known | BUILT_IN),
            *_text_faults(task, own, known | BUILT_IN_TEXTS),
            *_upgrade_faults(folder, task, own, variables),
        ]
        if faults:
            raise FaultyFile(faults)
        return Definition(folder, task, variables, self.hash(folder, route))

    def restore(self, values: Mapping[str, Any]) -> Task:
        """A task as it was registered."""
        return self._model(values).model_validate(values)

    def _model(self, values: Mapping[str, Any]) -> type[Task]:
        """The model of a task with the agents that it names, which alone are imported."""
        actions = values.get("actions")
        actions = actions if isinstance(actions, list) else []
        named = [a.get("do") for a in actions if isinstance(a, Mapping)]
        return task_model(self.options(str(name) for name in named))

    def _day_part_faults(self, folder: TaskFolder, task: Task, own: Document) -> list[Fault]:
        known = self.settings.day_parts
        return [
            fault_in(
                _origins(own, folder),
                f"run.when: unknown part of the day `{name}`{nearest(name, known)}",
                "run",
                "when",
            )
            for name in task.run.day_parts
            if name not in known
        ]


def _origins(own: Document, folder: TaskFolder) -> Iterator[Document]:
    """Where a task's keys were written, the most special first. Opened only to report a fault."""
    yield own
    route = folder.path.parents[1]
    yield read_document(route / ROUTE_FILE).below("defaults")
    yield read_document(route.parents[1] / SETTINGS_FILE).below("defaults")


def _with_defaults(own: Mapping[str, Any], defaults: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A task's own keys over its route's defaults, and those over the warehouse's."""
    merged = {key: value for key, value in own.items() if value is not None}
    for below in defaults:
        clock = {"when", "cron"} & _keys(merged.get("run"))
        merged = _merge(below, merged)
        if clock:  # a time of its own stands for the one that the defaults give
            merged["run"] = {
                key: value
                for key, value in merged["run"].items()
                if key not in {"when", "cron"} - clock
            }
    return merged


def _keys(value: Any) -> set[Any]:
    return set(value) if isinstance(value, Mapping) else set()


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` over `below`; mappings are merged key by key, all else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merge(old, value) if both and old is not None else value
    return merged


def _file_faults(folder: TaskFolder, task: Task, own: Document, known: set[str]) -> list[Fault]:
    faults: list[Fault] = []
    scripts = task.scripts()
    for name in dict.fromkeys(task.sql_files()):
        path = folder.path / name
        if PurePath(name).is_absolute() or ".." in PurePath(name).parts or not is_file(path):
            beside = [file.name for file in folder.path.glob("*.sql")]
            message = f"there is no file {name} in this task's folder{nearest(name, beside)}"
            line = 1 + own.text[: max(own.text.find(name), 0)].count("\n")
            faults.append(Fault(own.path, line, message))
            continue
        try:
            template = read_template(path)
        except FaultyFile as error:
            faults += error.faults
            continue
        faults += template.check(known)
        faults += quoted_names(path, template.text, known - {"this"})
        if name in scripts:
            faults += transaction_faults(path, template.text)
    return faults


def _text_faults(task: Task, own: Document, known: set[str]) -> Iterator[Fault]:
    for text in (text for action in task.actions for text in action.texts()):
        try:
            faults = parse_template(own.path, text).check(known)
        except FaultyFile as error:
            faults = error.faults
        line = 1 + own.text[: max(own.text.find(text), 0)].count("\n")
        yield from (replace(fault, line=line) for fault in faults)


def _upgrade_faults(
    folder: TaskFolder, task: Task, own: Document, variables: Collection[str]
) -> list[Fault]:
    faults = step_faults(folder.path / "ver", {*variables, *TABLE_STEP_NAMES})
    if faults:
        return faults
    numbers = {step.number for step in read_steps(folder.path / "ver")}
    return [
        own.fault(f"upgrade.keeps_data: there is no step {number} in ver/", "upgrade", "keeps_data")
        for number in task.upgrade.keeps_data
        if number not in numbers
    ]
