"""A command of somebody else's, bounded in time and in what is kept of its output."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

_AT_ONCE = 1 << 16  # bytes


@dataclass(frozen=True)
class Finished:
    """How a command ended. out, error: the last bytes of its standard output and error.

    is_cut: whether there were more of its output.
    """

    status: int
    out: bytes
    error: bytes
    is_cut: bool


def run_bounded(
    command: Sequence[str],
    *,
    seconds: float,
    most: int,
    given: bytes = b"",
    folder: Path | None = None,
) -> Finished:
    """Runs a command without a shell.

    most: bytes that are kept of each output. given: its standard input. folder: where it runs;
    None: here. Raises TimeoutError when it has not ended in time, or what it left behind still has
    its output open; and OSError when it cannot be run.
    """
    deadline = time.monotonic() + seconds
    with _started(command, given, folder) as process:
        out, error = _Tail(most), _Tail(most)
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, out)
            selector.register(process.stderr, selectors.EVENT_READ, error)
            while selector.get_map():
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    raise TimeoutError
                for key, _ in ready:
                    if not key.data.take(os.read(key.fd, _AT_ONCE)):
                        selector.unregister(key.fileobj)
        try:
            status = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
    return Finished(status, bytes(out.kept), bytes(error.kept), out.is_cut)


class _Tail:
    """The last bytes of a stream."""

    def __init__(self, most: int) -> None:
        self._most, self.kept, self.is_cut = most, bytearray(), False

    def take(self, part: bytes) -> bool:
        """Takes the next part; False when it is empty."""
        self.kept += part
        if len(self.kept) > self._most:
            self.is_cut = True
            del self.kept[: -self._most]
        return bool(part)


@contextmanager
def _started(command: Sequence[str], given: bytes, folder: Path | None) -> Iterator[Any]:
    """The process; it does not outlive the block, nor does the block wait for its children."""
    with TemporaryFile() as stdin:  # a pipe may be full, or closed by the command
        stdin.write(given)
        stdin.seek(0)
        process = subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder
        )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()
