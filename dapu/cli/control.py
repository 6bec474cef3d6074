"""The commands by which an operator steers."""

from __future__ import annotations

import getpass
import platform
import time
from pathlib import Path

import click

from dapu.cli.arguments import AS_JSON, DIRECTORY
from dapu.cli.console import is_terminal, say, show_json
from dapu.errors import ConfigurationError
from dapu.registry import agenda, control
from dapu.versioner import check_registry, registry_of
from dapu.warehouse import open_warehouse

_POLL = 0.5  # seconds


@click.command("pause")
@DIRECTORY
@click.option("--wait", is_flag=True, help="Return when no job is running any more.")
def pause(directory: Path, wait: bool) -> None:
    """Queue and start nothing from now on; running jobs go on.

    Example: dapu pause finances --wait
    """
    warehouse = open_warehouse(directory)
    registry = registry_of(warehouse)
    with warehouse.session("pause") as session, session.cursor() as cursor:
        check_registry(cursor, registry)
        control.pause(cursor, registry, f"{getpass.getuser()}@{platform.node()}")
        session.commit()
        running = agenda.running(cursor, registry)
        session.commit()
        shown = len(running) + 1
        while wait and running:
            if len(running) < shown and not is_terminal():
                say("waits for: " + ", ".join(task for _, task in running))
            shown = len(running)
            time.sleep(_POLL)
            running = agenda.running(cursor, registry)
            session.commit()
    still = f"; {len(running)} jobs are still running" if running else ""
    say(f"paused{still}")


@click.command("resume")
@DIRECTORY
def resume(directory: Path) -> None:
    """End a pause.

    Example: dapu resume finances
    """
    warehouse = open_warehouse(directory)
    registry = registry_of(warehouse)
    with warehouse.session("resume") as session, session, session.cursor() as cursor:
        check_registry(cursor, registry)
        was_paused = control.resume(cursor, registry)
    say("resumed" if was_paused else "it was not paused")


@click.command("retry")
@DIRECTORY
@click.argument("job", type=int)
@AS_JSON
def retry(directory: Path, job: int, as_json: bool) -> None:
    """Queue the task of JOB once more, at the highest priority.

    A job that waits for its next try waits no longer.

    Example: dapu retry finances 1042
    """
    warehouse = open_warehouse(directory)
    registry = registry_of(warehouse)
    with warehouse.session("retry") as session, session, session.cursor() as cursor:
        check_registry(cursor, registry)
        found = agenda.find(cursor, registry, job)
        if found is None:
            raise ConfigurationError(f"there is no job {job}")
        if found.status == "running":
            raise ConfigurationError(f"job {job} ({found.task}) is running; cancel it first")
        number = agenda.add(cursor, registry, found.task, "retry", found.full_load)
    if number is None:
        raise ConfigurationError(f"{found.task} of job {job} is no longer registered")
    if as_json:
        show_json({"job": number, "task": found.task})
    else:
        say(f"{found.task}: job {number} queued")


@click.command("cancel")
@DIRECTORY
@click.argument("job", type=int)
@AS_JSON
def cancel(directory: Path, job: int, as_json: bool) -> None:
    """Cancel a waiting or running JOB. Of a running one nothing is kept.

    Example: dapu cancel finances 1042
    """
    warehouse = open_warehouse(directory)
    registry = registry_of(warehouse)
    with warehouse.session("cancel") as session, session.cursor() as cursor:
        check_registry(cursor, registry)
        cancelled = agenda.cancel(cursor, registry, job)
        session.commit()
        if cancelled is None:
            found = agenda.find(cursor, registry, job)
            what = f"job {job} is {found.status} already" if found else f"there is no job {job}"
            raise ConfigurationError(what)
    task, was = cancelled
    if as_json:
        show_json({"job": job, "task": task, "was": was})
    else:
        say(f"{task}: job {job}, which was {was}, is cancelled")


COMMANDS = (pause, resume, retry, cancel)
