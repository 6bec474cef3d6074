"""The types that people give to columns."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_TYPE = re.compile(
    r'[a-z_][\w ]*(\."?\w+"?)?(\(\w+(, ?-?\w+)?\))?( with(out)? time zone)?(\[\])?', re.I
)
_WIDE = {"integer": "bigint", "decimal": "numeric"}


def _known_form(text: str) -> str:
    if not _TYPE.fullmatch(text):
        raise ValueError(f"{text!r} is not a type; write, for example, `numeric(12, 2)`")
    return _WIDE.get(text, text)


ColumnType = Annotated[str, AfterValidator(_known_form)]
"""A type of PostgreSQL. `integer` and `decimal` are those without a limit to care for."""
