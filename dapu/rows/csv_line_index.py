"""Which row a line of CSV belongs to.

COPY names a bad value by the line on which its row ends, and a text may hold line ends of its
own. So rows that do are counted as they are written.

PostgreSQL learns from the end of the first row that a line feed ends a line, and counts carriage
returns until then (CopyReadLineText in copyfromparse.c).
"""

from __future__ import annotations

from bisect import bisect_left


class LineIndex:
    """Rows and the lines that they take. rows: how many there were until now."""

    def __init__(self) -> None:
        self.rows = 0
        # Rows of several lines, and the line on which each of those rows ends.
        self._long_rows: list[int] = []
        self._last_lines: list[int] = []

    def add(self, rows: int) -> None:
        """Takes rows of one line each into account."""
        self.rows += rows

    def add_row(self, line_ends: int) -> None:
        """Takes a row into account that has so many line ends within it."""
        self.rows += 1
        if line_ends:
            more = self._more_lines(len(self._long_rows))
            self._long_rows.append(self.rows)
            self._last_lines.append(self.rows + more + line_ends)

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
