"""Several worker processes at once, reporting to one terminal."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

from dapu.errors import DapuError
from dapu.job import Outcome
from dapu.registry.agenda import Job
from dapu.registry.events import Level
from dapu.warehouse import open_warehouse
from dapu.worker import Reporter, Tally, Worker, stop_on_signals


class _Relay:
    """A reporter that hands everything to the parent process."""

    def __init__(self, queue: Queue[Any]) -> None:
        self._queue = queue

    def started(self, job: Job) -> None:
        self._queue.put(("started", job))

    def progress(self, job: Job, rows: int) -> None:
        self._queue.put(("progress", job, rows))

    def ended(self, job: Job, outcome: Outcome) -> None:
        self._queue.put(("ended", job, outcome))

    def note(self, level: Level, task: str, message: str) -> None:
        self._queue.put(("note", level, task, message))


def run_processes(folder: Path, count: int, minutes: float, reporter: Reporter) -> Tally:
    """Runs `count` workers, each a process of its own; returns what they did together.

    SIGTERM and Ctrl-C are passed on to each. Raises DapuError with what a worker could not start
    for, and when a worker died.
    """
    context = multiprocessing.get_context("spawn")
    queue: Queue[Any] = context.Queue()
    children = [
        context.Process(target=_work, args=(str(folder), minutes, queue), name=f"worker {number}")
        for number in range(1, count + 1)
    ]
    for child in children:
        child.start()
    _pass_signals_on(children)
    tally = Tally()
    faults: list[str] = []
    listener = threading.Thread(target=_listen, args=(queue, reporter, tally, faults))
    listener.start()
    for child in children:
        child.join()
    queue.put(None)
    listener.join()
    died = [child.name for child in children if child.exitcode]
    if died and not faults:
        faults.append(f"{', '.join(died)} died; the jobs in hand wait again")
    if faults:
        raise DapuError(faults[0])
    return tally


def _listen(queue: Queue[Any], reporter: Reporter, tally: Tally, faults: list[str]) -> None:
    while (message := queue.get()) is not None:
        what, *values = message
        if what == "fault":
            faults.append(values[0])
            continue
        if what == "ended":
            tally.add(*values)
        getattr(reporter, what)(*values)


def _pass_signals_on(children: list[Any]) -> None:
    def on_signal(number: int, _: object) -> None:
        for child in children:
            if child.is_alive() and number != signal.SIGINT:  # a terminal sends Ctrl-C to all
                child.terminate()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)


def _work(folder: str, minutes: float, queue: Queue[Any]) -> None:
    try:
        worker = Worker(open_warehouse(Path(folder)), _Relay(queue), minutes)
        stop_on_signals(worker)
        worker.run()
    except DapuError as error:
        queue.put(("fault", str(error)))
