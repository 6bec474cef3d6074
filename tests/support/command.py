"""The real `dapu` command, as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dapu.cli import main

DAPU = [sys.executable, "-m", "dapu"]
PATIENCE = 60.0  # seconds; a machine that runs tests is a busy one


@dataclass(frozen=True)
class Finished:
    """How a command ended. text: all that it said."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


def dapu(
    *arguments: str | Path,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Finished:
    """Runs a command to its end."""
    done = subprocess.run(
        [*DAPU, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * PATIENCE,
        env=_environment(environment),
        cwd=folder,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def here(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Finished:
    """Runs a command in the test's own process: faster than a new one."""
    capsys.readouterr()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["dapu", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                main()
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    out, err = capsys.readouterr()
    return Finished(int(ended.value.code or 0), out, err)


@contextmanager
def running(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Starts a command; ends it when the test has not."""
    process = subprocess.Popen(
        [*DAPU, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=_environment(None),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> float:
    """Waits until a condition holds; returns for how long. Fails when it never does."""
    started = time.monotonic()
    while not condition():
        took = time.monotonic() - started
        assert took < seconds, f"it did not happen in {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - started


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, "COLUMNS": "100", "PYTHONWARNINGS": "error", **(more or {})}
