"""What goes to the terminal, to a log file, or to another program."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dapu.durations import show_duration
from dapu.secrets import redact

_WIDE = 100_000  # columns, where no terminal breaks the lines


def is_terminal() -> bool:
    """Whether a person is watching."""
    return sys.stdout.isatty()


def console() -> Console:
    """For tables and progress."""
    return Console(highlight=False) if is_terminal() else Console(highlight=False, width=_WIDE)


def say(text: str) -> None:
    """A line to standard output, without secrets."""
    click.echo(redact(text))


def complain(text: str) -> None:
    """A line to standard error, without secrets."""
    click.echo(redact(text), err=True)


def stamped(zone: tzinfo) -> Callable[[str], None]:
    """Says lines plainly on a terminal, and with a time stamp under cron."""

    def line(text: str) -> None:
        say(text if is_terminal() else f"{datetime.now(zone):%Y-%m-%d %H:%M:%S} {text}")

    return line


def silent(_: str) -> None:
    """Says nothing: where the output is data."""


def show_json(data: Any) -> None:
    """Data for another program."""
    click.echo(redact(json.dumps(data, indent=2, default=_plain, ensure_ascii=False)))


def show_table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Rows for a person; numbers to the right."""
    shown = [list(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for position, name in enumerate(names):
        numbers = all(_is_number(row[position]) for row in shown)
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for row in shown:
        table.add_row(*(Text(redact(show_value(value))) for value in row))
    console().print(table)


def show_value(value: Any) -> str:
    """A value as a person reads it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case timedelta():
            return show_duration(value)
    return str(value)


def _is_number(value: Any) -> bool:
    return value is None or (not isinstance(value, bool) and hasattr(value, "__float__"))


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
