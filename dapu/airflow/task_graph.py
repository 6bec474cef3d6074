"""The graph that `dapu graph` wrote, read without YAML, a database or Airflow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Literal

from dapu.errors import ConfigurationError

FILE = "graph.json"
FORMAT = 1  # as dapu.components.graph writes it; that module is slow to import

By = Literal["task", "route"]


@dataclass(frozen=True)
class TaskGraph:
    """A warehouse's tasks, and the tasks that each depends on."""

    warehouse: str
    masters: dict[str, list[str]]
    tags: dict[str, list[str]]

    @cached_property
    def routes(self) -> dict[str, list[str]]:
        """The tasks of each route."""
        found: dict[str, list[str]] = {}
        for task in self.masters:
            found.setdefault(task.partition(".")[0], []).append(task)
        return found

    def route_masters(self) -> dict[str, list[str]]:
        """The routes that each route depends on, by its tasks.

        Raises ConfigurationError where two routes depend on each other.
        """
        found: dict[str, set[str]] = {route: set() for route in self.routes}
        for task, masters in self.masters.items():
            route = task.partition(".")[0]
            found[route] |= {master.partition(".")[0] for master in masters} - {route}
        try:
            TopologicalSorter(found).prepare()
        except CycleError as error:
            around = " → ".join(reversed(error.args[1]))
            raise ConfigurationError(
                f"the routes depend on each other ({around}), so that none can be an Airflow "
                'task as a whole: leave out by="route"'
            ) from None
        return {route: sorted(masters) for route, masters in found.items()}


def read_task_graph(file: Path) -> TaskGraph:
    """Reads the file. Raises ConfigurationError where it is not one that this dapu wrote."""
    try:
        found: Any = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise ConfigurationError(
            f"{file} does not exist; write it with: dapu graph {file.parent} --output {file}"
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"{file} is not JSON: {error}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ConfigurationError(
            f"{file} was not written by this dapu; write it anew with: "
            f"dapu graph {file.parent} --output {file}"
        )
    tasks: Sequence[dict[str, Any]] = found["tasks"]
    return TaskGraph(
        found["warehouse"],
        {one["task"]: one["masters"] for one in tasks},
        {one["task"]: one["tags"] for one in tasks},
    )
