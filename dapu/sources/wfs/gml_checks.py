"""What is looked at in GML before GDAL reads it: the reference system, and spaces."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dapu.errors import JobError
from dapu.sources.wfs.service import srid_of

SPACE_MARK = "\ue000"  # a character of private use
_NAMES = re.compile(rb"srsName\s*=\s*[\"']([^\"']*)")
_SYSTEMS = re.compile(rb"<(?:[\w.-]+:)?([\w.-]+)\s[^<>]*?srsName\s*=\s*[\"']([^\"']*)")
_ENVELOPES = (b"Envelope", b"Box", b"EnvelopeWithTimePeriod")


class Checks:
    """What must hold of the pieces of one layer.

    texts: local names of the elements that hold texts.
    srid: the EPSG number that was asked for; None where no geometry is wanted.
    offered: those that the layer has, for the message.
    """

    def __init__(self, texts: Sequence[str], srid: int | None, offered: Sequence[int]) -> None:
        self._srid, self._offered = srid, offered
        names = b"|".join(re.escape(name.encode()) for name in texts)
        self._spaces = re.compile(
            rb"<(?:[\w.-]+:)?(?:" + names + rb")(?:\s[^<>]*)?(?<!/)>(?=\s|<!\[CDATA\[\s)"
        )
        self._has_texts = bool(texts)

    def prepare(self, head: bytes, data: bytearray, end: int) -> bytes | None:
        """Looks through the features before `end`. head: what stands before all features.

        Gives them with a mark before each text that begins with white space, or None where there
        is not such a text. GDAL drops leading white space; with the mark, which is taken away
        afterwards, texts arrive as they are.
        Raises JobError when coordinates are in another reference system.
        """
        if self._srid is not None:
            self._check_system(head, data, end, self._srid)
        if not self._has_texts or self._spaces.search(data, 0, end) is None:
            return None
        mark = f"&#x{ord(SPACE_MARK):X};".encode()
        return self._spaces.sub(lambda match: match[0] + mark, bytes(data[:end]))

    def _check_system(self, head: bytes, data: bytearray, end: int, srid: int) -> None:
        names = set(_NAMES.findall(data, 0, end)) or set(_NAMES.findall(head))
        if all(srid_of(name.decode()) == srid for name in names):
            return
        # A geometry says its own, or that of the envelope is meant.
        named = {(tag in _ENVELOPES, name) for tag, name in _SYSTEMS.findall(data, 0, end)}
        names = {name for is_box, name in named if not is_box} or names
        for name in names:
            if srid_of(name.decode()) != srid:
                raise JobError(
                    f"srid: EPSG:{srid} was asked for, and the features are in {name.decode()}; "
                    f"the layer offers {', '.join(map(str, self._offered)) or 'nothing else'}"
                )
