"""The commands by which an operator keeps tasks off, or has them read everything again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import AS_JSON, SOME_TASKS, WAREHOUSE
from dapu.cli.console import say, show_json
from dapu.cli.steering import transactions
from dapu.durations import parse_duration, write_duration
from dapu.text import counted

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from dapu.registry.store import Registry
    from dapu.warehouse.warehouse import Warehouse


def _length(_: click.Context, __: click.Parameter, text: str | None) -> timedelta | None:
    try:
        length = parse_duration(text) if text else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if length == timedelta(0):
        raise click.BadParameter(f"{text!r} is no time at all; write, for example, `4 hours`")
    return length


@click.command("blacklist")
@WAREHOUSE
@SOME_TASKS
@click.option("--for", "length", callback=_length, metavar="TIME", help="So long, as `2 days`.")
@click.option("--note", help="Why, for the next operator.")
@click.option("--end", is_flag=True, help="End it: they are queued again when they are due.")
@AS_JSON
def blacklist(
    warehouse: Warehouse,
    selectors: tuple[str, ...],
    length: timedelta | None,
    note: str | None,
    end: bool,
    as_json: bool,
) -> None:
    """Keep TASK from being queued by the Manager or a master.

    What waits or runs already goes on, and by hand it can still be run.

    \b
    Examples:
      dapu blacklist finances erp.staging.invoice --for '2 days' --note 'the ERP is moved'
      dapu blacklist finances tag:nightly --end
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.components import steering

    if end and (length or note):
        raise click.UsageError("--end goes without --for and --note")
    by = steering.at_the_shell()
    with transactions(warehouse, "blacklist") as (cursor, registry):
        tasks = _chosen(cursor, registry, selectors)
        if end:
            done = steering.unblacklist(cursor, registry, tasks, by)
        else:
            done = steering.blacklist(cursor, registry, tasks, by, length, note)
    what = f"blacklisted{f' for {write_duration(length)}' if length else ''}"
    _show(done, len(tasks), "no longer blacklisted" if end else what, as_json)


@click.command("watermark")
@WAREHOUSE
@SOME_TASKS
@click.option("--clear", is_flag=True, help="Forget it: the next run reads everything.")
@AS_JSON
def watermark(warehouse: Warehouse, selectors: tuple[str, ...], clear: bool, as_json: bool) -> None:
    """Show how far TASK has read its source, or forget that.

    With --clear nothing is deleted: where rows are appended, those that are in the table already
    come a second time.

    Example: dapu watermark finances erp.staging.invoice --clear
    """
    from dapu.components import steering

    with transactions(warehouse, "watermark") as (cursor, registry):
        tasks = _chosen(cursor, registry, selectors)
        if clear:
            done = steering.clear_watermarks(cursor, registry, tasks, steering.at_the_shell())
            _show(done, len(tasks), "its next run reads everything", as_json)
            return
        marks = steering.watermarks(cursor, registry, tasks)
    if as_json:
        show_json(marks)
    else:
        for task in tasks:
            say(f"{task}: {marks.get(task, 'has no watermark')}")


def _chosen(cursor: Cursor, registry: Registry, selectors: Sequence[str]) -> list[str]:
    from dapu.registry.selectors import select, selectable

    return select(selectors, selectable(cursor, registry))


def _show(done: Sequence[str], chosen: int, what: str, as_json: bool) -> None:
    if as_json:
        show_json({"tasks": done})
        return
    for task in done:
        say(f"{task}: {what}")
    if not done:
        say(f"nothing was to be done to {counted(chosen, 'task')}")


COMMANDS = (blacklist, watermark)
