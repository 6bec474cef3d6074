"""`dapu top`: what runs, what is next and what ended, on a terminal of any size."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from dapu.cli.arguments import AS_JSON, WAREHOUSE
from dapu.cli.console import is_terminal, say, show_json, show_table, shown_value

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor
    from rich.console import Group

    from dapu.registry.activity import Activity
    from dapu.registry.store import Registry
    from dapu.warehouse.warehouse import Warehouse

_GAP = "  "
_LEAST_MESSAGE = 16  # characters; with fewer it says nothing
_NUMBERS = ("job", "for", "took", "rows", "priority")
_GO_LAST = ("task", "status", "at", "for", "not before", "message")
"""The columns that a narrow terminal keeps longest, the most wanted first."""


class Section(NamedTuple):
    """A title, and a table below it."""

    title: str
    names: tuple[str, ...]
    rows: list[tuple[Any, ...]]


@click.command("top")
@WAREHOUSE
@click.option("--every", type=click.FloatRange(min=0.2), default=2.0, help="Seconds; default 2.")
@AS_JSON
def top(warehouse: Warehouse, every: float, as_json: bool) -> None:
    """Watch what runs, what is next and what ended.

    Until Ctrl-C; where no person watches, once.

    Example: dapu top finances
    """
    from dapu.registry.activity import activity
    from dapu.registry.version import check_registry, registry_of

    registry = registry_of(warehouse)
    with warehouse.session("top") as session, session.cursor() as cursor:
        session.autocommit = True
        check_registry(cursor, registry)
        if as_json:
            found = activity(cursor, registry)
            show_json({name: [one._asdict() for one in rows] for name, rows in _named(found)})
        elif is_terminal():
            with suppress(KeyboardInterrupt):
                _watch(cursor, registry, warehouse, every)
        else:
            for one in sections(activity(cursor, registry), warehouse.settings.zone):
                say(one.title)
                show_table(one.names, one.rows)


def _named(found: Activity) -> list[tuple[str, list[Any]]]:
    return [("running", found.running), ("next", found.next), ("ended", found.ended)]


def sections(found: Activity, zone: tzinfo) -> list[Section]:
    """What there is to see."""
    return [
        Section(
            f"{len(found.running)} running, {found.waiting} waiting, {found.workers} workers",
            ("task", "job", "for", "rows", "worker"),
            [(j.task, j.job, j.took, j.rows, f"{j.worker} on {j.host}") for j in found.running],
        ),
        Section(
            "Next:",
            ("task", "job", "priority", "not before"),
            [(j.task, j.job, j.priority, j.not_before.astimezone(zone)) for j in found.next],
        ),
        Section(
            "Ended:",
            ("task", "job", "status", "at", "took", "rows", "message"),
            [
                (j.task, j.job, j.status, j.ended_at.astimezone(zone), j.took, j.rows, j.message)
                for j in found.ended
            ],
        ),
    ]


def page_lines(shown: Sequence[Section], now: datetime, width: int, height: int) -> list[str]:
    """The page, a line a job: columns go where it is narrow, and the last lines where it is low."""
    lines: list[str] = []
    for section in shown:
        table = _table(section, now, width) if section.rows else []
        lines += [*([""] if lines else []), section.title if table else f"{section.title} -"]
        lines += table
    return [line[:width] for line in lines[:height]]


def _table(section: Section, now: datetime, width: int) -> list[str]:
    cells = [section.names, *(tuple(_cell(one, now) for one in row) for row in section.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    kept, left = _fitting(section.names, widths, width)
    return [_line(section.names, row, widths, kept, left) for row in cells]


def _fitting(names: Sequence[str], widths: Sequence[int], width: int) -> tuple[list[int], int]:
    """The columns that there is room for, and how many characters that leaves for the message."""
    order = [names.index(name) for name in _GO_LAST if name in names]
    order += [place for place in range(len(names)) if place not in order]
    left, kept = width + len(_GAP), list[int]()
    for place in order:
        is_message = names[place] == "message"
        needed = (min(_LEAST_MESSAGE, widths[place]) if is_message else widths[place]) + len(_GAP)
        if kept and needed > left:
            break
        kept.append(place)
        left -= needed
    return sorted(kept), left + _LEAST_MESSAGE


def _line(
    names: Sequence[str], row: Sequence[str], widths: Sequence[int], kept: list[int], left: int
) -> str:
    cells = []
    for place in kept:
        text = row[place]
        if names[place] == "message":
            cells.append(text if len(text) <= left else text[: left - 1] + "…")
        elif names[place] in _NUMBERS:
            cells.append(text.rjust(widths[place]))
        else:
            cells.append(text.ljust(widths[place]))
    return _GAP.join(cells).rstrip()


def _cell(value: Any, now: datetime) -> str:
    """A value in one line; of a time of today without its date."""
    if isinstance(value, datetime) and value.date() == now.date():
        return f"{value:%H:%M:%S}"
    text = f"{value:,}" if isinstance(value, int) else shown_value(value)
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


def _watch(cursor: Cursor, registry: Registry, warehouse: Warehouse, every: float) -> None:
    from rich.live import Live

    zone = warehouse.settings.zone
    with Live(_page(cursor, registry, zone), screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(every)
            live.update(_page(cursor, registry, zone), refresh=True)


def _page(cursor: Cursor, registry: Registry, zone: tzinfo) -> Group:
    from rich.console import Group
    from rich.text import Text

    from dapu.cli.console import console
    from dapu.registry.activity import activity

    shown = sections(activity(cursor, registry), zone)
    lines = page_lines(shown, datetime.now(zone), *console().size)
    return Group(*(Text(line, no_wrap=True) for line in lines))


COMMANDS = (top,)
