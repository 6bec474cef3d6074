"""The character set of a text file that does not say it.

UTF-8 can be distinguished from others. Between sets of one byte a guess is taken only when it
makes no difference: when each character of the file is the same in all that programs in Europe
write.
"""

from __future__ import annotations

import codecs
import re
from typing import BinaryIO

from dapu.errors import JobError

ONE_BYTE = "cp1252"
"""What is taken for all sets of one byte, where they mean the same."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CANDIDATES = (ONE_BYTE, "cp1257", "cp1250", "iso8859-15")
_SAME = bytes(
    byte
    for byte in range(256)
    if byte < 0x80
    or (byte >= 0xA0 and len({bytes([byte]).decode(one, "replace") for one in _CANDIDATES}) == 1)
)
_WORD = re.compile(rb"[\w\x80-\xff]*[\x80-\xff][\w\x80-\xff]*")
_FOREIGN = re.compile(rb"[\x80-\xff]{3}")  # letters of no Latin alphabet stand so beside each other
_BLOCK = 1 << 20
_SHOWN = 40  # bytes of a word


def guess_encoding(name: str, sample: bytes) -> str:
    """The encoding of a file by its beginning: one of Unicode, or `ONE_BYTE`.

    Raises JobError for UTF-16 without its mark.
    """
    for bom, encoding in _BOMS:
        if sample.startswith(bom):
            return encoding
    if sample.count(b"\0") * 20 > len(sample):  # one in two of UTF-16's bytes for Latin letters
        order = "be" if sample[::2].count(b"\0") > sample[1::2].count(b"\0") else "le"
        raise JobError(f"{name} has NUL characters; is it CSV, and its `encoding` utf-16-{order}?")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return ONE_BYTE
    return "utf-8"


def check_clear(name: str, file: BinaryIO) -> None:
    """Raises JobError when a character of the file depends on which set of one byte it is in."""
    lines, rest = 1, b""
    while block := rest + file.read(_BLOCK):
        end = block.rfind(b"\n") + 1 or len(block)
        text, rest = block[:end], block[end:]
        unclear = text.translate(None, _SAME)
        place = text.index(unclear[:1]) if unclear else None
        if place is None and (foreign := _FOREIGN.search(text)):
            place = foreign.start()
        if place is not None:
            word = next(one[0] for one in _WORD.finditer(text) if one.end() > place)[:_SHOWN]
            read = ", ".join(f"{word.decode(one, 'replace')!r} in {one}" for one in _CANDIDATES[:3])
            line = lines + text.count(b"\n", 0, place)
            raise JobError(
                f"{name}, line {line}: this is not UTF-8, and may be {read}; give its `encoding`"
            )
        lines += text.count(b"\n")
