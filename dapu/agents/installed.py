"""Which agents there are: dapu's own, those of installed packages, and those of the warehouse."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from dapu.agents.base import Agent
from dapu.definitions.models import ActionOptions
from dapu.definitions.reader import DefinitionReader
from dapu.errors import ConfigurationError
from dapu.warehouse.settings import Settings

ENTRY_POINTS = "dapu.agents"
_OWN = {
    "airbyte": "dapu.agents.airbyte:AirbyteAgent",
    "database": "dapu.agents.database:DatabaseAgent",
    "excel": "dapu.agents.excel:ExcelAgent",
    "execute": "dapu.agents.execute:ExecuteAgent",
    "export": "dapu.agents.export:ExportAgent",
    "file": "dapu.agents.file:FileAgent",
    "filecopy": "dapu.agents.filecopy:FileCopyAgent",
    "rest": "dapu.agents.rest:RestAgent",
    "singer": "dapu.agents.singer:SingerAgent",
    "sql": "dapu.agents.sql:SqlAgent",
    "transform": "dapu.agents.transform:TransformAgent",
    "views": "dapu.agents.views:ViewsAgent",
    "wfs": "dapu.agents.wfs:WfsAgent",
}
# What no definition has: the tasks of `dapu server`, which it registers itself.
_OF_SERVER = {"connector": "dapu.agents.connector:ConnectorAgent"}


class Agents(Mapping[str, type[Agent[Any]]]):
    """The agents by name.

    One of dapu's own is imported when it is first asked for: most bring large libraries, and a
    worker seldom needs them all.
    """

    def __init__(self, others: Mapping[str, type[Agent[Any]]]) -> None:
        self._loaded = dict(others)
        self._names = sorted({*_OWN, *others})

    def __getitem__(self, name: str) -> type[Agent[Any]]:
        if name not in self._loaded:
            self._loaded[name] = _import((_OWN | _OF_SERVER)[name])
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def options(self, names: Iterable[str]) -> tuple[type[ActionOptions], ...]:
        """The options of these agents; of all when there is none of a name, to list which are."""
        wanted = set(names)
        chosen = sorted(wanted) if wanted and wanted <= set(self) else self._names
        return tuple(self[name].options for name in chosen)

    def reader(self, settings: Settings) -> DefinitionReader:
        """A reader of definitions that knows these agents' options."""
        return DefinitionReader(settings, self.options)


def known_agents(settings: Settings) -> Agents:
    """All agents by name.

    Raises ConfigurationError when one named in warehouse.yaml cannot be loaded, or two have the
    same name.
    """
    others: dict[str, type[Agent[Any]]] = {}
    for agent in [*_installed(), *map(_load, settings.agents)]:
        if agent.name in _OWN | _OF_SERVER or others.get(agent.name, agent) is not agent:
            raise ConfigurationError(f"there are two agents `{agent.name}`; take one away")
        others[agent.name] = agent
    return Agents(others)


def definition_reader(settings: Settings) -> DefinitionReader:
    """A reader of definitions that knows all agents; other processes can be given this."""
    return known_agents(settings).reader(settings)


@cache  # to look through all packages takes longer than a small job
def _installed() -> tuple[type[Agent[Any]], ...]:
    return tuple(
        _check(entry.load(), f"{entry.value} (an installed package)")
        for entry in entry_points(group=ENTRY_POINTS)
    )


def _load(path: str) -> type[Agent[Any]]:
    try:
        return _check(_import(path), path)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"warehouse.yaml, agents: {path} cannot be loaded ({error}); "
            "write `package.module:Class` of an installed package"
        ) from error


def _import(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _check(found: Any, where: str) -> type[Agent[Any]]:
    if not (isinstance(found, type) and issubclass(found, Agent)):
        raise ConfigurationError(f"{where} is not a subclass of dapu.agents.base.Agent")
    return found
