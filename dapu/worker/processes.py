"""Several worker processes at once, reporting to one terminal.

Each child is joined to its parent by a pipe of its own. What the child does goes up; down goes
only that it is to stop. By the end of the pipe each learns that the other has ended: a child whose
parent was killed stops as on SIGTERM, and leaves no orphan.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import psycopg2

from dapu.errors import ConfigurationError, DapuError
from dapu.registry.agenda import Job
from dapu.registry.events import Level
from dapu.secrets import redact
from dapu.warehouse.warehouse import open_warehouse
from dapu.worker.job import Outcome
from dapu.worker.worker import GRACE, JobCounts, Reporter, Worker, stop_on_signals


def run_processes(
    folder: Path, count: int, minutes: float, reporter: Reporter, *, stays: bool = False
) -> JobCounts:
    """Runs `count` workers, each a process of its own; returns what they did together.

    stays: see `Worker`.

    SIGTERM and Ctrl-C stop each of them as they stop a single worker. Raises DapuError when a
    worker cannot start or go on, with what it says.
    """
    # Children inherit that; a terminal sends Ctrl-C to all, and they shall have it from here.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children = [_start(folder, number, minutes, stays) for number in range(1, count + 1)]
    _pass_signals_on(children)
    counts = _listen(children, reporter)
    for child in children:
        child.process.join()
        if child.process.exitcode and child.fault is None:
            counts.faults.append(
                f"{child.process.name} died ({_cause(child)}); its job waits again"
            )
    faults = [child.fault for child in children if child.fault is not None]
    if faults:
        raise faults[0]
    return counts


@dataclass
class _Child:
    """A worker process, and our end of the pipe to it. fault: why it ended, when it could say."""

    process: SpawnProcess
    pipe: Connection
    fault: DapuError | None = None

    def stop(self, grace: float) -> None:
        """Asks it to take no new job, and to give the one in hand back after `grace` seconds."""
        with suppress(OSError):  # it has ended already
            self.pipe.send(grace)


def _start(folder: Path, number: int, minutes: float, stays: bool) -> _Child:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    name = f"worker {number}"
    process = context.Process(target=_work, args=(folder, minutes, stays, theirs), name=name)
    process.start()
    theirs.close()
    return _Child(process, ours)


def _listen(children: Sequence[_Child], reporter: Reporter) -> JobCounts:
    """Passes on what the children report until all have ended; returns their counts together."""
    counts, noted = JobCounts(), list[Any]()
    by_pipe: dict[Any, _Child] = {child.pipe: child for child in children}
    while by_pipe:
        for pipe in multiprocessing.connection.wait(list(by_pipe)):
            child = by_pipe[pipe]
            try:
                what, *values = child.pipe.recv()
            except (EOFError, OSError):
                del by_pipe[pipe]
                continue
            if what == "fault":
                child.fault = values[0]
                continue
            if what == "ended":
                counts.add(*values)
            if what == "note":
                if values == noted:  # all of them wait for one thing, and each says so
                    continue
                noted = values
            getattr(reporter, what)(*values)
    return counts


def _cause(child: _Child) -> str:
    code = child.process.exitcode or 0
    return f"exit status {code}" if code > 0 else signal.Signals(-code).name


def _pass_signals_on(children: Sequence[_Child]) -> None:
    """The first SIGTERM leaves time for the jobs in hand; a second, or Ctrl-C, leaves none."""
    was_asked = False

    def on_signal(number: int, _: object) -> None:
        nonlocal was_asked
        at_once = was_asked or number == signal.SIGINT
        was_asked = True
        for child in children:
            child.stop(0 if at_once else GRACE)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)


class _Relay:
    """A reporter that hands everything to the parent process."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()  # progress comes from another thread

    def started(self, job: Job) -> None:
        self.send("started", job)

    def progress(self, job: Job, rows: int) -> None:
        self.send("progress", job, rows)

    def ended(self, job: Job, outcome: Outcome) -> None:
        self.send("ended", job, outcome)

    def note(self, level: Level, task: str, message: str) -> None:
        self.send("note", level, task, message)

    def send(self, *message: Any) -> None:
        with self._lock, suppress(OSError):  # the parent has ended
            self._pipe.send(message)


def _work(folder: Path, minutes: float, stays: bool, pipe: Connection) -> None:
    """One child: a worker until it has done, or is to stop."""
    relay = _Relay(pipe)
    try:
        worker = Worker(open_warehouse(folder), relay, minutes, stays=stays)
        stop_on_signals(worker, signal.SIGTERM)
        _stop_when_asked(worker, pipe)
        worker.run()
    except (DapuError, psycopg2.Error) as error:
        kind = ConfigurationError if isinstance(error, ConfigurationError) else DapuError
        relay.send("fault", kind(redact(str(error)).strip()))
        sys.exit(1)
    except Exception:  # noqa: BLE001 - whatever it is, the parent reports it, without secrets
        relay.send("fault", DapuError(redact(traceback.format_exc())))
        sys.exit(1)


def _stop_when_asked(worker: Worker, pipe: Connection) -> None:
    def listen() -> None:
        with suppress(EOFError, OSError):
            while True:
                worker.stop(pipe.recv())
        worker.stop()  # the parent has ended

    threading.Thread(target=listen, name="dapu-parent", daemon=True).start()
