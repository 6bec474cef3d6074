"""Each component by itself over a small warehouse directory, and looks at the tables after it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

from psycopg2.extensions import connection as PgSession

from dapu.agents.installed import known_agents
from dapu.components.manager import ManagerRound, queue_due_tasks
from dapu.components.registrar import Registration, register
from dapu.components.versioner import Versions, bring_up_to_date
from dapu.warehouse.warehouse import open_warehouse
from tests.conftest import write_files

ROUTE = {"routes/r/route.yaml": ""}
SQL_TASK = {"task.yaml": "actions: [{do: sql, file: run.sql}]", "run.sql": "select 1"}


def a_task(task: str, files: Mapping[str, str] | None = None, **keys: str) -> dict[str, str]:
    """The files of a task that runs `select 1`; keys: more lines of its task.yaml."""
    lines = [SQL_TASK["task.yaml"], *(f"{key}: {value}" for key, value in keys.items())]
    all_files = {**SQL_TASK, "task.yaml": "\n".join(lines), **(files or {})}
    place = "/".join(["routes", *task.split(".")])
    return {f"{place}/{name}": text for name, text in all_files.items()}


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Writes files below a warehouse directory."""
    write_files(folder, {path: dedent(text) for path, text in files.items()})


def versioner(folder: Path) -> Versions:
    """Runs the Versioner."""
    return bring_up_to_date(open_warehouse(folder), lambda text: None)


def registrar(folder: Path) -> Registration:
    """Runs the Registrar."""
    warehouse = open_warehouse(folder)
    reader = known_agents(warehouse.settings).reader(warehouse.settings)
    return register(warehouse, reader, lambda text: None)


def manager(folder: Path, now: datetime | None = None) -> ManagerRound:
    """Runs the Manager."""
    return queue_due_tasks(open_warehouse(folder), now)


def queued(folder: Path, now: datetime | None = None) -> list[str]:
    """Runs the Manager, and returns the tasks that it queued."""
    return [task for _, task in manager(folder, now).queued]


def faults(done: Registration, folder: Path) -> list[str]:
    """What the Registrar found wrong, with paths from the warehouse directory on."""
    return [str(fault).replace(f"{folder}/", "") for fault in done.faults]


def rows(connection: PgSession, query: str, values: Any = None) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with connection, connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall() if cursor.description else []


def one(connection: PgSession, query: str, values: Any = None) -> Any:
    """The one value of a query."""
    [(value,)] = rows(connection, query, values)
    return value
