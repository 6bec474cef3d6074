"""JSON in which every number stays as it was written, and nothing is dropped in silence.

A number with a fraction or an exponent becomes a Decimal and never a float; a key that an object
has twice, of which other readers take the last, is a fault (RFC 8259, section 4, leaves it open).
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import cache
from typing import Any

import simplejson

from dapu.errors import FaultyDocument

_DIGITS = 4_000  # Python refuses to make an int of more than 4,300
_SHOWN = 40  # characters around a syntax error
_HALF = re.compile("[\ud800-\udfff]")  # of a pair that UTF-16 writes a character with


def parse(data: bytes, charset: str | None = None) -> Any:
    """The value of a JSON text.

    charset: what the sender says of the text; by default it is UTF-8 (or marked as UTF-16 or 32).
    Raises FaultyDocument.
    """
    try:
        return decoder().decode(data.decode(charset or json.detect_encoding(data)))
    except json.JSONDecodeError as error:
        near = error.doc[max(error.pos - _SHOWN, 0) : error.pos + _SHOWN]
        where = f"line {error.lineno}, column {error.colno}"
        raise FaultyDocument(f"is not JSON ({error.msg}, {where}, near {near!r})") from None
    except (UnicodeDecodeError, LookupError) as error:
        raise FaultyDocument(f"is not text of the encoding {charset or 'UTF-8'}: {error}") from None
    except RecursionError:
        raise FaultyDocument("is nested too deeply") from None


@cache
def decoder() -> json.JSONDecoder:
    """What turns a text into values. It raises FaultyDocument, or json.JSONDecodeError."""
    return json.JSONDecoder(
        parse_float=Decimal,
        parse_int=_integer,
        parse_constant=_refuse_constant,
        object_pairs_hook=_object,
    )


def dump(value: Any) -> str:
    """The JSON text of a value that `parse` gave; equal to what was read, but for white space."""
    try:
        return _PLAIN.encode(value)
    except TypeError:  # it has a Decimal, which the standard encoder, twice as fast, does not know
        return _WITH_DECIMALS.encode(value)


def check_characters(text: str) -> None:
    """Raises FaultyDocument for half of a character, which JSON can write and no text can hold."""
    half = _HALF.search(text)
    if half is not None:
        raise FaultyDocument(
            f"has half of a character in a text (\\u{ord(half[0]):04x}), which is not Unicode"
        )


def without_nul(value: Any) -> Any:
    """The value without the NUL characters in its texts, which PostgreSQL cannot hold."""
    match value:
        case str():
            return value.replace("\0", "")
        case dict():
            return {without_nul(key): without_nul(item) for key, item in value.items()}
        case list():
            return [without_nul(item) for item in value]
    return value


_PLAIN = json.JSONEncoder(
    ensure_ascii=False,
    check_circular=False,
    allow_nan=False,
    separators=(",", ":"),
)
_WITH_DECIMALS = simplejson.JSONEncoder(
    ensure_ascii=False,
    check_circular=False,
    allow_nan=False,
    separators=(",", ":"),
    use_decimal=True,
)


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _DIGITS else Decimal(text)


def _refuse_constant(text: str) -> Any:
    raise FaultyDocument(f"has the number {text}, which JSON has not")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise FaultyDocument(f"has the key {twice!r} twice in one object")
    return found
