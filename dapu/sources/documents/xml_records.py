"""The records in an XML file, one after the other, whatever is around them.

What was read is let go: only the record in hand is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, cast
from xml.etree.ElementTree import Element, XMLPullParser

from dapu.errors import JobError
from dapu.sources.documents.bounds import DEEPEST, check_length

_CHUNK = 1 << 16  # bytes


class XmlRecords:
    """The elements at a path from the top (`/invoices/invoice`), or at its end.

    name: of the file, for messages. read: how many bytes of it were read.
    """

    def __init__(self, name: str, path: str) -> None:
        self._name, self.read = name, 0
        self._wanted = [step for step in path.split("/") if step]
        self._from_top = path.startswith("/") and not path.startswith("//")
        self._path: list[str] = []
        self._above: list[Element] = []
        self._within = 0  # records that have begun and not ended
        self._length = 0  # bytes since something was let go
        self._count = 0

    def of(self, file: BinaryIO) -> Iterator[Element]:
        """The records. Raises ParseError, or JobError for what is too deep or too long."""
        parser: XMLPullParser[Element] = XMLPullParser(("start", "end"))
        while data := file.read(_CHUNK):
            self.read += len(data)
            self._length += len(data)
            check_length(self._length, f"{self._name}: record {self._count + 1}")
            parser.feed(data)
            yield from self._ended(parser)
        parser.close()
        yield from self._ended(parser)

    def _ended(self, parser: XMLPullParser[Element]) -> Iterator[Element]:
        """The records that ended in what was read last."""
        for event, element in cast(Iterator[tuple[str, Element]], parser.read_events()):
            if event == "start":
                self._begin(element)
                continue
            is_record = self._is_record()
            self._within -= is_record
            self._path.pop()
            self._above.pop()
            if is_record:
                self._count += 1
                yield element
            if self._above and (is_record or not self._within):
                self._above[-1].remove(element)
                self._length = 0

    def _begin(self, element: Element) -> None:
        self._path.append(element.tag.rpartition("}")[2])
        self._above.append(element)
        if len(self._path) > DEEPEST:
            raise JobError(
                f"{self._name}, record {self._count + 1} or what stands before it: elements are "
                f"nested more than {DEEPEST} deep, and dapu reads no deeper ones"
            )
        self._within += self._is_record()

    def _is_record(self) -> bool:
        """Whether the element at the end of the path is one."""
        path, wanted = self._path, self._wanted
        if not wanted or path[-1] != wanted[-1]:
            return False
        return (path if self._from_top else path[-len(wanted) :]) == wanted
