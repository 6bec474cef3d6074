"""The commands that say what depends on what, by the SQL itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from dapu.cli import completion
from dapu.cli.arguments import AS_JSON, TASK, WAREHOUSE
from dapu.cli.console import say, show_json, show_table
from dapu.errors import ConfigurationError

if TYPE_CHECKING:
    from dapu.definitions.reader import DefinitionReader
    from dapu.lineage.graph import LineageGraph, Neighbour
    from dapu.warehouse.settings import Settings
    from dapu.warehouse.warehouse import Warehouse


def make_reader(settings: Settings) -> DefinitionReader:
    """A reader of definitions; the agents are imported only where one is read."""
    from dapu.agents.installed import definition_reader

    return definition_reader(settings)


def open_graph(warehouse: Warehouse) -> LineageGraph:
    """The lineage of all tasks, from their files."""
    from dapu.lineage.kept_graph import read_graph

    return read_graph(warehouse, make_reader)


def find_task(graph: LineageGraph, name: str) -> str:
    """The task of that name, or the one whose table it is."""
    from dapu.suggest import nearest

    task = name if name in graph.tasks else graph.by_table.get(name)
    if task is None:
        near = nearest(name, graph.tasks)
        raise ConfigurationError(f"there is no task `{name}` without fault{near}")
    return task


@click.command("lineage")
@WAREHOUSE
@TASK
@AS_JSON
def lineage(warehouse: Warehouse, task: str, as_json: bool) -> None:
    """Show what TASK is made of, and what is made of it.

    Tables and columns, as the SQL of all tasks says; it needs no database. Sources are
    `connection:table`.

    \b
    Examples:
      dapu lineage finances mart.mart.sales
      dapu lineage finances mart.sales --json
    """  # noqa: D301 - click's mark for lines that stay as they are
    graph = open_graph(warehouse)
    name = find_task(graph, task)
    up, down = graph.upstream(name), graph.downstream(name)
    columns = [(one.name, graph.origins(one)) for one in graph.tasks[name].outputs]
    if as_json:
        show_json(
            {
                "task": name,
                "up": [one._asdict() for one in up],
                "down": [one._asdict() for one in down],
                "columns": [
                    {"name": column, "from": [_origin(*one) for one in origins if one[0]]}
                    for column, origins in columns
                ],
                "is_whole": graph.tasks[name].is_whole,
            }
        )
        return
    _show_neighbours("reads", up)
    _show_neighbours("is read by", down)
    if columns:
        show_table(
            ("column", "is made of"), [(c or "?", _listed(origins)) for c, origins in columns]
        )
    if not graph.tasks[name].is_whole:
        say("Not all of its SQL could be read: there may be more.")


def _origin(table: str, column: str) -> dict[str, Any]:
    return {"table": table, "column": column}


def _listed(origins: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{table}.{column}" for table, column in origins if table)


def _show_neighbours(what: str, found: list[Neighbour]) -> None:
    if not found:
        say(f"{what}: nothing")
        return
    say(f"{what}:")
    show_table(
        ("steps", "table", "task", "by way of", "as said by"),
        [(one.steps, one.table, one.task, one.via, one.by) for one in found],
    )


@click.command("impact")
@WAREHOUSE
@click.argument("column", metavar="TASK.COLUMN", shell_complete=completion.columns)
@AS_JSON
def impact(warehouse: Warehouse, column: str, as_json: bool) -> None:
    """Show what depends on a column, before it is changed.

    The columns that are made of TASK.COLUMN, directly or not, and each place in SQL that names it
    or one of them. Exit status 0, whatever there is.

    \b
    Examples:
      dapu impact finances staging.sale.amount
      dapu impact finances erp.staging.sale.amount --json
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.suggest import nearest

    graph = open_graph(warehouse)
    task_name, _, name = column.rpartition(".")
    task = find_task(graph, task_name)
    known = graph.columns(graph.tasks[task].table)
    if known is not None and name not in known:
        raise ConfigurationError(f"{task} has no column `{name}`{nearest(name, known)}")
    found = graph.impact(task, name)
    folder = warehouse.folder / "routes"
    uses = [
        (user, f"{use.table}.{use.column}", folder.joinpath(*user.split("."), use.place.file), use)
        for user, use in found.uses
    ]
    if as_json:
        show_json(
            {
                "column": f"{task}.{name}",
                "columns": [{"task": one, "column": other} for one, other in found.columns],
                "uses": [
                    {
                        "task": user,
                        "column": what,
                        "file": str(file),
                        "line": use.place.line,
                        "position": use.place.column,
                    }
                    for user, what, file, use in uses
                ],
                "unclear": found.unclear,
            }
        )
        return
    if not found.columns and not uses:
        given = [one.name for one in graph.tasks[task].outputs if one.name]
        near = "" if name in given else nearest(name, given)
        say(f"no SQL of other tasks names {task}.{name}{near}")
        return
    show_table(("task", "column made of it"), found.columns)
    show_table(
        ("column", "is named at"),
        [(what, f"{file}:{use.place.line}:{use.place.column}") for _, what, file, use in uses],
    )
    for one in found.unclear:
        say(f"{one} reads it too, and not all of its SQL could be read")


COMMANDS = (lineage, impact)
