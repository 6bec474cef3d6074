"""The commands by which an operator steers."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import AS_JSON, WAREHOUSE
from dapu.cli.console import say, show_json, silent, stamped

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from dapu.registry.store import Registry
    from dapu.warehouse.warehouse import Warehouse

_POLL = 0.5  # seconds


_ROUTE = click.option("--route", metavar="ROUTE", help="Only the tasks of this route.")


@click.command("pause")
@WAREHOUSE
@_ROUTE
@click.option("--wait", is_flag=True, help="Return when no job is running any more.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0),
    help="With --wait: no longer than this; then exit status 1, and the pause stays.",
)
@AS_JSON
def pause(
    warehouse: Warehouse, route: str | None, wait: bool, minutes: float | None, as_json: bool
) -> None:
    """Queue and start nothing from now on; running jobs go on.

    \b
    Examples:
      dapu pause finances --wait --minutes 55
      dapu pause finances --route erp
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.components import steering
    from dapu.registry import agenda

    if minutes is not None and not wait:
        raise click.UsageError("--minutes goes with --wait")
    line = silent if as_json else stamped(warehouse.settings.zone)
    with transactions(warehouse, "pause") as (cursor, registry):
        steering.pause(cursor, registry, route, steering.at_the_shell())
        cursor.connection.commit()
        agenda.take_turn(cursor, registry)
        running = _running(cursor, registry, route)
        if wait:
            running = _wait_for(cursor, registry, route, minutes, line)
    if as_json:
        show_json({"paused": True, "route": route, "running": running})
    still = f"; still running: {', '.join(running)}" if running else ""
    line(f"{f'route {route} ' if route else ''}paused{still}")
    if wait and running:
        sys.exit(1)


def _running(cursor: Cursor, registry: Registry, route: str | None) -> list[str]:
    """The tasks that are running, of one route or all."""
    from dapu.registry import agenda

    tasks = [task for _, task in agenda.running(cursor, registry)]
    return [task for task in tasks if route in (None, task.partition(".")[0])]


def _wait_for(
    cursor: Cursor,
    registry: Registry,
    route: str | None,
    minutes: float | None,
    line: Callable[[str], None],
) -> list[str]:
    """Waits until no job is running, or the minutes are over; returns what still is."""
    from dapu.registry import workers

    until = math.inf if minutes is None else time.monotonic() + minutes * 60
    shown: list[str] = []
    while (running := _running(cursor, registry, route)) and time.monotonic() < until:
        if running != shown:
            line("waits for: " + ", ".join(running))
        shown = running
        cursor.connection.commit()
        time.sleep(_POLL)
        workers.free_jobs_of_the_dead(cursor, registry)  # nobody else may look in a pause
    return running


@click.command("resume")
@WAREHOUSE
@_ROUTE
@AS_JSON
def resume(warehouse: Warehouse, route: str | None, as_json: bool) -> None:
    """End a pause.

    A paused warehouse and a paused route are resumed apart.

    \b
    Examples:
      dapu resume finances
      dapu resume finances --route erp
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.components import steering

    with transactions(warehouse, "resume") as (cursor, registry):
        was_paused = steering.resume(cursor, registry, route, steering.at_the_shell())
    if as_json:
        show_json({"paused": False, "route": route, "was_paused": was_paused})
    else:
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
    from dapu.components import steering

    with transactions(warehouse, "retry") as (cursor, registry):
        queued = steering.retry_job(cursor, registry, job, steering.at_the_shell())
    if as_json:
        show_json({"job": queued.job, "task": queued.task})
    else:
        say(f"{queued.task}: job {queued.job} queued")


@click.command("cancel")
@WAREHOUSE
@click.argument("job", type=int)
@AS_JSON
def cancel(warehouse: Warehouse, job: int, as_json: bool) -> None:
    """Cancel a waiting or running JOB. Of a running one nothing is kept.

    Example: dapu cancel finances 1042
    """
    from dapu.components import steering

    with transactions(warehouse, "cancel") as (cursor, registry):
        done = steering.cancel_job(cursor, registry, job, steering.at_the_shell())
    if as_json:
        show_json({"job": job, "task": done.task, "was": done.was})
    else:
        say(f"{done.task}: job {job}, which was {done.was}, is cancelled")


@contextmanager
def transactions(warehouse: Warehouse, purpose: str) -> Iterator[tuple[Cursor, Registry]]:
    """A session on a warehouse whose registry exists; committed at the end."""
    from dapu.registry.version import check_registry, registry_of

    registry = registry_of(warehouse)
    with warehouse.session(purpose) as session, session, session.cursor() as cursor:
        check_registry(cursor, registry)
        yield cursor, registry


COMMANDS = (pause, resume, retry, cancel)
