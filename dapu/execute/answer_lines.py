"""The lines of an answer. One that is too long to be held comes as a stream."""

from __future__ import annotations

from collections.abc import Iterator

LONGEST = 1 << 20  # bytes of a line that is held as a whole


class LongLine:
    """A line that is read block by block, once; the next line comes after its end."""

    def __init__(self, begin: bytes, rest: Iterator[bytes]) -> None:
        self._begin, self._rest = begin, rest
        self._after = b""

    def blocks(self) -> Iterator[bytes]:
        """The bytes up to the end of the line."""
        yield self._begin
        for block in self._rest:
            line, newline, self._after = block.partition(b"\n")
            yield line
            if newline:
                return

    @property
    def after(self) -> bytes:
        """What came behind the end of the line in its last block."""
        return self._after


def split_lines(blocks: Iterator[bytes]) -> Iterator[bytes | LongLine]:
    """The lines without their ends; the last one need not have an end.

    A `LongLine` is to be read before the next line is asked for.
    """
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
        if len(rest) > LONGEST:
            long_line = LongLine(rest, blocks)
            yield long_line
            rest = long_line.after
    yield from rest.split(b"\n")
