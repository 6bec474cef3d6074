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

_MOST_ROWS = 3  # of those that a check found, in a line


def with_rows(outcome: Outcome) -> str:
    """The message, with rows that a failed check found: for a person, and for no log."""
    rows = [", ".join(f"{k} = {v}" for k, v in row.items()) for row in outcome.found[:_MOST_ROWS]]
    more = ["…"] if len(outcome.found) > _MOST_ROWS else []
    return f"{outcome.message}: {'; '.join([*rows, *more])}" if rows else outcome.message


class Lines:
    """One line at the beginning and one at the end of each job.

    by_hand: a person looks on; else the lines are a log, which gets no rows that checks found.
    """

    def __init__(self, warehouse: Warehouse, *, by_hand: bool = False) -> None:
        self._say, self._by_hand = stamped(warehouse.settings.zone), by_hand

    def started(self, job: Job) -> None:
        """See `Reporter`."""
        again = f", try {job.tries}" if job.tries > 1 else ""
        self._say(f"{job.task}: job {job.number} started{again}")

    def progress(self, job: Job, rows: int) -> None:
        """See `Reporter`. A log needs no bar."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """See `Reporter`."""
        message = with_rows(outcome) if self._by_hand else outcome.message
        self._say(f"{job.task}: job {job.number} {outcome.status}: {message}")

    def note(self, level: Level, task: str, message: str) -> None:
        """See `Reporter`."""
        self._say(": ".join(part for part in (level, task, message) if part))


@contextmanager
def open_reporter(warehouse: Warehouse, *, by_hand: bool = False) -> Iterator[Reporter]:
    """The reporter that fits where the output goes, for the length of a block."""
    if not is_terminal():
        yield Lines(warehouse, by_hand=by_hand)
        return
    from dapu.cli.progress import open_bars  # what draws them takes time to import

    with open_bars() as bars:
        yield bars
