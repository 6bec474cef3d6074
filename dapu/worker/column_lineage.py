"""Of which columns a task's columns are made, for events of OpenLineage."""

from __future__ import annotations

from functools import cached_property

from dapu.agents.installed import known_agents
from dapu.definitions.folders import ROUTE_FILE, TaskFolder
from dapu.definitions.models import Route
from dapu.definitions.reader import DefinitionReader
from dapu.errors import ConfigurationError
from dapu.lineage.warehouse_facts import dialects_of
from dapu.warehouse.warehouse import Warehouse
from dapu.warehouse.yamlfile import read_model

Origins = dict[str, list[tuple[str, str]]]
"""For each column the columns of tables of the warehouse that it is made of."""


class ColumnLineage:
    """Reads the files of one task after the other, each once."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._known: dict[str, Origins] = {}

    def of(self, task: str) -> Origins:
        """What the task's SQL says for certain; nothing without the extra `lineage`."""
        if task not in self._known:
            try:
                self._known[task] = self._read(task)
            except (ImportError, ConfigurationError):  # its files are faulty by now
                self._known[task] = {}
        return self._known[task]

    @cached_property
    def _reader(self) -> DefinitionReader:
        settings = self._warehouse.settings
        return known_agents(settings).reader(settings)

    def _read(self, task: str) -> Origins:
        from dapu.lineage.task_facts import facts_of

        parts = task.split(".")
        folder = TaskFolder(self._warehouse.folder.joinpath("routes", *parts), *parts)
        route = read_model(Route, folder.path.parents[1] / ROUTE_FILE)
        definition = self._reader.read(folder, route)
        if definition is None:
            return {}
        facts = facts_of(definition, route, dialects_of(self._warehouse.connections))
        found: Origins = {}
        for output in facts.outputs:
            certain = [some[0] for some in output.origins if len(some) == 1]
            inner = [one for one in certain if one[0] and ":" not in one[0] and one[1] != "*"]
            if output.name not in ("", "*") and inner:
                found[output.name] = list(dict.fromkeys(inner))
        return found
