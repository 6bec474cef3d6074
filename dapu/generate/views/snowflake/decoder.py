"""The decoder that views of contract ABIs call in Snowflake: `abi_decode`.

Snowflake has no decoder of its own, and its numbers end at 38 digits. It runs the text of this file
as a function in Python, so the file needs nothing but the standard library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

WORD = 32  # bytes
MOST_BITS = 120  # of a type whose numbers are all of less than 38 digits; others become text
_HEX = re.compile(r"(0[xX])?(([0-9a-fA-F]{2})*)")
_GROWTH, _SMALL = (
    64,
    4096,
)  # how much larger than the data its JSON may be, and what is always allowed

Type = Mapping[str, Any]


class Malformed(Exception):
    """Bytes that are no value of their type."""


def abi_decode(topics: str | None, data: str | None, layout: str) -> str:
    """JSON with the values of the inputs as `p0`, `p1` …, and what is wrong as `e`.

    topics: of a log, with commas or as a JSON array. data: of a log or call. Both are hexadecimal.
    layout: see `SnowflakeSql`. A value that is malformed is left out.
    """
    known = _known(layout)
    body = _bytes(data) or b""
    words = [_bytes(topic.strip(' []"')) or b"" for topic in topics.split(",")] if topics else []
    base, topic = known["base"], known["topic"]
    is_long = len(body) >= known["length"]
    found: dict[str, Any] = {}
    if not is_long:
        found["e"] = f"{known['what']} has {len(body)} bytes of at least {known['length']}"
    place = base
    for number, one in enumerate(known["inputs"]):
        of = one["type"]
        try:
            if one["indexed"]:
                topic += 1
                found[f"p{number}"] = _input(words[topic - 1], 0, 0, of)
            elif is_long or of["dynamic"]:
                found[f"p{number}"] = _input(body, place, base, of)
        except (Malformed, IndexError, RecursionError):
            found.setdefault("e", f"{one['name']} is not of type {one['canonical']}")
        place += 0 if one["indexed"] else of["head"]
    return json.dumps(found, ensure_ascii=False)


@lru_cache(maxsize=1000)
def _known(layout: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(layout)
    return found


def _bytes(text: str | None) -> bytes | None:
    match = _HEX.fullmatch(text or "")
    return bytes.fromhex(match[2]) if match else None


def _input(data: bytes, place: int, base: int, of: Type) -> Any:
    """The value of an input, whose head stands at a place; bytes without 0x, for a column."""
    if of["dynamic"]:
        place = _tail(data, base, place)
    value = _value(data, place, of)
    return value[2:] if of["kind"] in ("bytes", "fixed_bytes") else value


def _value(data: bytes, place: int, of: Type) -> Any:
    """The value that begins at a place. Raises Malformed."""
    if of["kind"] in ("array", "tuple"):
        return _items(data, place, of)
    if of["kind"] == "bytes":
        return "0x" + _counted(data, place).hex()
    if of["kind"] == "string":
        return _text(_counted(data, place))
    return _word(data[place : place + WORD], of)


def _items(data: bytes, place: int, of: Type) -> Any:
    is_array = of["kind"] == "array"
    if is_array:
        count = of.get("size")
        if count is None:
            count = _position(data, place)
            place += WORD
        if count * max(of["of"]["head"], 1) > len(data) - place:
            raise Malformed
        kinds = [of["of"]] * count
    else:
        kinds = of["of"]
    found, head, budget = [], place, _GROWTH * len(data) + _SMALL
    for kind in kinds:
        inside = _tail(data, place, head) if kind["dynamic"] else head
        found.append(_value(data, inside, kind))
        # Values that share bytes could make a few kilobytes of data into gigabytes.
        budget -= _size(found[-1])
        if budget < 0:
            raise Malformed
        head += kind["head"]
    if is_array or not of["names"]:
        return found
    return dict(zip(of["names"], found, strict=True))


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_size(item) for item in value.values()) + 1
    return sum(_size(item) for item in value) + 1 if isinstance(value, list) else len(str(value))


def _word(word: bytes, of: Type) -> Any:
    """The value of a type of 32 bytes."""
    if len(word) < WORD:
        raise Malformed
    kind, size = of["kind"], int(of.get("size", 0))
    if kind == "fixed_bytes":
        return "0x" + _used(word[:size], word[size:]).hex()
    if kind == "address":
        return "0x" + _used(word[12:], word[:12]).hex()
    number = int.from_bytes(word, "big", signed=kind == "int")
    if kind == "bool":
        if number > 1:
            raise Malformed
        return bool(number)
    low, high = (-(2 ** (size - 1)), 2 ** (size - 1)) if kind == "int" else (0, 2**size)
    if not low <= number < high:
        raise Malformed
    return number if _is_number(of) else _scaled(number, of.get("decimals", 0))


def _is_number(of: Type) -> bool:
    return of["size"] <= MOST_BITS and not of.get("decimals")


def _used(used: bytes, rest: bytes) -> bytes:
    if any(rest):
        raise Malformed
    return used


def _scaled(number: int, decimals: int) -> str:
    """All digits of a number, the last ones behind the point."""
    if not decimals:
        return str(number)
    digits = str(abs(number)).rjust(decimals + 1, "0")
    return f"{'-' * (number < 0)}{digits[:-decimals]}.{digits[-decimals:]}"


def _counted(data: bytes, place: int) -> bytes:
    """The bytes whose number stands at a place."""
    size = _position(data, place)
    if size > len(data) - WORD - place:
        raise Malformed
    return data[place + WORD : place + WORD + size]


def _text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Malformed from None
    if "\0" in text:
        raise Malformed
    return text


def _tail(data: bytes, base: int, place: int) -> int:
    """Where a value begins whose offset stands at a place."""
    distance = _position(data, place)
    if distance > len(data) - base:
        raise Malformed
    return base + distance


def _position(data: bytes, place: int) -> int:
    """An offset or length."""
    if place < 0 or place > len(data) - WORD:
        raise Malformed
    return int.from_bytes(data[place : place + WORD], "big")
