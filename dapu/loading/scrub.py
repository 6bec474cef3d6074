"""Bytes on their way to COPY, without what would stop PostgreSQL from looking at the rest.

A NUL character and bytes that are no UTF-8 make COPY fail before any policy could be asked. Each
is replaced by a noncharacter of Unicode (which no text uses: Unicode, section 23.7), by which the
value is known to be bad afterwards.
"""

from __future__ import annotations

import codecs
import io
from typing import BinaryIO

from typing_extensions import Buffer

NOT_UTF8 = "\ufdd0"
NUL = "\ufdd1"


class Scrubbed(io.BufferedIOBase):
    """A file that passes cleaned bytes on to another.

    nul: what takes the place of a NUL character.
    """

    def __init__(self, file: BinaryIO, nul: str = NUL) -> None:
        self._file, self._nul = file, nul
        self._decoder = codecs.getincrementaldecoder("utf-8")("dapu_mark")

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
        self._file.write(text.replace("\0", self._nul).encode())


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return NOT_UTF8 + error.object[error.start : error.end].hex(), error.end


codecs.register_error("dapu_mark", _mark)
