"""Bytes on their way to COPY, without what would stop PostgreSQL from looking at the rest.

A NUL character and bytes that are not UTF-8 make COPY fail before any policy could be asked. Such a
byte becomes a mark and its two hexadecimal digits, by which the value is known to be bad
afterwards. The mark is a noncharacter of Unicode, which texts may hold all the same (Unicode,
section 23.7): a mark of their own is followed by `=`.
"""

from __future__ import annotations

import codecs
import io
import re
from typing import BinaryIO

from typing_extensions import Buffer

MARK = "\ufdd0"
OWN_MARK = f"{MARK}="
NUL = f"{MARK}00"
BAD_BYTE = f"{MARK}([0-9a-f]{{2}})"
"""A regular expression, for PostgreSQL, of what replaces a byte."""

_ESCAPED = re.compile("[\udc80-\udcff]")


class Scrubbed(io.BufferedIOBase):
    """A file that passes cleaned bytes on to another.

    nul: what replaces a NUL character.
    has_own_marks: whether a text had a mark of its own.
    """

    def __init__(self, file: BinaryIO, nul: str = NUL) -> None:
        self._file, self._nul = file, nul
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self.has_own_marks = False

    def writable(self) -> bool:
        """It is for writing only."""
        return True

    def write(self, data: Buffer, /) -> int:
        """Takes bytes; a character may be cut between two calls."""
        taken = bytes(data)
        self._pass_on(self._decoder.decode(taken))
        return len(taken)

    def finish(self) -> None:
        """The end: a character cut in two is none."""
        self._pass_on(self._decoder.decode(b"", final=True))

    def _pass_on(self, text: str) -> None:
        if MARK in text:
            self.has_own_marks = True
            text = text.replace(MARK, OWN_MARK)
        text = text.replace("\0", self._nul)
        try:
            cleaned = text.encode()
        except UnicodeEncodeError:
            cleaned = _ESCAPED.sub(_marked, text).encode()
        self._file.write(cleaned)


def _marked(found: re.Match[str]) -> str:
    return f"{MARK}{ord(found[0]) - 0xDC00:02x}"
