"""The commands that run a component."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from dapu.agents.known import known_agents
from dapu.cleaner import clean
from dapu.cli.arguments import AS_JSON, DIRECTORY
from dapu.cli.console import complain, is_terminal, show_json, silent, stamped
from dapu.cli.reporting import open_reporter
from dapu.errors import ConfigurationError, DapuError
from dapu.manager import queue_due_tasks
from dapu.processes import run_processes
from dapu.registrar import Registration, register
from dapu.registry import agenda, tasks
from dapu.versioner import bring_up_to_date, registry_of
from dapu.warehouse import Warehouse, open_warehouse
from dapu.worker import Tally, Worker, stop_on_signals
from dapu.yamlfile import nearest


@click.command("versioner")
@DIRECTORY
@AS_JSON
def versioner(directory: Path, as_json: bool) -> None:
    """Bring the registry and the warehouse's own schemas up to date.

    Applies what is new of dapu's registry, then the SQL files in DIR/ver, each once. Safe to run
    at any time; run it after each deploy and each upgrade of dapu.

    Example: dapu versioner finances
    """
    warehouse = open_warehouse(directory)
    line = stamped(warehouse.settings.zone)
    applied = bring_up_to_date(warehouse, silent if as_json else line)
    if as_json:
        show_json({"registry": applied.registry, "warehouse": applied.warehouse})
    elif not applied.registry and not applied.warehouse:
        line("versioner: everything is up to date")


@click.command("registrar")
@DIRECTORY
@AS_JSON
def registrar(directory: Path, as_json: bool) -> None:
    """Take up the definitions in DIR/routes.

    New and changed tasks are registered and the steps in their ver/ applied; deleted ones are
    unregistered (their tables stay). A faulty definition is told and left out: exit status 1.

    Example: dapu registrar finances
    """
    warehouse = open_warehouse(directory)
    line = stamped(warehouse.settings.zone)
    reader = known_agents(warehouse.settings).reader(warehouse.settings)
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


def _show_registration(done: Registration, line: object) -> None:
    say = line if callable(line) else print
    for what, names in (
        ("new", done.new),
        ("changed", done.changed),
        ("unregistered", done.unregistered),
        ("is running; registered at the next round", done.postponed),
    ):
        for name in names:
            say(f"{name}: {what}")
    for fault in done.faults:
        complain(str(fault))
    total = len(done.new) + len(done.changed) + done.unchanged
    say(
        f"registrar: {total} tasks ({len(done.new)} new, {len(done.changed)} changed), "
        f"{len(done.faults)} faults"
    )


@click.command("manager")
@DIRECTORY
@AS_JSON
def manager(directory: Path, as_json: bool) -> None:
    """Queue every task that is due.

    Example: dapu manager finances
    """
    warehouse = open_warehouse(directory)
    line = stamped(warehouse.settings.zone)
    done = queue_due_tasks(warehouse)
    if as_json:
        show_json(
            {
                "queued": [{"job": job, "task": task} for job, task in done.queued],
                "failed": [{"job": job, "task": task} for job, task in done.failed],
                "freed": [{"job": job, "task": task} for job, task, _ in done.freed],
                "paused_by": done.paused_by,
            }
        )
        return
    for _, task, status in done.freed:
        line(f"{task}: its worker died; the job is {status}")
    for _, task in done.failed:
        line(f"{task}: failed, no tries left")
    for job, task in done.queued:
        line(f"{task}: job {job} queued")
    if done.paused_by is not None:
        line(f"manager: the warehouse is paused (by {done.paused_by}); nothing is queued")
    elif not done.queued:
        line("manager: nothing is due")


@click.command("worker")
@DIRECTORY
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Take no new job after so many minutes (27).",
)
@click.option("--processes", type=click.IntRange(1, 64), help="Run so many workers at once (1).")
def worker(directory: Path, minutes: float | None, processes: int | None) -> None:
    """Run the jobs that are queued, the most urgent first.

    Ends when its minutes are over or nothing is left. SIGTERM lets the job in hand end for some
    seconds and then gives it back; Ctrl-C gives it back at once.

    Example: dapu worker finances --processes 4
    """
    warehouse = open_warehouse(directory)
    settings = warehouse.settings.worker
    time, count = minutes or settings.minutes, processes or settings.processes
    with open_reporter(warehouse) as reporter:
        if count > 1:
            tally = run_processes(directory, count, time, reporter)
        else:
            one = Worker(warehouse, reporter, time)
            stop_on_signals(one)
            tally = one.run()
    _show_tally(warehouse, tally)


def _show_tally(warehouse: Warehouse, tally: Tally) -> None:
    line = stamped(warehouse.settings.zone)
    if not tally.jobs:
        line("worker: nothing is due")
        return
    counts = ", ".join(f"{count} {status}" for status, count in sorted(tally.endings.items()))
    line(f"worker: {tally.jobs} jobs, {counts}")
    if tally.failing:
        names = ", ".join(sorted(set(tally.failing)))
        complain(f"dapu: failed: {names}; see `dapu status {warehouse.folder} TASK`")
        sys.exit(1)


@click.command("run")
@DIRECTORY
@click.argument("task")
@click.option("--full", is_flag=True, help="Read everything, whatever the watermark.")
@click.option("--from", "low", metavar="V", help="Read from this value of the watermark's column.")
@click.option("--to", "high", metavar="V", help="Read up to this value, which belongs to it.")
def run(directory: Path, task: str, full: bool, low: str | None, high: str | None) -> None:
    r"""Run one task now, here, whether it is due or not.

    Takes up changed definitions first, so that an analyst can edit and run. --from and --to fill
    a gap: they read that range once more and leave the watermark where it is.

    \b
    Examples:
      dapu run finances erp.staging.invoice --full
      dapu run finances erp.staging.invoice --from 2024-01-01 --to 2024-01-31
    """
    if full and (low or high):
        raise click.UsageError("--full reads everything: give it, or --from and --to, not both")
    warehouse = open_warehouse(directory)
    reader = known_agents(warehouse.settings).reader(warehouse.settings)
    line = stamped(warehouse.settings.zone)
    done = register(warehouse, reader, line, wait=True)
    own = [fault for fault in done.faults if task in ".".join(fault.file.parts)]
    if own:
        raise ConfigurationError("\n".join(map(str, own)))
    span = {"from": low, "to": high} if low or high else None
    job = _queue(warehouse, task, full, span)
    with open_reporter(warehouse) as reporter:
        one = Worker(warehouse, reporter, minutes=24 * 60)
        stop_on_signals(one)
        tally = one.run(only=job)
    if not tally.jobs:
        raise DapuError(
            f"{task} cannot start now: it is running already, or its route is busy or disabled; "
            f"it is queued as job {job}"
        )
    if tally.failing or not is_terminal():
        _show_tally(warehouse, tally)


def _queue(
    warehouse: Warehouse, task: str, full: bool, span: dict[str, str | None] | None
) -> int:
    registry = registry_of(warehouse)
    with warehouse.session("run") as session, session, session.cursor() as cursor:
        job = agenda.add(cursor, registry, task, "run", full, span)
        if job is None:
            known = tasks.names(cursor, registry)
            raise ConfigurationError(f"there is no task `{task}`{nearest(task, known)}")
        return job


@click.command("cleaner")
@DIRECTORY
@AS_JSON
def cleaner(directory: Path, as_json: bool) -> None:
    """Prune history past its age (`keep:` in warehouse.yaml).

    Example: dapu cleaner finances
    """
    warehouse = open_warehouse(directory)
    pruned = clean(warehouse)
    if as_json:
        show_json(pruned._asdict())
        return
    stamped(warehouse.settings.zone)(
        f"cleaner: {pruned.jobs} jobs, {pruned.events} events, {pruned.workers} workers pruned"
    )


COMMANDS = (versioner, registrar, manager, worker, run, cleaner)
