"""How a worker's doings are shown: bars on a terminal, lines with time stamps under cron."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dapu.cli.console import is_terminal, stamped
from dapu.registry.agenda import Job
from dapu.registry.events import Level
from dapu.warehouse.warehouse import Warehouse
from dapu.worker.job import Outcome
from dapu.worker.worker import Reporter


class Lines:
    """One line at the beginning and one at the end of each job."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._say = stamped(warehouse.settings.zone)

    def started(self, job: Job) -> None:
        """See `Reporter`."""
        again = f", try {job.tries}" if job.tries > 1 else ""
        self._say(f"{job.task}: job {job.number} started{again}")

    def progress(self, job: Job, rows: int) -> None:
        """See `Reporter`. A log needs no bar."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """See `Reporter`."""
        self._say(f"{job.task}: job {job.number} {outcome.status}: {outcome.message}")

    def note(self, level: Level, task: str, message: str) -> None:
        """See `Reporter`."""
        self._say(": ".join(part for part in (level, task, message) if part))


@contextmanager
def open_reporter(warehouse: Warehouse) -> Iterator[Reporter]:
    """The reporter that fits where the output goes, for the length of a block."""
    if not is_terminal():
        yield Lines(warehouse)
        return
    from dapu.cli.progress import open_bars  # what draws them takes time to import

    with open_bars() as bars:
        yield bars
