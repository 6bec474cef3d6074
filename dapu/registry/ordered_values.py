"""Ordered values of a source, kept as text so that they go back to it as they came."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from dapu.errors import JobError


def to_text(value: Any, column: str) -> tuple[str, str]:
    """The kind of a value, and the value as text.

    column: where it comes from. Raises JobError when values of its type have no order, and for
    one after which no other would ever come: infinity, and NaN.
    """
    _check_finite(value, column)
    match value:
        case bool():
            pass
        case int():
            return "integer", str(value)
        case Decimal():
            return "decimal", str(value)
        case float():
            return "float", repr(value)
        case str():
            return "text", value
        case datetime():
            return ("timestamptz" if value.tzinfo else "timestamp"), value.isoformat()
        case date():
            return "date", value.isoformat()
    raise JobError(
        f"the column {column} has values of type {type(value).__name__}; what is to be read in "
        "order must be a number, a text, a date or a timestamp"
    )


def _check_finite(value: Any, column: str) -> None:
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        raise JobError(
            f"the column {column} has the value {value}, which is not a point from which rows can "
            "be read on; leave such rows out of the query"
        )


def from_text(kind: str, text: str) -> Any:
    """The value again. Raises ValueError when the text is not a value of that kind."""
    match kind:
        case "integer":
            return int(text)
        case "decimal":
            return Decimal(text)
        case "float":
            return float(text)
        case "date":
            return date.fromisoformat(text)
        case "timestamp" | "timestamptz":
            return datetime.fromisoformat(text)
    return text
