"""Records of a stream as lines of COPY's text format, kept until they are committed.

https://www.postgresql.org/docs/current/sql-copy.html, "Text Format". This is the hot path of a
connector: about 6 µs a record of ten columns.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, BinaryIO

from dapu.rows.exactness import exactness, remarked
from dapu.rows.python_text import array_text, line
from dapu.rows.rows import Column, CopyRows, RowOrigin
from dapu.sources.connectors.messages import Document, StreamName
from dapu.sources.documents.exact_json import dump

IN_MEMORY = 16 << 20  # bytes, of all streams of a connector together
_BLOCK = 1 << 18
_NULL = "\\N"
_MOST_NAMED = 20


class RecordSpool:
    """Records of one stream, as rows.

    columns: by the key of a record. types: those of the table, where it exists; else the stream's.
    in_memory: bytes that it keeps before it goes to a temporary file.
    """

    def __init__(
        self,
        stream: StreamName,
        columns: Mapping[str, Column],
        types: Mapping[str, str],
        in_memory: int = IN_MEMORY,
    ) -> None:
        self._stream, self._in_memory = stream, in_memory
        self._keys = list(columns)
        self._known = set(columns)
        self.columns = [
            Column(column.name, types.get(column.name, column.type)) for column in columns.values()
        ]
        kinds = [column.type for column in self.columns]
        self._documents = [place for place, kind in enumerate(kinds) if kind in ("json", "jsonb")]
        self._arrays = [(place, kind) for place, kind in enumerate(kinds) if kind.endswith("[]")]
        exact = [(place, exactness(kind)) for place, kind in enumerate(kinds)]
        self._checked = [(place, one.reason) for place, one in exact if one is not None]
        self._tabs = len(kinds) - 1
        self._undeclared: dict[str, None] = {}
        self._first = 1  # the number of the first record that is kept
        self.count = 0
        self._file = self._spool()
        self._mark = (0, 0)

    def add(self, data: Document) -> None:
        """Keeps a record."""
        values = list(map(data.get, self._keys))
        texts = [
            value if value.__class__ is str else _TEXTS[value.__class__](value) for value in values
        ]
        for place in self._documents:
            if values[place].__class__ is str:
                texts[place] = dump(values[place])
        for place, kind in self._arrays:
            if isinstance(elements := values[place], list):
                texts[place] = array_text(elements, kind)
        for place, reason in self._checked:
            if values[place] is not None and (why := reason(texts[place])):
                texts[place] = remarked(texts[place], why)
        self._file.write(self._line(values, texts))
        self.count += 1
        if len(data) > len(values) or not data.keys() <= self._known:
            self._undeclared.update(dict.fromkeys(data.keys() - self._known))

    def _line(self, values: Sequence[Any], texts: Sequence[str]) -> bytes:
        text = "\t".join(texts)
        is_plain = (
            text.count("\t") == self._tabs
            and text.count("\\") == values.count(None)
            and "\n" not in text
            and "\r" not in text
        )
        if is_plain:
            return text.encode("utf-8", "surrogatepass") + b"\n"
        pairs = zip(values, texts, strict=True)
        return line([None if value is None else text for value, text in pairs])

    def rows(self) -> CopyRows:
        """The records that are kept, to be loaded once."""
        return CopyRows(self.columns, "text", self._write, origin=RowOrigin(self._locate))

    def rows_so_far(self, is_over: Callable[[], bool]) -> CopyRows:
        """The records that are kept and those that will come, read beside `add`.

        is_over: waits a little for more; whether none will come after what was flushed.
        """
        self._file.rollover()
        write = partial(_follow, self._file.fileno(), is_over)
        return CopyRows(self.columns, "text", write, origin=RowOrigin(self._locate))

    def flush(self) -> None:
        """All records stand in the file that `rows_so_far` reads."""
        self._file.flush()

    def mark(self) -> None:
        """Remembers that a state stands for the records so far."""
        self._mark = (self.count, self._file.tell())

    def back_to_mark(self) -> None:
        """Lets go of the records that came after the last state: they will come again."""
        self.count, size = self._mark
        self._file.seek(size)
        self._file.truncate()

    def clear(self) -> None:
        """Lets go of the records: they are committed."""
        self._first += self.count
        self.count, self._mark = 0, (0, 0)
        self._file.close()
        self._file = self._spool()

    @property
    def size(self) -> int:
        """Bytes of the records that are kept, as COPY's text."""
        return self._file.seek(0, io.SEEK_END)

    def close(self) -> None:
        """Lets go of all."""
        self._file.close()

    @property
    def undeclared(self) -> Collection[str]:
        """Keys of records that the stream's schema does not have, in order; some of many."""
        return list(self._undeclared)[:_MOST_NAMED]

    def _write(self, file: BinaryIO) -> None:
        self._file.seek(0)
        shutil.copyfileobj(self._file, file, _BLOCK)

    def _locate(self, row: int, column: str) -> str:  # noqa: ARG002 - a record has no columns
        return f"stream {self._stream}, record {self._first + row - 1}"

    def _spool(self) -> tempfile.SpooledTemporaryFile[bytes]:
        return tempfile.SpooledTemporaryFile(max_size=self._in_memory)


def _follow(descriptor: int, is_over: Callable[[], bool], file: BinaryIO) -> None:
    place, was_last = 0, False
    while not was_last:
        was_last = is_over()
        while block := os.pread(descriptor, _BLOCK, place):
            file.write(block)
            place += len(block)


_TEXTS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: _NULL,
    bool: lambda value: "true" if value else "false",
    int: str,
    Decimal: str,
    dict: dump,
    list: dump,
}
"""The values of JSON, as PostgreSQL reads them; a text is one already."""
