"""`dapu logs`: what happened."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from dapu.cli.arguments import ALL_OR_SOME_TASKS, AS_JSON, SINCE, WAREHOUSE, moment
from dapu.cli.console import has_colours, say
from dapu.cli.failed_sql import show_failed_at

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from dapu.registry.events import Level, LoggedEvent
    from dapu.registry.store import Registry
    from dapu.warehouse.warehouse import Warehouse

_EVENTS = 100  # that are shown without a limit or a time
_POLL = 1.0  # seconds
_MARGIN = timedelta(minutes=1)
_COLOURS = {"error": "red", "warning": "yellow"}


@click.command("logs")
@WAREHOUSE
@ALL_OR_SOME_TASKS
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@SINCE
@click.option("--job", type=int, help="Only what belongs to this job.")
@click.option(
    "--level",
    type=click.Choice(["info", "warning", "error"]),
    default="info",
    help="Only events of this weight and above.",
)
@click.option("--limit", type=click.IntRange(min=1), help="The newest; default 100.")
@AS_JSON
def logs(
    warehouse: Warehouse, selectors: tuple[str, ...], follow: bool, as_json: bool, **only: Any
) -> None:
    """Show what happened, of all tasks or of TASK.

    The newest events come last. With --json each is a line. With --job an error has the SQL as it
    was sent.

    \b
    Examples:
      dapu logs finances
      dapu logs finances erp.staging.invoice --follow
      dapu logs finances 'staging.*' --since yesterday --level warning
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.registry.version import check_registry, registry_of

    registry = registry_of(warehouse)
    ends = [KeyboardInterrupt] if follow else []  # who follows has seen enough
    with warehouse.session("logs") as session, session.cursor() as cursor, suppress(*ends):
        session.autocommit = True
        check_registry(cursor, registry)
        for event in _events(cursor, registry, warehouse, selectors, follow=follow, **only):
            in_full = only["job"] is not None
            _show(event, warehouse.settings.zone, as_json=as_json, in_full=in_full)


def _events(
    cursor: Cursor,
    registry: Registry,
    warehouse: Warehouse,
    selectors: Sequence[str],
    *,
    follow: bool,
    since: str | None,
    limit: int | None,
    job: int | None,
    level: Level,
) -> Iterator[LoggedEvent]:
    from dapu.registry import events
    from dapu.registry.selectors import select, selectable

    after = moment(since, warehouse.settings.zone) if since else None
    most = limit or (None if after else _EVENTS)
    tasks = select(selectors, selectable(cursor, registry)) if selectors else None
    read = partial(events.log, cursor, registry, tasks, job, level)
    # One that began earlier may be committed later: those of the last minute are asked for again.
    before = read(events.now(cursor) - _MARGIN, None) if follow else []
    found = read(after, most)
    yield from found
    seen = {event.number: event.at for event in [*before, *found]}
    while follow:
        time.sleep(_POLL)
        since_then = events.now(cursor) - _MARGIN
        found = read(since_then, None, list(seen))
        yield from found
        seen |= {event.number: event.at for event in found}
        seen = {number: at for number, at in seen.items() if at > since_then}


def _show(event: LoggedEvent, zone: tzinfo, *, as_json: bool, in_full: bool) -> None:
    if as_json:
        say(json.dumps(event._asdict(), default=str, ensure_ascii=False))
        return
    parts = [f"{event.at.astimezone(zone):%Y-%m-%d %H:%M:%S}", event.level.ljust(7)]
    if has_colours() and event.level in _COLOURS:
        parts[1] = click.style(parts[1], fg=_COLOURS[event.level])
    of = [event.task, event.job and f"job {event.job}", event.action and f"action {event.action}"]
    say(" ".join([*parts, ", ".join(str(one) for one in of if one)]) + f": {event.message}")
    if in_full:
        show_failed_at(event.data)


COMMANDS = (logs,)
