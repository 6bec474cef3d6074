"""`dapu worker`: runs what is queued."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import WAREHOUSE
from dapu.cli.console import complain, stamped
from dapu.cli.cores import ProcessCount
from dapu.errors import DapuError
from dapu.text import counted

if TYPE_CHECKING:
    from dapu.warehouse.warehouse import Warehouse
    from dapu.worker.worker import JobCounts

_ENDINGS = {"waiting": "to be tried again"}


@click.command("worker")
@WAREHOUSE
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Take no new job after so many minutes (27).",
)
@click.option(
    "--processes",
    type=ProcessCount(),
    metavar="N",
    help="Run so many workers at once (1); `cores`: as many as it may use.",
)
@click.option(
    "--stay", is_flag=True, help="Wait for jobs when none is left: for systemd and Kubernetes."
)
def worker(warehouse: Warehouse, minutes: float | None, processes: int | None, stay: bool) -> None:
    """Run the jobs that are queued, the most urgent first.

    Ends when its minutes are over or nothing is left; with --stay, when it is stopped or the
    --minutes that were given are over. SIGTERM lets the job in hand end for some
    seconds and then gives it back; Ctrl-C gives it back at once. Exit status 1 when the last job
    of a task failed, also when it will be tried again.

    \b
    Examples:
      dapu worker finances --processes 4
      dapu worker finances --processes cores --stay
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.cli.reporting import open_reporter
    from dapu.components.metrics import write_metrics
    from dapu.components.notifier import Notifier
    from dapu.worker.processes import run_processes
    from dapu.worker.worker import Worker, stop_on_signals

    settings = warehouse.settings.worker
    time = minutes or (math.inf if stay else settings.minutes)
    count = processes or settings.processes
    with (
        open_reporter(warehouse) as reporter,
        Notifier(warehouse, lambda fault: reporter.note("warning", "", fault)),
    ):
        if count > 1:
            counts = run_processes(warehouse.folder, count, time, reporter, stays=stay)
        else:
            one = Worker(warehouse, reporter, time, stays=stay)
            stop_on_signals(one)
            counts = one.run()
    try:
        write_metrics(warehouse)
    except (DapuError, OSError) as error:
        counts.faults.append(f"metrics_file: {error}")
    show_counts(warehouse, counts)


def show_counts(warehouse: Warehouse, counts: JobCounts) -> None:
    """Says how the jobs came out; ends with status 1 when something went wrong."""
    line = stamped(warehouse.settings.zone)
    if counts.jobs:
        endings = sorted(counts.endings.items())
        each = ", ".join(f"{count:,} {_ENDINGS.get(what, what)}" for what, count in endings)
        line(f"worker: {counted(counts.jobs, 'job')}: {each}")
    elif not counts.faults:
        line(f"worker: {_why_idle(warehouse)}")
    wrong = [*counts.faults, *_wrong(warehouse, counts)]
    for text in wrong:
        stamped(warehouse.settings.zone, complain)(f"dapu: {text}")
    if wrong:
        sys.exit(1)


def _why_idle(warehouse: Warehouse) -> str:
    from dapu.registry import control
    from dapu.registry.version import registry_of

    with warehouse.session("worker") as session, session.cursor() as cursor:
        pause = control.paused(cursor, registry_of(warehouse))
    if pause is None:
        return "nothing is due"
    return (
        f"the warehouse is paused (by {pause.get('by')}); nothing is started until "
        f"`dapu resume {_shown(warehouse.folder)}`"
    )


def _wrong(warehouse: Warehouse, counts: JobCounts) -> list[str]:
    """A line for each way in which tasks went wrong."""
    texts = {
        "failed": "failed",
        "lost": "lost",
        "waiting": "failed, and will be tried again",
        "done": "loaded, and failed after the commit",
    }
    hint = f"see `dapu status {_shown(warehouse.folder)} TASK`"
    lines = []
    for ending, text in texts.items():
        names = sorted(task for task, how in counts.failing.items() if how == ending)
        if names:
            lines.append(f"{text}: {', '.join(names)}; {hint}")
    return lines


def _shown(folder: Path) -> Path:
    """The folder as it is written from here, where that is shorter."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


COMMANDS = (worker,)
