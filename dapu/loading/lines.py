"""Which row a line of CSV belongs to.

COPY tells a bad value by the line on which its row ends, and a text may hold line ends of its
own. So rows that do are counted as they are written.
"""

from __future__ import annotations

from bisect import bisect_left

import pyarrow as pa
import pyarrow.compute as pc


class LineIndex:
    """Rows and lines of the CSV that Arrow batches are written as, each with a line feed."""

    def __init__(self) -> None:
        self._rows = 0
        # Rows with line ends in them, and the line on which each of those rows ends.
        self._long_rows: list[int] = []
        self._last_lines: list[int] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Takes a batch into account, before it is written."""
        texts = [column for column in batch.columns if _is_text(column)]
        first = not self._rows and batch.num_rows
        if first or any(b"\n" in text_bytes(column) for column in texts):
            self._add_long_rows(batch.num_rows, texts)
        self._rows += batch.num_rows

    def add_plain(self, rows: int) -> None:
        """Takes rows of one line each into account."""
        self._rows += rows

    def row(self, line: int) -> int:
        """The row, from 1, that COPY means by a line, from 1."""
        at = bisect_left(self._last_lines, line)
        if at == len(self._long_rows):
            return line - self._more_lines(at)
        # The row on that line, unless it is the long row that ends after it.
        return min(line - self._more_lines(at), self._long_rows[at])

    def _more_lines(self, long_rows: int) -> int:
        """How many lines the first long rows have beyond one each."""
        return self._last_lines[long_rows - 1] - self._long_rows[long_rows - 1] if long_rows else 0

    def _add_long_rows(self, rows: int, texts: list[pa.Array]) -> None:
        more = [0] * rows
        for column in texts:
            for row, count in enumerate(pc.count_substring(column, "\n").to_pylist()):
                more[row] += count or 0
        if not self._rows:
            # PostgreSQL knows only from the first row's end which character ends a line, and
            # counts carriage returns until then (CopyReadLineText in copyfromparse.c).
            more[0] = sum(column[0].as_py().count("\r") for column in texts if column[0].is_valid)
        for row, count in enumerate(more, start=self._rows + 1):
            if count:
                total = self._more_lines(len(self._long_rows)) + count
                self._long_rows.append(row)
                self._last_lines.append(row + total)


def _is_text(column: pa.Array) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def text_bytes(values: pa.Array) -> bytes:
    """The bytes of all texts of an array, one after the other."""
    _, offsets, data = values.buffers()
    if data is None or not len(values):
        return b""
    numbers = memoryview(offsets).cast("B")
    places = numbers.cast("q") if pa.types.is_large_string(values.type) else numbers.cast("i")
    first, last = places[values.offset], places[values.offset + len(values)]
    return bytes(memoryview(data)[first:last])
