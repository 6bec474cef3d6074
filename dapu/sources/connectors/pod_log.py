"""The numbered lines of a pod's log, each taken once and none missed."""

from __future__ import annotations

import time
from typing import BinaryIO

from dapu.sources.connectors.pod_order import ENDED

_ENDED = ENDED.encode()
_OVERLAP = 10  # seconds that are read once more after a connection broke


class LostLines(Exception):
    """The cluster did not keep all lines until they were read."""


class PodLog:
    """Takes a log in blocks, however often it is read anew.

    out: gets the connector's lines. other: what is not numbered.
    status: the connector's exit status, once its last line has come.
    """

    def __init__(self, out: BinaryIO, other: BinaryIO) -> None:
        self._out, self._other = out, other
        self._next = 1
        self._rest = bytearray()
        self._heard: float | None = None
        self._is_open = False  # a line without its end was written
        self.status: int | None = None

    @property
    def age(self) -> int | None:
        """The seconds of the log that are still of use; None: all of it."""
        return None if self._heard is None else int(time.monotonic() - self._heard) + _OVERLAP

    def begin(self) -> None:
        """The log is read anew: a line that was cut off comes again."""
        self._rest.clear()

    def end(self) -> None:
        """Nothing follows: what has no end of line is a line all the same."""
        self._other.write(self._rest)
        self._other.flush()

    def take(self, block: bytes) -> None:
        """The next bytes. Raises LostLines where a number is missing."""
        self._rest += block
        if b"\n" not in block:
            return
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest[:] = rest
        for line in lines:
            self._take_line(line)
        self._heard = time.monotonic()
        self._out.flush()
        self._other.flush()

    def _take_line(self, line: bytes) -> None:
        number, tab, text = line.partition(b"\t")
        if self.status is not None or not tab or not number.strip().isdigit():
            self._other.write(line + b"\n")
            return
        place = int(number)
        if place < self._next:
            return
        if place > self._next:
            raise LostLines(
                f"the cluster has kept line {place:,} of the connector and not line "
                f"{self._next:,}: let it keep longer logs (containerLogMaxSize of the kubelet)"
            )
        self._next += 1
        if text.startswith(_ENDED):
            self.status = int(text.removeprefix(_ENDED))
            return
        if not text and not self._is_open:
            return
        # The last line of a killed connector may be cut off: it has no end then.
        is_whole = not text.startswith(b"{") or text.endswith(b"}")
        self._out.write((b"\n" if self._is_open else b"") + text + (b"\n" if is_whole else b""))
        self._is_open = not is_whole
