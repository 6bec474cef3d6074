"""Which agents there are: dapu's own, those of installed packages, and those of the warehouse."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

from dapu.agents.base import Agent
from dapu.agents.database import DatabaseAgent
from dapu.agents.excel import ExcelAgent
from dapu.agents.execute import ExecuteAgent
from dapu.agents.file import FileAgent
from dapu.agents.rest import RestAgent
from dapu.agents.sql import SqlAgent
from dapu.agents.transform import TransformAgent
from dapu.agents.wfs import WfsAgent
from dapu.definitions.reader import DefinitionReader
from dapu.errors import ConfigurationError
from dapu.settings import Settings

ENTRY_POINTS = "dapu.agents"
_OWN: list[type[Agent[Any]]] = [
    DatabaseAgent,
    ExcelAgent,
    ExecuteAgent,
    FileAgent,
    RestAgent,
    SqlAgent,
    TransformAgent,
    WfsAgent,
]


class Agents(dict[str, type[Agent[Any]]]):
    """The agents by name."""

    def reader(self, settings: Settings) -> DefinitionReader:
        """A reader of definitions that knows these agents' options."""
        return DefinitionReader(settings, tuple(agent.options for agent in self.values()))


def known_agents(settings: Settings) -> Agents:
    """All agents by name.

    Raises ConfigurationError when one named in warehouse.yaml cannot be loaded, or two have the
    same name.
    """
    agents = Agents()
    for agent in [*_OWN, *_installed(), *map(_load, settings.agents)]:
        if agents.get(agent.name, agent) is not agent:
            raise ConfigurationError(f"there are two agents `{agent.name}`; take one away")
        agents[agent.name] = agent
    return agents


def _installed() -> Iterator[type[Agent[Any]]]:
    for entry in entry_points(group=ENTRY_POINTS):
        yield _check(entry.load(), f"{entry.value} (an installed package)")


def _load(path: str) -> type[Agent[Any]]:
    module, _, name = path.partition(":")
    try:
        return _check(getattr(importlib.import_module(module), name), path)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"warehouse.yaml, agents: {path} cannot be loaded ({error}); "
            "write `package.module:Class` of an installed package"
        ) from error


def _check(found: Any, where: str) -> type[Agent[Any]]:
    if not (isinstance(found, type) and issubclass(found, Agent)):
        raise ConfigurationError(f"{where} is not a subclass of dapu.agents.base.Agent")
    return found
