"""SQL that decodes arrays and tuples whose parts are of fixed size, as JSON, without PL/pgSQL."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2.extensions import QuotedString

from dapu.generate.views.abi_types import WORD, AbiType
from dapu.generate.views.abi_words import Decoded, fill, word

_MOST_WORDS = 64  # of a value in one expression; a longer one is no faster than a loop
_MOST_ARGUMENTS = 100  # of a function, FUNC_MAX_ARGS


def static_json(of: AbiType, source: str, at: int, hex_numbers: bool) -> Decoded | None:
    """A value of fixed size that begins at a place, from 1; None when it is too large for that."""
    if of.is_dynamic or of.head > _MOST_WORDS * WORD:
        return None
    return _json(of, source, at, hex_numbers)


def list_json(
    of: AbiType, schema: str, source: str, base: int, place: int, hex_numbers: bool
) -> str | None:
    """An array of any number of items of fixed size, whose offset stands at a place.

    None when it is another type.
    """
    if of.kind != "array" or of.size is not None or not of.items[0].head:
        return None
    item = static_json(of.items[0], "w.item", 1, hex_numbers)
    if item is None:
        return None
    parts: dict[str, str | int] = {
        "schema": schema,
        "source": source,
        "base": base,
        "place": place,
        "head": of.items[0].head,
        "value": item.value,
        "ok": item.ok or fill("abi_sql.always"),
    }
    return fill("abi_sql.json_list", **parts)


def _json(of: AbiType, source: str, at: int, hex_numbers: bool) -> Decoded | None:
    if of.kind == "array":
        return _built(of.items * (of.size or 0), (), source, at, hex_numbers)
    if of.kind == "tuple":
        return _built(of.items, of.keys, source, at, hex_numbers)
    decoded = word(of, source, at, hex_numbers)
    if of.kind == "fixed_bytes":
        return Decoded(fill("abi_sql.hex_text", value=decoded.value), decoded.ok)
    return decoded


def _built(
    items: Sequence[AbiType], names: Sequence[str], source: str, at: int, hex_numbers: bool
) -> Decoded | None:
    if len(items) * (2 if names else 1) > _MOST_ARGUMENTS:
        return None
    values, conditions = [], []
    for number, item in enumerate(items):
        decoded = _json(item, source, at, hex_numbers)
        if decoded is None:
            return None
        values.append(f"{_literal(names[number])}, {decoded.value}" if names else decoded.value)
        conditions += [decoded.ok] if decoded.ok else []
        at += item.head
    ok, arguments = " and ".join(conditions), ", ".join(values)
    if names:
        return Decoded(fill("abi_sql.json_object", arguments=arguments), ok)
    return Decoded(fill("abi_sql.json_array", arguments=arguments), ok)


def _literal(text: str) -> str:
    quoted = QuotedString(text)
    quoted.encoding = "utf-8"
    return f"{quoted.getquoted().decode()}::text"
