"""A DAG of a whole warehouse, from the graph that `dapu graph` wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset, TaskGroup

from dapu.airflow.operator import DapuOperator
from dapu.airflow.task_graph import FILE, By, TaskGraph, read_task_graph


def table_asset(warehouse: str, table: str, **extra: Any) -> Asset:
    """The asset of a table, for the `schedule` of others: `table_asset("finances", "mart.sales")`.

    warehouse: `name:` of its warehouse.yaml, else its folder's name.
    """
    return Asset(f"{warehouse}.{table}", extra=extra)


class DapuDag(DAG):
    """All tasks of a warehouse as one DAG; the name of an Airflow task is that of the dapu task.

    folder: the warehouse directory. graph: the file of `dapu graph`; default graph.json in it.
    by: an Airflow task for each `task`, those of a route in a group, or one for each `route`.
    full, run_worker: see `DapuOperator`. dag: what `DAG` takes; one run at once, unless it says
    `max_active_runs`.
    Raises ConfigurationError for a graph that cannot be read, or routes that go in a circle.
    """

    def __init__(
        self,
        folder: str | Path,
        dag_id: str | None = None,
        *,
        graph: str | Path | None = None,
        by: By = "task",
        full: bool = False,
        run_worker: bool = False,
        **dag: Any,
    ) -> None:
        found = read_task_graph(Path(graph) if graph else Path(folder) / FILE)
        super().__init__(
            dag_id or found.warehouse, **{"schedule": None, "max_active_runs": 1, **dag}
        )
        options = {"folder": str(folder), "full": full, "run_worker": run_worker, "dag": self}
        if by == "route":
            _join(_of_routes(found, options), found.route_masters())
        else:
            _join(_of_tasks(found, options), found.masters)


def _of_tasks(graph: TaskGraph, options: Mapping[str, Any]) -> dict[str, DapuOperator]:
    operators: dict[str, DapuOperator] = {}
    for route, tasks in graph.routes.items():
        group = TaskGroup(route, dag=options["dag"])
        for task in tasks:
            operators[task] = DapuOperator(
                task_id=task.partition(".")[2],
                tasks=[task],
                outlets=_assets(graph, [task]),
                task_group=group,
                **options,
            )
    return operators


def _of_routes(graph: TaskGraph, options: Mapping[str, Any]) -> dict[str, DapuOperator]:
    return {
        route: DapuOperator(task_id=route, tasks=tasks, outlets=_assets(graph, tasks), **options)
        for route, tasks in graph.routes.items()
    }


def _assets(graph: TaskGraph, tasks: Sequence[str]) -> list[Asset]:
    return [table_asset(graph.warehouse, task.partition(".")[2], task=task) for task in tasks]


def _join(operators: Mapping[str, DapuOperator], masters: Mapping[str, Sequence[str]]) -> None:
    for name, operator in operators.items():
        if masters[name]:
            operator.set_upstream([operators[master] for master in masters[name]])
