"""The lines of a CSV file as UTF-8, without those that hold no row.

The parser gets neither what stands before the first row nor comments nor blank lines. They are
counted, so that a row is reported by its line in the file.
"""

from __future__ import annotations

import codecs
import io
import re
from collections import deque
from dataclasses import dataclass, field
from typing import BinaryIO

from dapu.errors import JobError
from dapu.sources.files.formats.csv_dialect import END_OF_FILE

# Small pieces: the parser reads several ahead, and its memory is a multiple of theirs.
_BLOCK = 1 << 17
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
LONGEST = 8 << 20  # bytes: no row can be longer


@dataclass(eq=False)
class CsvLines(io.RawIOBase):
    """A stream to read the rows of a CSV file from.

    first: the line (from 1) of the first row; what is before is passed over.
    quote: the character around texts that may hold line ends, or None.
    escape: what stands before a quote within a text, or None.
    comment: what a line begins with that is a comment, or None.
    returns: carriage returns end the lines, each alone.
    keeps: whether `take` is asked for what was read.
    left_out: afterwards the lines after `first` that hold no row, in order.
    """

    file: BinaryIO
    name: str
    encoding: str
    first: int
    quote: str | None
    escape: str | None
    comment: str | None
    returns: bool = False
    keeps: bool = False
    left_out: list[int] = field(default_factory=list)
    _line: int = 1
    _quoted: bool = False
    _rest: bytes = b""
    _ready: bytes = b""
    _ended: bool = False
    _kept: deque[tuple[bytes, int]] = field(default_factory=deque)  # with its number of lines

    def __post_init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder(self.encoding)(errors="strict")
        self._is_utf8 = codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig")
        self._at_start = True

    @property
    def is_quoted(self) -> bool:
        """Whether what was read has an odd number of quotes."""
        return self._quoted

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes, a piece where so much is wanted: the parser gets it without a copy.

        Raises JobError when the encoding is another.
        """
        while not self._ready and not self._ended:
            self._ready, count = self._next()
            piece = self._ready
            if self.keeps and piece:
                self._kept.append((piece, count))
                # To the parser a carriage return of its own ends a line; here it does not.
                self.keeps = b"\r" not in piece or piece.count(b"\r") == piece.count(b"\r\n")
        size = len(self._ready) if size < 0 else size
        data, self._ready = self._ready[:size], self._ready[size:]
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Part of io.RawIOBase."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def take(self, count: int) -> bytes | None:
        """The next lines of those that were read, or None when they are not known any more."""
        taken = []
        while self.keeps and count:
            if not self._kept:  # the last text is not closed
                self.keeps = False
                break
            piece, lines = self._kept.popleft()
            if lines > count:
                end = _end_of_line(piece, count)
                self._kept.appendleft((piece[end:], lines - count))
                piece, lines = piece[:end], count
            taken.append(piece)
            count -= lines
        return b"".join(taken) if self.keeps else None

    def _next(self) -> tuple[bytes, int]:
        """The next whole lines that hold rows, up to the end of a row where quotes show it.

        And how many line ends there are in them.
        """
        block, end, is_in_text = self._rest, 0, False
        while not self._ended and (not end or is_in_text):
            data = self.file.read(_BLOCK)
            self._ended = not data
            more = self._as_utf8(data)
            block += more.replace(b"\r", b"\n") if self.returns else more
            if self._ended:
                block = block.rstrip(END_OF_FILE.encode())
            if self._ended and block and not block.endswith(b"\n"):
                block += b"\n"
            end = block.rfind(b"\n") + 1
            is_in_text = self._is_in_text(block, end)
            if len(block) >= LONGEST:
                end = end or len(block)
                break
        self._rest = block[end:]
        return self._rows(block[:end], is_in_text)

    def _is_in_text(self, block: bytes, end: int) -> bool:
        """Whether a text goes on after a place in the block."""
        if self.quote is None:
            return False
        if self.quote.encode() not in block:  # which takes far less than to count them
            return self._quoted
        return self._quoted ^ (self._quotes(block, end) % 2 == 1)

    def _quotes(self, text: bytes, end: int) -> int:
        """How many quotes there are up to a place, without those that are escaped."""
        if self.escape is not None and self.escape.encode() in text:
            text = _ESCAPED.sub(b"", text[:end])
        return text.count((self.quote or "").encode(), 0, end)

    def _as_utf8(self, data: bytes) -> bytes:
        if self._is_utf8:
            start, self._at_start = self._at_start, False
            return data.removeprefix(codecs.BOM_UTF8) if start else data
        try:
            return self._decoder.decode(data, final=not data).encode()
        except UnicodeDecodeError as error:
            raise JobError(
                f"{self.name}, line {self._line} or soon after: {error.object[error.start]:#04x} "
                f"is not a character of {self.encoding}; give another `encoding`"
            ) from None

    def _rows(self, block: bytes, ends_in_text: bool) -> tuple[bytes, int]:
        has_others = (
            self._line < self.first
            or self.comment is not None
            or block.startswith((b"\n", b"\r\n"))
            or b"\n\n" in block
            or (b"\r" in block and b"\n\r\n" in block)
        )
        if has_others:
            kept = b"".join(line for line in block.splitlines(keepends=True) if self._keeps(line))
            return kept, kept.count(b"\n")
        count = block.count(b"\n")
        self._line += count
        self._quoted = ends_in_text
        return block, count

    def _keeps(self, line: bytes) -> bool:
        """Whether a line is part of a row."""
        number, quoted = self._line, self._quoted
        if number < self.first:
            self._line += line.endswith((b"\n", b"\r"))
            return False
        self._line += line.endswith(b"\n")
        if not quoted and self._is_empty(line):
            self.left_out.append(number)
            return False
        if self.quote is not None:
            self._quoted ^= self._quotes(line, len(line)) % 2 == 1
        return True

    def _is_empty(self, line: bytes) -> bool:
        comment = self.comment is not None and line.startswith(self.comment.encode())
        return comment or not line.strip(b"\r\n")


def _end_of_line(text: bytes, number: int) -> int:
    """Where a line (from 1) ends."""
    end = 0
    for _ in range(number):
        end = text.index(b"\n", end) + 1
    return end
