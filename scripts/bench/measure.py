"""Runs programs and measures them: seconds, and the most memory that they held."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO

_SAMPLE = 0.1  # seconds between looks at the memory; each takes time from what is measured
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MOST_TEXT = 2_000  # of what a failed program said

Command = Sequence[str | Path]


class BenchError(Exception):
    """A measurement that could not be made; the message says why and what to do.

    status: the exit status of the program that failed. said: what it wrote.
    """

    def __init__(self, message: str, status: int = 0, said: str = "") -> None:
        super().__init__(message)
        self.status, self.said = status, said


@dataclass(frozen=True)
class Measured:
    """One run of a program. memory: the most that it and its children held at once, in bytes.

    lines: what it wrote to standard output, each line with the second at which it came.
    """

    seconds: float
    memory: int
    lines: tuple[tuple[float, str], ...] = ()


@dataclass
class Series:
    """The runs of one way of loading."""

    name: str
    seconds: list[float]
    memory: int = 0

    @property
    def median(self) -> float:
        """The middle run, in seconds."""
        return median(self.seconds)

    def shown(self) -> tuple[str, str]:
        """The middle run and all runs, for a table."""
        return f"{self.median:.2f}", " ".join(f"{second:.2f}" for second in self.seconds)


class Table(dict[str, Series]):
    """Series by name, in the order in which they were first measured.

    failed: why a way did not come through, by its name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failed: dict[str, str] = {}

    def add(self, name: str, seconds: float, memory: int = 0) -> None:
        """One more run."""
        series = self.setdefault(name, Series(name, []))
        series.seconds.append(seconds)
        series.memory = max(series.memory, memory)


def run(command: Command, *, env: Mapping[str, str] | None = None) -> Measured:
    """Runs a program to its end. Raises BenchError with what it said when it fails."""
    with tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        process = _start(command, errors, env=env)
        with _Memory(process.pid) as memory:
            lines = tuple(_stamped(process, began))
            process.wait()
        seconds = time.perf_counter() - began
        said = "\n".join(text for _, text in lines)
        _check(command, process.returncode, errors, said)
    return Measured(seconds, memory.peak, lines)


def run_pipe(source: Command, target: Command) -> Measured:
    """Runs `source | target`."""
    with tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        writer = _start(source, errors)
        reader = _start(target, errors, stdin=writer.stdout)
        assert writer.stdout is not None
        writer.stdout.close()  # so that a reader that fails stops the writer
        reader.communicate()
        writer.wait()
        seconds = time.perf_counter() - began
        _check(target, reader.returncode, errors)
        _check(source, writer.returncode, errors)
    return Measured(seconds, 0)


def _start(
    command: Command,
    errors: IO[str],
    *,
    stdin: IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **(env or {})},
        )
    except FileNotFoundError:
        raise BenchError(f"there is no program {command[0]}; install it") from None


def _stamped(process: subprocess.Popen[bytes], began: float) -> list[tuple[float, str]]:
    assert process.stdout is not None
    with process.stdout as stream:
        return [
            (time.perf_counter() - began, line.decode(errors="replace").rstrip()) for line in stream
        ]


def _check(command: Command, status: int, errors: IO[str], said: str = "") -> None:
    if status:
        errors.seek(0)
        text = (said + errors.read()).strip()[-_MOST_TEXT:]
        shown = " ".join(map(str, command))
        raise BenchError(f"exit status {status} of {shown}\n{text}", status, text)


class _Memory(threading.Thread):
    """Looks at the memory of a process and its children until the block ends."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._ended = threading.Event()
        self.peak = 0

    def run(self) -> None:
        while not self._ended.wait(_SAMPLE):
            self.peak = max(self.peak, _resident(self._process))

    def __enter__(self) -> _Memory:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self.join()


def _resident(process: int) -> int:
    """Resident bytes of a process and all below it, as Linux's /proc has them."""
    total, folder = 0, Path(f"/proc/{process}")
    with suppress(OSError):  # it ended meanwhile, or this is no Linux
        total = int((folder / "statm").read_text().split()[1]) * _PAGE
        for children in folder.glob("task/*/children"):
            total += sum(_resident(int(child)) for child in children.read_text().split())
    return total


def show(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a table for a terminal; the first row is the heading, the first column text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *rest = row
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def megabytes(count: float) -> str:
    """Bytes for a person; nothing where they were not measured."""
    return f"{count / 1e6:,.0f} MB" if count else ""


def verdict(value: float, goal: float, *, at_least: bool = False) -> str:
    """The goal, and whether the value meets it: `<= 1.05 met`, `>= 3 missed`."""
    met = value >= goal if at_least else value <= goal
    return f"{'>=' if at_least else '<='} {goal:g} {'met' if met else 'MISSED'}"
