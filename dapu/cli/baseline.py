"""The command that takes up tables that exist."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from dapu.cli import completion
from dapu.cli.arguments import AS_JSON, WAREHOUSE
from dapu.cli.console import complain, say, show_json
from dapu.text import counted

if TYPE_CHECKING:
    from dapu.components.baseline import Baselined
    from dapu.components.take_up_0_8 import TakenUp
    from dapu.warehouse.warehouse import Warehouse


@click.command("baseline")
@WAREHOUSE
@click.argument("tasks", nargs=-1, metavar="[TASK]...", shell_complete=completion.tasks)
@click.option("--watermark", metavar="V", help="The source was read up to this value.")
@click.option(
    "--from-0.8",
    "from_0_8",
    metavar="SCHEMA",
    help="Take up all tables of dapu 0.8, whose registry is in SCHEMA (or SCHEMA.PREFIX).",
)
@AS_JSON
def baseline(
    warehouse: Warehouse,
    tasks: tuple[str, ...],
    watermark: str | None,
    from_0_8: str | None,
    as_json: bool,
) -> None:
    """Take up tables that exist already.

    The steps in a task's ver/ are recorded as applied, and the watermark is set: the next run
    reads on from there. The steps are tried before, and must make the table's columns. Run it
    before `dapu registrar`.

    \b
    Examples:
      dapu baseline finances erp.staging.invoice
      dapu baseline finances erp.staging.invoice --watermark '2024-05-01 12:00'
      dapu baseline finances --from-0.8 meta
    """  # noqa: D301 - click's mark for lines that stay as they are
    if bool(tasks) == bool(from_0_8):
        raise click.UsageError("give tasks, or --from-0.8 for all of them")
    if watermark is not None and len(tasks) != 1:
        raise click.UsageError("--watermark is that of one task")
    if from_0_8 is not None:
        _take_up_0_8(warehouse, from_0_8, as_json)
        return
    from dapu.agents.incremental.sample_value import sample_value
    from dapu.agents.installed import known_agents
    from dapu.components.baseline import baseline as record

    reader = known_agents(warehouse.settings).reader(warehouse.settings)
    sample = partial(sample_value, warehouse)
    done = record(warehouse, reader, sample, tasks, watermark)
    if as_json:
        show_json([vars(one) for one in done])
    for one in [] if as_json else done:
        _show(one)


def _show(one: Baselined) -> None:
    steps = f"{counted(len(one.steps), 'step')} recorded"
    mark = f", read up to {one.watermark}" if one.watermark is not None else ""
    say(f"{one.task}: {steps}{mark}")


def _take_up_0_8(warehouse: Warehouse, place: str, as_json: bool) -> None:
    from dapu.agents.incremental.sample_value import sample_value
    from dapu.agents.installed import known_agents
    from dapu.cli.console import silent
    from dapu.components.take_up_0_8 import take_up
    from dapu.registry.store import Registry

    schema, _, prefix = place.partition(".")
    reader = known_agents(warehouse.settings).reader(warehouse.settings)
    sample = partial(sample_value, warehouse)
    note = silent if as_json else say
    done = take_up(warehouse, reader, sample, Registry(schema, prefix), note)
    faults = [*done.faults, *map(str, done.registration.faults)]
    if as_json:
        tasks = [vars(one) for one in done.tasks]
        show_json({"tasks": tasks, "left": done.left, "faults": faults})
    else:
        _show_taken_up(done, faults)
    sys.exit(1 if faults else 0)


def _show_taken_up(done: TakenUp, faults: list[str]) -> None:
    for one in done.tasks:
        _show(one)
    for task in done.left:
        say(f"{task}: is not an active task here; left alone")
    for fault in faults:
        complain(fault)
    say(f"baseline: {counted(len(done.tasks), 'table')} taken up, {counted(len(faults), 'fault')}")


COMMANDS = (baseline,)
