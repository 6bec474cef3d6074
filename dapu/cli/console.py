"""What goes to the terminal, to a log file, or to another program."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from functools import cache
from itertools import repeat
from typing import TYPE_CHECKING, Any

import click

from dapu.secrets import redact
from dapu.text import shortened
from dapu.warehouse.logs import log, logs_to_stderr

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod
    from rich.table import Table

_LONGEST = 60  # characters of a value in a table
_WIDE = 100_000  # columns, where no terminal breaks the lines
_WARNING = "warning: "
_MANY = 100  # items
_NESTED = (dict, list, tuple)
_NUMBER = re.compile(r'"\\u0000([^"]*)"')


def is_terminal() -> bool:
    """Whether a person is watching."""
    return sys.stdout.isatty()


def has_colours() -> bool:
    """Whether colours are wanted: a person is watching, and has not said no (no-color.org)."""
    return is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def console() -> Console:
    """For tables and progress."""
    from rich.console import Console

    return Console(highlight=False) if is_terminal() else Console(highlight=False, width=_WIDE)


def say(text: str) -> None:
    """A line to standard output, without secrets."""
    click.echo(redact(text))


def complain(text: str) -> None:
    """A line to standard error, without secrets."""
    click.echo(redact(text), err=True)


def stamped(
    zone: tzinfo | None, to: Callable[[str], None] = say, *, logged: bool = True
) -> Callable[[str], None]:
    """Says lines plainly on a terminal, and under cron with the time and the command.

    zone: None for that of this machine. logged: they are the log of a component, and go where
    `logs:` of warehouse.yaml says too.
    """
    context = click.get_current_context(silent=True)
    command = f"{context.info_name}: " if context is not None else ""

    def line(text: str) -> None:
        if logged:
            level = "error" if to is complain else "info"
            said = text.removeprefix(command)
            level = "warning" if said.startswith(_WARNING) else level
            log(level, said.removeprefix(_WARNING))
        if logged and logs_to_stderr():
            return
        at = f"{datetime.now(zone):%Y-%m-%d %H:%M:%S}"
        to(text if is_terminal() else f"{at} {command}{text.removeprefix(command)}")

    return line


def silent(_: str) -> None:
    """Says nothing: where the output is data."""


def show_json(data: Any) -> None:
    """Data for another program."""
    click.echo(_json_text(data, indent=True))


def _json_text(data: Any, *, indent: bool = False, ensure_ascii: bool = True) -> str:
    try:
        text = _indented(data, "") if indent else _encoder(", ", ensure_ascii).encode(data)
    except ValueError:  # NaN or infinity
        return _json_text(_finite(data), indent=indent, ensure_ascii=ensure_ascii)
    # A number of any precision is good JSON, but json writes only those that Python counts with.
    return _NUMBER.sub(r"\1", text) if "\\u0000" in text else text


@cache
def _encoder(between: str, ensure_ascii: bool) -> json.JSONEncoder:
    return json.JSONEncoder(
        default=_plain, ensure_ascii=ensure_ascii, allow_nan=False, separators=(between, ": ")
    )


def _indented(value: Any, margin: str) -> str:
    """As json does it with `indent=2`, for which it leaves its C behind: three times as slow.

    Of many items each has a line, which takes a third of the time again.
    """
    inner = f"{margin}  "
    if isinstance(value, dict) and value:
        if any(isinstance(one, _NESTED) for one in value.values()):
            text = f",\n{inner}".join(_parts(value, inner))
        else:
            text = _encoder(f",\n{inner}", True).encode(value)[1:-1]
        return f"{{\n{inner}{text}\n{margin}}}"
    if isinstance(value, list | tuple) and value:
        is_long = len(value) > _MANY
        write = _encoder(", ", True).encode
        items = map(write, value) if is_long else map(_indented, value, repeat(inner))
        return f"[\n{inner}" + f",\n{inner}".join(items) + f"\n{margin}]"
    return _encoder(", ", True).encode(value)


def _parts(value: dict[Any, Any], inner: str) -> Iterator[str]:
    """The pairs; those between two that are nested are written at once."""
    flat: dict[str, Any] = {}
    encode = _encoder(f",\n{inner}", True).encode
    for key, one in value.items():
        if not isinstance(one, _NESTED):
            flat[str(key)] = one
            continue
        if flat:
            yield encode(flat)[1:-1]
            flat = {}
        yield f"{encode(str(key))}: {_indented(one, inner)}"
    if flat:
        yield encode(flat)[1:-1]


def _plain(value: Any) -> Any:
    """A value as JSON has it, where json itself knows none."""
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():  # the largest have no float
            return f"\0{value}" if value.is_finite() else str(value)
        case timedelta():
            return value.total_seconds()
    return shown_value(value)


def _finite(value: Any) -> Any:
    """The same, with texts in place of numbers that JSON does not have."""
    match value:
        case float():
            return value if math.isfinite(value) else str(value)
        case dict():
            return {key: _finite(one) for key, one in value.items()}
        case list() | tuple():
            return [_finite(one) for one in value]
    return value


def show_table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Rows for a person; numbers to the right."""
    console().print(table_of(names, rows))


def table_of(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """The same, to be printed."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = [list(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for position, name in enumerate(names):
        numbers = all(_is_number(row[position]) for row in shown)
        header = Text(name)
        side: JustifyMethod = "right" if numbers else "left"
        table.add_column(header, justify=side, overflow="fold", no_wrap=name == "task")
    for row in shown:
        table.add_row(*(Text(shown_value(value)) for value in row))
    return table


def one_line(value: Any) -> Any:
    """A value in one line; what a terminal would obey is shown and not sent."""
    if value is None or isinstance(value, bool | int | float):
        return value
    is_plain = not isinstance(value, (*_NESTED, bytes, memoryview))
    text = str(value) if is_plain else shown_value(value)
    return shortened("".join(c if c.isprintable() else repr(c)[1:-1] for c in text), _LONGEST)


def shown_value(value: Any) -> str:
    """A value as a person reads it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case timedelta():
            from dapu.durations import show_duration

            return show_duration(value)
        case bytes() | memoryview():
            return "\\x" + bytes(value).hex()
        case dict() | list():
            return _json_text(value, ensure_ascii=False)
    return str(value)


def _is_number(value: Any) -> bool:
    return value is None or (not isinstance(value, bool) and hasattr(value, "__float__"))
