"""The lines of a CSV file as UTF-8, without those that hold no row.

The parser gets neither what stands before the first row nor comments nor blank lines. They are
counted, so that a row is told by its line in the file.
"""

from __future__ import annotations

import codecs
import io
from dataclasses import dataclass, field
from typing import BinaryIO

from dapu.errors import JobError

_BLOCK = 1 << 20
_BLANK = (b"\n\n", b"\n\r\n")


@dataclass(eq=False)
class CsvLines(io.RawIOBase):
    """A stream to read the rows of a CSV file from.

    first: the line (from 1) of the first row; what is before is passed over.
    quote: the character around texts that may hold line ends, or None.
    comment: what a line begins with that is no row, or None.
    left_out: afterwards the lines after `first` that hold no row, in order.
    """

    file: BinaryIO
    name: str
    encoding: str
    first: int
    quote: str | None
    comment: str | None
    left_out: list[int] = field(default_factory=list)
    _line: int = 1
    _quoted: bool = False
    _rest: bytes = b""
    _ready: memoryview = field(default_factory=lambda: memoryview(b""))
    _ended: bool = False

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

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Part of io.RawIOBase. Raises JobError when the encoding is another."""
        while not self._ready and not self._ended:
            self._ready = memoryview(self._next())
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _next(self) -> bytes:
        """The next whole lines that hold rows."""
        data = self.file.read(_BLOCK)
        self._ended = not data
        block = self._rest + self._as_utf8(data)
        end = len(block) if self._ended else block.rfind(b"\n") + 1
        self._rest = block[end:]
        return self._rows(block[:end])

    def _as_utf8(self, data: bytes) -> bytes:
        if self._is_utf8:
            start, self._at_start = self._at_start, False
            return data.removeprefix(codecs.BOM_UTF8) if start else data
        try:
            return self._decoder.decode(data, final=not data).encode()
        except UnicodeDecodeError as error:
            raise JobError(
                f"{self.name}, line {self._line} or soon after: {error.object[error.start]:#04x} "
                f"is no character of {self.encoding}; give another `encoding`"
            ) from None

    def _rows(self, block: bytes) -> bytes:
        has_others = (
            self._line < self.first
            or self.comment is not None
            or block.startswith((b"\n", b"\r\n"))
            or any(blank in block for blank in _BLANK)
        )
        if has_others:
            return b"".join(line for line in block.splitlines(keepends=True) if self._keeps(line))
        self._line += block.count(b"\n")
        if self.quote is not None:
            self._quoted ^= block.count(self.quote.encode()) % 2 == 1
        return block

    def _keeps(self, line: bytes) -> bool:
        """Whether a line is part of a row."""
        number, quoted = self._line, self._quoted
        self._line += line.endswith(b"\n")
        if number < self.first:
            return False
        if not quoted and self._is_empty(line):
            self.left_out.append(number)
            return False
        if self.quote is not None:
            self._quoted ^= line.count(self.quote.encode()) % 2 == 1
        return True

    def _is_empty(self, line: bytes) -> bool:
        comment = self.comment is not None and line.startswith(self.comment.encode())
        return comment or not line.strip(b"\r\n")
