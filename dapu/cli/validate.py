"""The command that checks all files of a warehouse directory."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import AS_JSON, WAREHOUSE
from dapu.cli.console import complain, say, show_json
from dapu.text import counted

if TYPE_CHECKING:
    from dapu.definitions.catalogue import Catalogue
    from dapu.lineage.graph import Finding
    from dapu.warehouse.warehouse import Warehouse


@click.command("validate")
@WAREHOUSE
@AS_JSON
def validate(warehouse: Warehouse, as_json: bool) -> None:
    """Check all files of a warehouse directory; needs no database.

    The SQL too: columns that a table cannot have are faults. SQL that cannot be read, tables that
    no task makes, and a `depends` that says other than the SQL are notes, since there may be good
    reasons.

    Example: dapu validate finances
    """
    catalogue, faults = _definitions(warehouse)
    found = _findings(warehouse, catalogue)
    faults += [_line(warehouse, one) for one in found if one.level == "fault"]
    notes = [f"{one.level}: {_line(warehouse, one)}" for one in found if one.level != "fault"]
    if as_json:
        show_json({"tasks": len(catalogue.definitions), "faults": faults, "notes": notes})
    else:
        for line in [*notes, *faults]:
            complain(line)
        right = counted(len(catalogue.definitions), "task")
        more = f"; {counted(len(notes), 'note')}" if notes else ""
        say(f"{right} without fault; {counted(len(faults), 'fault')}{more}")
    sys.exit(1 if faults else 0)


def _definitions(warehouse: Warehouse) -> tuple[Catalogue, list[str]]:
    """All definitions, and what is wrong with them and with other files."""
    from dapu.agents.installed import known_agents
    from dapu.definitions.case_file import case_faults
    from dapu.definitions.catalogue import check_dependencies, read_catalogue
    from dapu.definitions.folders import scan
    from dapu.definitions.grants import grant_faults
    from dapu.definitions.steps import step_faults
    from dapu.lineage.depends_auto import fill_in_depends

    reader = known_agents(warehouse.settings).reader(warehouse.settings)
    found = scan(warehouse.folder)
    catalogue = read_catalogue(found, reader, warehouse.connections, registered={})
    fill_in_depends(catalogue, warehouse.connections, masters={})
    check_dependencies(catalogue, masters={})
    own_steps = step_faults(warehouse.folder / "ver", warehouse.settings.variables)
    tests = case_faults(found.tasks.values())
    others = [*own_steps, *grant_faults(warehouse.folder), *tests]
    return catalogue, [str(fault) for fault in [*others, *catalogue.faults]]


def _findings(warehouse: Warehouse, catalogue: Catalogue) -> list[Finding]:
    from dapu.cli.lineage import open_graph

    graph = open_graph(warehouse)
    return [one for one in graph.findings() if one.task in catalogue.definitions]


def _line(warehouse: Warehouse, one: Finding) -> str:
    folder = warehouse.folder.joinpath("routes", *one.task.split("."))
    return f"{folder / one.place.file}:{one.place.line}:{one.place.column}: {one.message}"


COMMANDS = (validate,)
