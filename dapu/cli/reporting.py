"""How a worker's doings are shown: bars on a terminal, lines with time stamps under cron."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from dapu.cli.console import is_terminal, stamped
from dapu.registry.agenda import Job
from dapu.registry.events import Level
from dapu.warehouse.logs import log, logs_to_stderr
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
        self._say, self._by_hand = stamped(warehouse.settings.zone, logged=False), by_hand

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


class _Logged:
    """Each beginning and end of a job into the log."""

    def started(self, job: Job) -> None:
        """See `Reporter`."""
        log("info", "started", **_about(job))

    def progress(self, job: Job, rows: int) -> None:
        """See `Reporter`."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """See `Reporter`."""
        wrong = outcome.status in ("failed", "lost", "waiting") or outcome.fault is not None
        more = {"status": outcome.status, "rows": outcome.rows}
        log("error" if wrong else "info", outcome.message, **_about(job), **more)

    def note(self, level: Level, task: str, message: str) -> None:
        """See `Reporter`."""
        log(level, message, task=task or None)


def _about(job: Job) -> dict[str, Any]:
    return {"task": job.task, "job": job.number, "try": job.tries, "worker": job.worker}


class _Several:
    """What is reported to several reporters."""

    def __init__(self, reporters: Sequence[Reporter]) -> None:
        self._reporters = reporters

    def started(self, job: Job) -> None:
        """See `Reporter`."""
        for reporter in self._reporters:
            reporter.started(job)

    def progress(self, job: Job, rows: int) -> None:
        """See `Reporter`."""
        for reporter in self._reporters:
            reporter.progress(job, rows)

    def ended(self, job: Job, outcome: Outcome) -> None:
        """See `Reporter`."""
        for reporter in self._reporters:
            reporter.ended(job, outcome)

    def note(self, level: Level, task: str, message: str) -> None:
        """See `Reporter`."""
        for reporter in self._reporters:
            reporter.note(level, task, message)


class Silence:
    """Says nothing: where the output is data."""

    def started(self, job: Job) -> None:
        """See `Reporter`."""

    def progress(self, job: Job, rows: int) -> None:
        """See `Reporter`."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """See `Reporter`."""

    def note(self, level: Level, task: str, message: str) -> None:
        """See `Reporter`."""


@contextmanager
def open_reporter(warehouse: Warehouse, *, by_hand: bool = False) -> Iterator[Reporter]:
    """The reporters that fit where the output goes and what is configured, in a block."""
    with ExitStack() as stack:
        reporters: list[Reporter] = [_Logged()]
        if is_terminal():
            from dapu.cli.progress import open_bars  # what draws them takes time to import

            reporters.append(stack.enter_context(open_bars()))
        elif not logs_to_stderr():
            reporters.append(Lines(warehouse, by_hand=by_hand))
        several = _Several(reporters)
        if warehouse.settings.openlineage is not None:
            from dapu.worker.openlineage import OpenLineage

            settings = warehouse.settings.openlineage
            lineage = OpenLineage(
                warehouse, settings, lambda text: several.note("warning", "", text)
            )
            reporters.append(stack.enter_context(lineage))
        yield several
