"""How many rows to ask a driver for at once."""

from __future__ import annotations

_BYTES = 1 << 20


class BatchSize:
    """As many rows as take about a megabyte, whether they are short or hold whole documents.

    most: rows at once at most. rows: to ask for next.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.rows = 1

    def took(self, rows: int, size: int) -> None:
        """Takes into account how many bytes the last rows took."""
        fitting = rows * _BYTES // max(size, 1)
        self.rows = max(1, min(fitting, 4 * rows, self._most))
