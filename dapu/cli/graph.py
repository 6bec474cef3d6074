"""`dapu graph`: the tasks, for a scheduler that plans by itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import WAREHOUSE
from dapu.cli.console import say

if TYPE_CHECKING:
    from dapu.warehouse.warehouse import Warehouse


@click.command("graph")
@WAREHOUSE
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it to a file, which is replaced whole, instead of printing it.",
)
def graph(warehouse: Warehouse, output: Path | None) -> None:
    """Print the registered tasks and what depends on what, as JSON.

    `DapuDag` of dapu.airflow reads the file, so that Airflow parses no YAML. Run it after each
    Registrar; a file that says the same already is left as it is.

    \b
    Examples:
      dapu graph finances
      dapu graph finances --output finances/graph.json
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.components.graph import as_text, read_graph, write_graph

    found = read_graph(warehouse)
    if output is None:
        say(as_text(found).rstrip("\n"))
        return
    was_written = write_graph(found, output)
    say(f"{output}: {len(found['tasks']):,} tasks" + ("" if was_written else ", as before"))


COMMANDS = (graph,)
