"""Ordered values of a source, kept as text so that they go back to it as they came."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, tzinfo
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


def given_as(given: str | datetime, like: Any, zone: tzinfo) -> Any:
    """A value that a person wrote, or a moment, as the kind of value that another is.

    like: a value of the source; None takes it as it is. zone: of a time that has none.
    Raises ValueError or ArithmeticError when it is not a value of that kind.
    """
    if like is None:
        return given
    kind, kept = to_text(like, "")
    if isinstance(given, datetime):
        return _moment_as(given, kind, zone)
    value = from_text(kind, given)
    if kind == "text" and _shape(kept) is not None and _shape(given) != _shape(kept):
        raise ValueError(given)  # it would not sort as what it says
    if isinstance(value, datetime) and (value.tzinfo is None) != (kind == "timestamp"):
        if value.tzinfo is not None:
            raise ValueError(given)
        value = value.replace(tzinfo=zone)
    to_text(value, "")  # refuses what has no order
    return value


def _moment_as(moment: datetime, kind: str, zone: tzinfo) -> Any:
    local = moment.astimezone(zone)
    match kind:
        case "timestamptz":
            return local
        case "timestamp":
            return local.replace(tzinfo=None)
        case "date":
            return local.date()
    raise ValueError(moment)


def _shape(text: str) -> str | None:
    """A time's text with every digit as a 9; None for what is not a time."""
    return re.sub(r"\d", "9", text) if re.match(r"\d{4}-\d\d-\d\d", text) else None
