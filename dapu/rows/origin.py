"""Where rows come from, for the message about a value that does not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dapu.rows.rows import CopyRows

Locate = Callable[[int, str], str]
"""Where in its source a row (from 1) and a column stand."""


@dataclass(frozen=True)
class RowOrigin:
    """What a source can say of a row once the warehouse has refused it."""

    locate: Locate | None = None
    """Where a row and a column stand: `Budget.xlsx, sheet 'Costs', D17`."""

    row_of_line: Callable[[int], int] = lambda line: line
    """Which row COPY means by a line, where a row may have several."""

    again: Callable[[], CopyRows] | None = None
    """Gives the same rows again, as text or CSV, for who must look into them."""

    is_ordered: Callable[[], bool] = lambda: True
    """Asks whether they come in the same order then."""


UNKNOWN = RowOrigin()
"""Of rows that are known by their numbers alone."""
