"""The commands that run a component once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import AS_JSON, WAREHOUSE
from dapu.cli.console import complain, show_json, silent, stamped
from dapu.text import counted

if TYPE_CHECKING:
    from dapu.components.manager import ManagerRound
    from dapu.components.registrar import Registration
    from dapu.warehouse.warehouse import Warehouse


@click.command("versioner")
@WAREHOUSE
@AS_JSON
def versioner(warehouse: Warehouse, as_json: bool) -> None:
    """Bring the registry and the warehouse's own schemas up to date.

    Applies what is new of dapu's registry, then the SQL files in DIR/ver, each once. Safe to run
    at any time; run it after each deploy and each upgrade of dapu.

    Example: dapu versioner finances
    """
    from dapu.cli.interrupts import statements_stopped_by_ctrl_c
    from dapu.components.versioner import bring_up_to_date

    line = stamped(warehouse.settings.zone)
    with statements_stopped_by_ctrl_c():
        applied = bring_up_to_date(warehouse, silent if as_json else line)
    if as_json:
        show_json({"registry": applied.registry, "warehouse": applied.warehouse})
    elif not applied.registry and not applied.warehouse:
        line("versioner: everything is up to date")


@click.command("registrar")
@WAREHOUSE
@AS_JSON
def registrar(warehouse: Warehouse, as_json: bool) -> None:
    """Take up the definitions in DIR/routes.

    New and changed tasks are registered and the steps in their ver/ applied; deleted ones are
    unregistered (their tables stay). A faulty definition is reported and left out: exit status 1.

    Example: dapu registrar finances
    """
    from dapu.agents.installed import known_agents
    from dapu.cli.interrupts import statements_stopped_by_ctrl_c
    from dapu.components.registrar import register

    line = stamped(warehouse.settings.zone)
    reader = known_agents(warehouse.settings).reader(warehouse.settings)
    with statements_stopped_by_ctrl_c():
        done = register(warehouse, reader, silent if as_json else line)
    if as_json:
        show_json(
            {
                "new": done.new,
                "changed": done.changed,
                "unchanged": done.unchanged,
                "unregistered": done.unregistered,
                "postponed": done.postponed,
                "faults": [str(fault) for fault in done.faults],
            }
        )
    else:
        _show_registration(done, line)
    sys.exit(1 if done.faults else 0)


def _show_registration(done: Registration, line: Callable[[str], None]) -> None:
    show_changes(done, line)
    for fault in done.faults:
        complain(str(fault))
    total = len(done.new) + len(done.changed) + done.unchanged
    line(
        f"registrar: {counted(total, 'task')} ({len(done.new)} new, {len(done.changed)} changed), "
        f"{counted(len(done.faults), 'fault')}"
    )


def show_changes(done: Registration, line: Callable[[str], None]) -> None:
    """Says what the Registrar did to which task."""
    for what, names in (
        ("new", done.new),
        ("changed", done.changed),
        ("unregistered", done.unregistered),
        ("is running; registered at the next round", done.postponed),
    ):
        for name in names:
            line(f"{name}: {what}")


@click.command("manager")
@WAREHOUSE
@AS_JSON
def manager(warehouse: Warehouse, as_json: bool) -> None:
    """Queue every task that is due.

    Example: dapu manager finances
    """
    from dapu.components.manager import queue_due_tasks
    from dapu.components.metrics import write_metrics
    from dapu.components.notifier import send_all

    line = stamped(warehouse.settings.zone)
    done = queue_due_tasks(warehouse)
    for fault in send_all(warehouse):
        stamped(warehouse.settings.zone, complain)(f"warning: notify: {fault}")
    write_metrics(warehouse)
    if as_json:
        show_json(
            {
                "queued": [{"job": job, "task": task} for job, task in done.queued],
                "failed": [{"job": job, "task": task} for job, task in done.failed],
                "freed": [{"job": job, "task": task} for job, task, _ in done.freed],
                "paused_by": done.paused_by,
                "override_faults": list(done.override_faults),
            }
        )
    else:
        _show_round(done, line)
    sys.exit(1 if done.has_failures else 0)


def _show_round(done: ManagerRound, line: Callable[[str], None]) -> None:
    for _, task, status in done.freed:
        line(f"{task}: its worker died; the job is {status}")
    for _, task in done.failed:
        line(f"{task}: failed, no tries left")
    for job, task in done.queued:
        line(f"{task}: job {job} queued")
    for fault in done.override_faults:
        line(f"warning: {fault}")
    if done.paused_by is not None:
        line(f"manager: the warehouse is paused (by {done.paused_by}); nothing is queued")
    elif not done.queued and not done.has_failures:
        line("manager: nothing is due")


@click.command("cleaner")
@WAREHOUSE
@AS_JSON
def cleaner(warehouse: Warehouse, as_json: bool) -> None:
    """Prune history past its age (`keep:` in warehouse.yaml).

    Example: dapu cleaner finances
    """
    from dapu.components.cleaner import clean

    pruned = clean(warehouse)
    if as_json:
        show_json(pruned._asdict())
        return
    stamped(warehouse.settings.zone)(
        f"cleaner: {counted(pruned.jobs, 'job')}, {counted(pruned.events, 'event')} and "
        f"{counted(pruned.workers, 'worker')} pruned"
    )


COMMANDS = (versioner, registrar, manager, cleaner)
