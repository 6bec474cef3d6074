"""A worker's doings on a terminal, where a person watches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from dapu.cli.console import console
from dapu.cli.reporting import with_rows
from dapu.registry.agenda import Job
from dapu.registry.events import Level
from dapu.secrets import redact
from dapu.text import counted
from dapu.worker.job import Outcome

_MARKS = {
    "done": "[green]✓[/]",
    "skipped": "[yellow]-[/]",
    "cancelled": "[yellow]-[/]",
    "given back": "[yellow]-[/]",
}
_FAILED = "[red]✗[/]"


class Bars:
    """A bar for each running job, and a line for each that ended."""

    def __init__(self, on: Console, progress: Progress) -> None:
        self._console, self._progress = on, progress
        self._bars: dict[int, TaskID] = {}

    def started(self, job: Job) -> None:
        """See `Reporter`."""
        self._bars[job.number] = self._progress.add_task(job.task, total=None, rows="")

    def progress(self, job: Job, rows: int) -> None:
        """See `Reporter`."""
        if job.number in self._bars:
            self._progress.update(self._bars[job.number], rows=counted(rows, "row"))

    def ended(self, job: Job, outcome: Outcome) -> None:
        """See `Reporter`."""
        bar = self._bars.pop(job.number, None)
        if bar is not None:
            self._progress.remove_task(bar)
        mark = _MARKS.get(outcome.status, _FAILED)
        back = "given back: " if outcome.status == "given back" else ""
        self._console.print(f"{mark} {job.task}: {back}{escape(redact(with_rows(outcome)))}")

    def note(self, level: Level, task: str, message: str) -> None:
        """See `Reporter`."""
        text = ": ".join(part for part in (task, message) if part)
        self._console.print(f"[yellow]{level}[/] {escape(redact(text))}")


@contextmanager
def open_bars() -> Iterator[Bars]:
    """The bars, for the length of a block."""
    on = console()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[rows]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=on, transient=True) as progress:
        yield Bars(on, progress)
