"""The commands that write definitions."""

from __future__ import annotations

import difflib
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dapu.cli import completion
from dapu.cli.arguments import WAREHOUSE
from dapu.cli.console import complain, say

if TYPE_CHECKING:
    from dapu.generate.definitions.generator import Generated
    from dapu.warehouse.warehouse import Warehouse

_LOADS = click.Choice(["replace", "append", "merge", "snapshot", "history"])
_SUMMARY = ("new", "changed", "unchanged", "kept", "gone", "failed")


@click.command("generate")
@WAREHOUSE
@click.argument("route", shell_complete=completion.routes)
@click.option(
    "--schema",
    required=True,
    help="The warehouse's schema that gets the tables.",
    shell_complete=completion.schemas,
)
@click.option("--tables", "-t", multiple=True, help="A pattern of the source's tables; repeatable.")
@click.option("--exclude", "-x", multiple=True, help="A pattern of tables to leave out.")
@click.option(
    "--load",
    type=_LOADS,
    help="The load mode; default `replace` (of a stream, what it can do), or as before.",
)
@click.option(
    "--templates",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Jinja2 templates of your own: task.yaml.j2, extract.sql.j2, ver/001_create.sql.j2.",
)
@click.option("--diff", is_flag=True, help="Show what would change, and write nothing.")
def generate(
    warehouse: Warehouse,
    route: str,
    schema: str,
    tables: tuple[str, ...],
    exclude: tuple[str, ...],
    load: str | None,
    templates: Path | None,
    diff: bool,
) -> None:
    """Write a task for each table that the source of a ROUTE has.

    A table, view, sheet, file, layer or stream becomes a folder with task.yaml, extract.sql and
    ver/001_create.sql. Run it again after the source has changed: a new column becomes the next
    step in ver/. What a person changed stays. A ROUTE that is a connection is made a route.

    \b
    Examples:
      dapu generate finances erp --schema staging
      dapu generate finances erp --schema staging --tables 'inv*' --load merge
      dapu generate finances erp --schema staging --diff
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.generate.definitions.generator import WantedTables, generate, write

    wanted = WantedTables(route, schema, tables, exclude, load, templates)
    outcomes = Counter[str]()
    for one in generate(warehouse, wanted):
        outcomes[one.outcome] += 1
        if diff:
            _show_difference(one, warehouse.folder)
        else:
            write(one)
        _show(one)
    say(f"generate: {', '.join(f'{outcomes[name]} {name}' for name in _SUMMARY if outcomes[name])}")
    sys.exit(1 if outcomes["failed"] else 0)


def _show(generated: Generated) -> None:
    line = complain if generated.outcome == "failed" else say
    if generated.outcome != "unchanged" or generated.notes:
        line(f"{generated.task}: {'; '.join([generated.outcome, *generated.notes])}")


def _show_difference(generated: Generated, folder: Path) -> None:
    for path, text in generated.files.items():
        old = path.read_text("utf-8").splitlines() if path.is_file() else []
        name = str(path.relative_to(folder))
        lines = difflib.unified_diff(old, text.splitlines(), f"a/{name}", f"b/{name}", lineterm="")
        for line in lines:
            say(line)


@click.command("new")
@WAREHOUSE
@click.argument("task", metavar="ROUTE.SCHEMA.TABLE")
@click.option("--from", "origin", metavar="NAME", help="The table, sheet, file or layer to read.")
@click.option("--load", type=_LOADS, help="The load mode; default `replace`.")
def new(warehouse: Warehouse, task: str, origin: str | None, load: str | None) -> None:
    """Make one task.

    With --from it reads a table of the route's source, as `dapu generate` writes it; without, it is
    a query of the warehouse itself. On a terminal it asks for what is not given.

    \b
    Examples:
      dapu new finances erp.staging.invoice --from sales.invoice --load merge
      dapu new finances reports.mart.revenue
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.generate.definitions.generator import write
    from dapu.generate.definitions.one_task import new_task

    if origin is None and _is_interactive():
        question = "Table, sheet, file or layer to read (none: a query)"
        origin = click.prompt(question, default="", show_default=False) or None
        if origin is not None and load is None:
            load = click.prompt("Load mode", type=_LOADS, default="replace")
    for one in new_task(warehouse, task, origin, load):
        write(one)
        _show(one)
        for path in one.files:
            say(f"  {path.relative_to(warehouse.folder)}")
        if one.outcome == "failed":
            sys.exit(1)


def _is_interactive() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


COMMANDS = (generate, new)
