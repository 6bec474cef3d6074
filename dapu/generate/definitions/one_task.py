"""One task, made for a table that a person names."""

from __future__ import annotations

from collections.abc import Iterator
from glob import escape

from dapu.definitions.folders import ROUTE_FILE, TASK_FILE
from dapu.errors import ConfigurationError
from dapu.generate.definitions.generator import Generated, WantedTables, check_name, generate
from dapu.sources.discovery import connection_of
from dapu.warehouse.warehouse import Warehouse

_QUERY = "query.sql"
_TEXTS = {
    TASK_FILE: f"actions:\n  - do: transform\n    query: {_QUERY}\n",
    _QUERY: "-- What the table holds: any SELECT over the warehouse's tables.\nselect 1 as id\n",
}


def new_task(
    warehouse: Warehouse, task: str, origin: str | None, load: str | None
) -> Iterator[Generated]:
    """The files of a new task.

    origin: what it reads of the route's source; None makes a query of the warehouse.
    Raises ConfigurationError when the task is there, its id is faulty, or the source has no such
    table, or several.
    """
    route, schema, table = _parts(task)
    folder = warehouse.folder / "routes" / route / schema / table
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder.relative_to(warehouse.folder)} is there already")
    if origin is not None:
        yield from generate(
            warehouse, WantedTables(route, schema, (escape(origin),), load=load, table=table)
        )
        return
    if load is not None:
        raise ConfigurationError("`--load` goes with `--from`: a query is built anew each time")
    if not (folder.parents[1] / ROUTE_FILE).is_file():
        connection_of(warehouse, route)  # its error lists the routes
        raise ConfigurationError(
            f"`{route}` is a connection and not a route; say with --from what of it is read"
        )
    yield Generated(task, "new", {folder / name: text for name, text in _TEXTS.items()})


def _parts(task: str) -> list[str]:
    parts = task.split(".")
    if len(parts) != 3:
        raise ConfigurationError(f"{task!r} is not a task id; write route.schema.table")
    for name, what in zip(parts, ("route", "schema", "table"), strict=True):
        check_name(name, what)
    return parts
