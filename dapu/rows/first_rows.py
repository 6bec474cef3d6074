"""The first rows of what a source gives; the source is stopped after them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import RawIOBase
from typing import Any, BinaryIO, cast

from psycopg2 import sql

from dapu.named_sql import compose
from dapu.rows.rows import ArrowRows, CopyFormat, CopyRows, QueryRows, Rows

_HEADER, _END = 19, b"\xff\xff"  # of COPY's binary format, without extensions


def first_rows(rows: Rows, count: int) -> Rows:
    """The first of some rows; those that pass through the warehouse anyway come whole.

    Raises JobError when the source fails before it has given so many.
    """
    if isinstance(rows, QueryRows):
        query = compose("trial.first_rows", query=rows.query, count=sql.Literal(count))
        return QueryRows(rows.columns, query)
    if isinstance(rows, ArrowRows):
        rows = rows.as_copy()
    return _first_copied(rows, count) if isinstance(rows, CopyRows) else rows


def _first_copied(rows: CopyRows, count: int) -> CopyRows:
    head = _Head(count, rows.format)
    try:
        rows.write(cast(BinaryIO, head))
    except Exception:
        if not head.is_full:
            raise
    text = head.text()
    return replace(rows, write=lambda file: _write(file, text), stop=lambda: None)


def _write(file: BinaryIO, text: bytes) -> None:
    file.write(text)


class _Head(RawIOBase):
    """A file that takes so many rows, and then breaks as a pipe without a reader does."""

    def __init__(self, count: int, form: CopyFormat) -> None:
        super().__init__()
        self._count, self._form = count, form
        self._bytes, self._size = bytearray(), 0
        self.is_full = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        """See `io.RawIOBase`. Raises BrokenPipeError when it has enough."""
        if not self.is_full:
            self._bytes += data
            # Looked at whenever it has doubled, so that a large first row costs no square of time.
            if len(self._bytes) >= 2 * self._size:
                self._size = len(self._bytes)
                self._look()
        if self.is_full:
            raise BrokenPipeError("the first rows are enough")
        return len(data)

    def text(self) -> bytes:
        """The rows."""
        if not self.is_full:
            self._look()
        end = _END if self._form == "binary" and self.is_full else b""
        return bytes(self._bytes) + end

    def _look(self) -> None:
        end = _ENDS[self._form](self._bytes, self._count)
        if end is not None:
            del self._bytes[end:]
            self.is_full = True


def _end_of_lines(data: bytearray, count: int) -> int | None:
    """Where the last wanted line ends; in COPY's text each row is one."""
    end = 0
    for _ in range(count):
        end = data.find(b"\n", end) + 1
        if not end:
            return None
    return end


def _end_of_csv(data: bytearray, count: int) -> int | None:
    start = end = found = quotes = 0
    while found < count:
        end = data.find(b"\n", start) + 1
        if not end:
            return None
        quotes += data.count(b'"', start, end)
        found += not quotes % 2  # a line that ends within quotes ends no row
        start = end
    return end


def _end_of_binary(data: bytearray, count: int) -> int | None:
    """Where the last wanted row ends: a row is a number of values, each after its length."""
    end = _HEADER
    for _ in range(count):
        if len(data) < end + 2 or data[end : end + 2] == _END:
            return None
        values = int.from_bytes(data[end : end + 2], "big")
        end += 2
        for _ in range(values):
            if len(data) < end + 4:
                return None
            end += 4 + max(int.from_bytes(data[end : end + 4], "big", signed=True), 0)
    return end if len(data) >= end else None


_ENDS: dict[CopyFormat, Callable[[bytearray, int], int | None]] = {
    "text": _end_of_lines,
    "csv": _end_of_csv,
    "binary": _end_of_binary,
}
