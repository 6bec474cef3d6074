"""The commands by which an operator steers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import AS_JSON, WAREHOUSE
from dapu.cli.console import say, show_json, stamped
from dapu.errors import ConfigurationError

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from dapu.registry.store import Registry
    from dapu.warehouse.warehouse import Warehouse

_POLL = 0.5  # seconds


@click.command("pause")
@WAREHOUSE
@click.option("--wait", is_flag=True, help="Return when no job is running any more.")
def pause(warehouse: Warehouse, wait: bool) -> None:
    """Queue and start nothing from now on; running jobs go on.

    Example: dapu pause finances --wait
    """
    import getpass
    import platform

    from dapu.registry import agenda, control, workers

    line = stamped(warehouse.settings.zone)
    with _transactions(warehouse, "pause") as (cursor, registry):
        control.pause(cursor, registry, f"{getpass.getuser()}@{platform.node()}")
        cursor.connection.commit()
        agenda.take_turn(cursor, registry)
        running = agenda.running(cursor, registry)
        shown: list[tuple[int, str]] = []
        while wait and running:
            if running != shown:
                line("waits for: " + ", ".join(task for _, task in running))
            shown = running
            cursor.connection.commit()
            time.sleep(_POLL)
            workers.free_jobs_of_the_dead(cursor, registry)  # nobody else may look in a pause
            running = agenda.running(cursor, registry)
    still = f"; still running: {', '.join(task for _, task in running)}" if running else ""
    line(f"paused{still}")


@click.command("resume")
@WAREHOUSE
def resume(warehouse: Warehouse) -> None:
    """End a pause.

    Example: dapu resume finances
    """
    from dapu.registry import control

    with _transactions(warehouse, "resume") as (cursor, registry):
        was_paused = control.resume(cursor, registry)
    say("resumed" if was_paused else "it was not paused")


@click.command("retry")
@WAREHOUSE
@click.argument("job", type=int)
@AS_JSON
def retry(warehouse: Warehouse, job: int, as_json: bool) -> None:
    """Queue the task of JOB again, at the highest priority.

    A job that waits for its next try waits no longer.

    Example: dapu retry finances 1042
    """
    from dapu.registry import agenda

    with _transactions(warehouse, "retry") as (cursor, registry):
        found = agenda.find(cursor, registry, job)
        if found is None:
            raise ConfigurationError(f"there is no job {job}")
        if found.status == "running":
            raise ConfigurationError(f"job {job} ({found.task}) is running; cancel it first")
        number = agenda.add(
            cursor,
            registry,
            found.task,
            "retry",
            found.full_load,
            found.backfill,
            rebuild=found.rebuild,
        )
    if number is None:
        raise ConfigurationError(f"{found.task} of job {job} is no longer registered")
    if as_json:
        show_json({"job": number, "task": found.task})
    else:
        say(f"{found.task}: job {number} queued")


@click.command("cancel")
@WAREHOUSE
@click.argument("job", type=int)
@AS_JSON
def cancel(warehouse: Warehouse, job: int, as_json: bool) -> None:
    """Cancel a waiting or running JOB. Of a running one nothing is kept.

    Example: dapu cancel finances 1042
    """
    from dapu.registry import agenda

    with _transactions(warehouse, "cancel") as (cursor, registry):
        cancelled = agenda.cancel(cursor, registry, job)
        if cancelled is None:
            found = agenda.find(cursor, registry, job)
            what = f"job {job} is {found.status} already" if found else f"there is no job {job}"
            raise ConfigurationError(what)
    task, was = cancelled
    if as_json:
        show_json({"job": job, "task": task, "was": was})
    else:
        say(f"{task}: job {job}, which was {was}, is cancelled")


@contextmanager
def _transactions(warehouse: Warehouse, purpose: str) -> Iterator[tuple[Cursor, Registry]]:
    """A session on a warehouse whose registry exists; committed at the end."""
    from dapu.registry.version import check_registry, registry_of

    registry = registry_of(warehouse)
    with warehouse.session(purpose) as session, session, session.cursor() as cursor:
        check_registry(cursor, registry)
        yield cursor, registry


COMMANDS = (pause, resume, retry, cancel)
