"""What PostgreSQL's values are in Python, where psycopg2 would change them.

Such values go back to the source as bounds, so they must be what they were.
"""

from __future__ import annotations

import re
import struct
from typing import Any

from psycopg2 import extensions

from dapu.errors import JobError

_DATE, _TIMESTAMP, _TIMESTAMPTZ, _REAL = 1082, 1114, 1184, 700


_USUAL = re.compile(r"\d{4}-(?!.* BC$)")
_Text = Any  # a string, or None


def _moment(text: _Text, cursor: Any, parse: Any) -> Any:
    """A date or time; psycopg2 takes infinity for the end of the year 9999."""
    if text is None:
        return None
    if not _USUAL.match(str(text)):
        raise JobError(
            f"{text!s} is not a point from which rows can be read on; leave such rows out of "
            "the query"
        )
    return parse(text, cursor)


def _date(text: _Text, cursor: Any) -> Any:
    return _moment(text, cursor, extensions.PYDATE)


def _timestamp(text: _Text, cursor: Any) -> Any:
    return _moment(text, cursor, extensions.PYDATETIME)


def _timestamptz(text: _Text, cursor: Any) -> Any:
    return _moment(text, cursor, extensions.PYDATETIMETZ)


def _real(text: _Text, _cursor: Any) -> float | None:
    """A number of 32 bits, as the number of 64 bits that is equal to it."""
    return None if text is None else float(struct.unpack("f", struct.pack("f", float(text)))[0])


EXACT_TYPES = (
    extensions.new_type((_DATE,), "DAPU_DATE", _date),
    extensions.new_type((_TIMESTAMP,), "DAPU_TIMESTAMP", _timestamp),
    extensions.new_type((_TIMESTAMPTZ,), "DAPU_TIMESTAMPTZ", _timestamptz),
    extensions.new_type((_REAL,), "DAPU_REAL", _real),
)
