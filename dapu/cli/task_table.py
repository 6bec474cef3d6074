"""The tasks of `dapu status`, a line each, for any width of terminal.

Ten thousand lines are drawn in a moment, for which rich needs long. No name of a task is ever cut
or broken: where a terminal is narrow, the message is cut, then columns go, and at last what is
left stands below the name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from unicodedata import east_asian_width

import click

from dapu.durations import show_duration
from dapu.registry.overview import FAILED, Overview
from dapu.warehouse.settings import Settings

_LEAST_MESSAGE = 16  # characters; with fewer it says nothing
_GAP = "  "
_BARS = "▁▂▃▄▅▆▇█"
_MARKS = {"f": "✗", "l": "✗"}  # of runs that failed or were lost; others than `done` are a dot
_COLOURS = {
    **dict.fromkeys(FAILED, "red"),
    "late": "yellow",
    "running": "cyan",
    "f": "red",
    "l": "red",
    "d": "green",
    "done": "green",
    "blacklisted": "magenta",
    "upgrading": "magenta",
}


class _Column(NamedTuple):
    """A column. keep: which goes first where there is no room, the highest."""

    name: str
    keep: int
    right: bool = False


class _Line(NamedTuple):
    """What there is to say of a task. runs: first letters of how they ended, the newest last."""

    cells: list[str]
    message: str
    condition: str
    runs: str


_COLUMNS = (
    _Column("task", 0),
    _Column("state", 1),
    _Column("last runs", 4),
    _Column("ended", 2),
    _Column("took", 6, right=True),
    _Column("rows", 5, right=True),
    _Column("next run", 3),
)


def task_table(
    tasks: Sequence[Overview],
    settings: Settings,
    at: datetime,
    *,
    width: int | None,
    colours: bool,
) -> list[str]:
    """The lines of the table. width: of the terminal, in characters; None for any."""
    head = _Line([column.name for column in _COLUMNS], "message", "", "")
    lines = [head, *(_line(one, settings, at) for one in tasks)]
    columns = zip(*(line.cells for line in lines), strict=True)
    widths = [max(map(len if i else _width, cells)) for i, cells in enumerate(columns)]
    shown, left = _fitting(widths, width)
    below = len(shown) < 2
    if below:
        shown, left = [i for i, column in enumerate(_COLUMNS) if 0 < column.keep < 3], 0
    drawn = []
    for line in lines:
        cells = [_aligned(line.cells[i], widths[i], _COLUMNS[i]) for i in shown]
        if colours:
            cells = _coloured(cells, shown, line)
        if left is None or left >= _LEAST_MESSAGE:
            cells.append(_cut(line.message, left))
        text = _GAP.join(cells).rstrip()
        drawn += [line.cells[0], _GAP + text] if below else [text]
    return drawn


def _fitting(widths: Sequence[int], width: int | None) -> tuple[list[int], int | None]:
    """The columns that there is room for, and how many characters that leaves for the message."""
    if width is None:
        return list(range(len(widths))), None
    shown: set[int] = set()
    used = 0
    for position in sorted(range(len(widths)), key=lambda i: _COLUMNS[i].keep):
        if used + widths[position] > width:
            break
        shown.add(position)
        used += widths[position] + len(_GAP)
    return sorted(shown), width - used


def _line(task: Overview, settings: Settings, at: datetime) -> _Line:
    condition = task.condition(at)
    endings, seconds = (task.run_endings or "")[::-1], (task.run_seconds or [])[::-1]
    cells = [
        task.task,
        condition,
        strip(endings, seconds),
        _time(task.last_ended_at, settings),
        show_duration(task.took) if task.took is not None else "",
        f"{task.rows:,}" if task.rows is not None else "",
        _time(task.next_run(settings, at), settings),
    ]
    return _Line(cells, _message(task), condition, endings)


def _time(at: datetime | None, settings: Settings) -> str:
    return at.astimezone(settings.zone).isoformat(" ", "seconds")[:19] if at is not None else ""


def strip(endings: str, seconds: Sequence[float]) -> str:
    """Runs as one character each: a bar as high as it took long, a cross for one that failed.

    endings: the first letters of how each ended. seconds: how long each took.
    """
    runs = list(zip(endings, seconds, strict=True))
    longest = max((took for letter, took in runs if letter == "d"), default=0)
    scale = (len(_BARS) - 1) / longest if longest else 0
    return "".join(
        _BARS[round(took * scale)] if letter == "d" else _MARKS.get(letter, "·")
        for letter, took in runs
    )


def _message(task: Overview) -> str:
    text = task.fault or task.now_message or _missed(task) or _renamed(task) or task.message or ""
    text = " ".join(text.split())
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def _missed(task: Overview) -> str:
    masters = ", ".join(task.corrected_masters)
    return f"the past of {masters} changed; see `dapu status DIR {task.task}`" if masters else ""


def _renamed(task: Overview) -> str:
    if task.renamed is None:
        return ""
    old, new = task.renamed["old"], task.renamed["new"]
    return f"{old} was perhaps renamed to {new} in the source; see `dapu status DIR {task.task}`"


def _coloured(cells: Sequence[str], shown: Sequence[int], line: _Line) -> list[str]:
    painted = list(cells)
    for place, position in enumerate(shown):
        name, text = _COLUMNS[position].name, cells[place]
        if name == "state":
            painted[place] = _painted(text, line.condition)
        elif name == "last runs":
            marks = zip(text, line.runs, strict=False)
            runs = (_painted(mark, status) for mark, status in marks)
            painted[place] = "".join(runs) + text[len(line.runs) :]
    return painted


def _painted(text: str, condition: str) -> str:
    colour = _COLOURS.get(condition)
    return click.style(text, fg=colour) if colour else text


def _aligned(text: str, width: int, column: _Column) -> str:
    if not text.isascii():
        width -= _width(text) - len(text)
    return text.rjust(width) if column.right else text.ljust(width)


def _cut(text: str, width: int | None) -> str:
    if width is None or _width(text) <= width:
        return text
    text = text[:width]
    while _width(text) >= width:
        text = text[:-1]
    return text + "…"


def _width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
