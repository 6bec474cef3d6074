"""PostgreSQL's values in Python, each exact: what Python cannot hold stays the text that it was.

psycopg2 would take infinity for the year 9999, a month for 30 days and 24:00 for midnight, round
the numbers of documents, and refuse years before Christ and after 9999.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from psycopg2 import extensions
from psycopg2.extensions import cursor as Cursor

_USUAL = re.compile(r"\d{4}-(?!.* BC$)")
_DIGITS = 4_000  # Python refuses to make an int of more than 4,300
_Text = Any  # a string, or None


def _usual(parse: Any) -> Any:
    def value(text: _Text, cursor: Any) -> Any:
        return parse(text, cursor) if text and _USUAL.match(text) else text

    return value


def _time(text: _Text, cursor: Any) -> Any:
    return text if text and text.startswith("24:") else extensions.PYTIME(text, cursor)


def _document(text: _Text, _cursor: Any) -> Any:
    return None if text is None else json.loads(text, parse_float=Decimal, parse_int=_integer)


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _DIGITS else Decimal(text)


def _as_text(text: _Text, _cursor: Any) -> Any:
    return text


# By name: the numbers of a type and of its arrays, and what makes a value of a text.
_CASTERS = {
    "DATE": (1082, 1182, _usual(extensions.PYDATE)),
    "TIMESTAMP": (1114, 1115, _usual(extensions.PYDATETIME)),
    "TIMESTAMPTZ": (1184, 1185, _usual(extensions.PYDATETIMETZ)),
    "TIME": (1083, 1183, _time),
    "TIMETZ": (1266, 1270, _time),
    "INTERVAL": (1186, 1187, _as_text),
    "JSON": (114, 199, _document),
    "JSONB": (3802, 3807, _document),
}


def _types() -> list[Any]:
    types = []
    for name, (number, array, caster) in _CASTERS.items():
        one = extensions.new_type((number,), f"DAPU_{name}", caster)
        types += [one, extensions.new_array_type((array,), f"DAPU_{name}S", one)]
    return types


_TYPES = _types()


def read_exactly(cursor: Cursor) -> None:
    """Values that the cursor gives from now on are exact."""
    for one in _TYPES:
        extensions.register_type(one, cursor)
