"""The highest value of a column among records that arrive, in the source's own terms.

A watermark goes back to the source as it came, so that its text is kept; what is compared is what
the text means.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from dapu.errors import JobError

_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_TIME = re.compile(r"\d{4}-\d\d-\d\d.*", re.DOTALL)


class Newest:
    """Sees values one after the other. value: the highest so far; None before the first."""

    def __init__(self, column: str) -> None:
        self.column = column
        self._order: Any = None
        self.value: Any = None

    def see(self, value: Any) -> None:
        """Takes a value into account. Raises JobError when it has no order with the others."""
        order = _order_of(value)
        try:
            if self._order is None or order > self._order:
                self._order, self.value = order, value
        except TypeError:
            raise JobError(
                f"the watermark's column {self.column} has values of several kinds, which have "
                f"no order: {self.value!r} and {value!r}"
            ) from None


def _order_of(value: Any) -> Any:
    """What a value means: a number, a moment, or else its text."""
    if isinstance(value, str):
        if _NUMBER.fullmatch(value):
            return Decimal(value)
        if _TIME.fullmatch(value):
            return _moment(value)
    if isinstance(value, bool | dict | list):
        raise JobError(f"a watermark cannot be {value!r}; it is a number, a text or a time")
    return value


def _moment(text: str) -> Any:
    """A time; one without a zone compares with others of its kind only."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment.astimezone(UTC) if moment.tzinfo else moment
