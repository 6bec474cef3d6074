"""Columns of a query whose types its database declares, and how their values travel."""

from __future__ import annotations

from dataclasses import dataclass

from dapu.sources.databases.expected_type import size


@dataclass(frozen=True)
class Typed:
    """A column.

    type: the PostgreSQL type that holds each of its values.
    cast: the SQL of `casts.sql` that writes a value's text; None when the driver keeps it exact.
    scale: the most digits that a second has.
    """

    name: str
    type: str
    cast: str | None = None
    scale: int = 0


def decimal(name: str, declared: str, cast: str | None = None) -> Typed:
    """A column declared as `decimal(15,2)`, or without digits, which then may be any."""
    digits = size(declared)
    return Typed(name, "numeric" if digits is None else f"numeric({digits[0]},{digits[1]})", cast)
