"""SQL that decodes one value of 32 bytes whose place is known when the view is made."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

from dapu.generate.views.abi_types import WORD, AbiType
from dapu.named_sql import statement

_PART = 7  # bytes that a bigint takes without reaching its sign


class Decoded(NamedTuple):
    """An expression, and the condition that the bytes are such a value (empty: always)."""

    value: str
    ok: str


def fill(name: str, /, **parts: str | int) -> str:
    """A named piece of SQL with these pieces in it, which are SQL already."""
    return _piece(name).format(**parts)


@cache
def _piece(name: str) -> str:
    """Without its comment, which would stand in the middle of a line."""
    lines = statement(name).splitlines()
    return "\n".join(line for line in lines if not line.startswith("--"))


@lru_cache(maxsize=10_000)
def word(of: AbiType, source: str, at: int, hex_numbers: bool) -> Decoded:
    """The value of an elementary type of fixed size.

    source: an expression of bytes. at: the word's place in it, from 1.
    hex_numbers: whether the server reads numbers from hexadecimal digits (PostgreSQL 16 and newer).
    """
    match of.kind:
        case "address":
            unused = 12
            return Decoded(
                fill("abi_sql.address", source=source, at=at + unused),
                _unsigned_ok(source, at, unused),
            )
        case "bool":
            last, zeros = at + WORD - 2, "00" * (WORD - 1)
            return Decoded(
                fill("abi_sql.bool", source=source, last=last),
                fill("abi_sql.bool_ok", source=source, at=at, zeros=zeros),
            )
        case "fixed_bytes":
            size = of.size or WORD
            return Decoded(
                fill("abi_sql.fixed_bytes", source=source, at=at, length=size),
                _unsigned_ok(source, at + size, WORD - size),
            )
    return _number(of, source, at, hex_numbers)


def _number(of: AbiType, source: str, at: int, hex_numbers: bool) -> Decoded:
    size = (of.size or 256) // 8
    unused, start = WORD - size, at + WORD - size
    value = _digits(source, start, size) if hex_numbers else _bits(source, start, size)
    ok = _unsigned_ok(source, at, unused)
    if of.kind == "int":
        sign: dict[str, str | int] = {"source": source, "first": start - 1}
        value = fill("abi_sql.signed", number=value, modulus=2 ** (8 * size), **sign)
        if unused:
            zeros, ones = "00" * unused, "ff" * unused
            ok = fill("abi_sql.signed_ok", at=at, unused=unused, zeros=zeros, ones=ones, **sign)
    if of.decimals:
        factor = f"{10**-of.decimals:.{of.decimals}f}"
        value = fill("abi_sql.times", number=f"({value})", factor=factor)
    return Decoded(value, ok)


def _unsigned_ok(source: str, at: int, unused: int) -> str:
    if not unused:
        return ""
    zeros = "00" * unused
    return fill("abi_sql.unsigned_ok", source=source, at=at, unused=unused, zeros=zeros)


def _digits(source: str, at: int, size: int) -> str:
    return fill("abi_sql.number_hex", source=source, at=at, length=size)


def _bits(source: str, at: int, size: int) -> str:
    parts = []
    end = size
    while end > 0:
        length = min(_PART, end)
        place = at + end - length
        part = fill("abi_sql.number_part", source=source, at=place, length=length, bits=8 * length)
        above = 2 ** (8 * (size - end))
        parts.append(fill("abi_sql.times", number=part, factor=above) if end < size else part)
        end -= length
    return f"({' + '.join(parts)})"
