"""Values of many types, decoded in SQL as eth-abi decodes them; and data that is malformed."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from decimal import Decimal
from typing import Any, cast

import psycopg2
import pytest
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg2 import sql

from dapu.generate.views import abi_functions, abi_sql
from dapu.generate.views.abi import Entry, Input
from dapu.generate.views.abi_types import AbiType, read_type
from dapu.generate.views.snowflake.decoder import MOST_BITS, abi_decode
from dapu.generate.views.snowflake.sql import layout
from tests.services.postgres import Postgres
from tests.support.abi_decoder import Decoder, shown

_HEX = st.binary(min_size=20, max_size=20).map(lambda data: "0x" + data.hex())
# `scripts/abi-corpora` tries thousands.
_FEW = settings(
    max_examples=int(os.environ.get("DAPU_ABI_VALUES", "100")),
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def _number(bits: int, signed: bool) -> st.SearchStrategy[int]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.sampled_from([low, high, 0, 1]) | st.integers(low, high)


@st.composite
def elementary(draw: st.DrawFn) -> tuple[str, st.SearchStrategy[Any]]:
    bits = 8 * draw(st.integers(1, 32))
    texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=50)
    return draw(
        st.sampled_from(
            [
                (f"uint{bits}", _number(bits, signed=False)),
                (f"int{bits}", _number(bits, signed=True)),
                ("address", _HEX),
                ("bool", st.booleans()),
                (f"bytes{bits // 8}", st.binary(min_size=bits // 8, max_size=bits // 8)),
                ("bytes", st.binary(max_size=100)),
                ("string", texts),
            ]
        )
    )


@st.composite
def of_any_type(draw: st.DrawFn, depth: int = 3) -> tuple[str, st.SearchStrategy[Any]]:
    """A type, and a strategy for its values."""
    kind = draw(st.sampled_from(["word", "word", "array", "fixed", "tuple"])) if depth else "word"
    if kind == "word":
        return draw(elementary())
    if kind == "tuple":
        parts = [draw(of_any_type(depth - 1)) for _ in range(draw(st.integers(1, 4)))]
        return f"({','.join(name for name, _ in parts)})", st.tuples(*(one for _, one in parts))
    name, values = draw(of_any_type(depth - 1))
    if kind == "array":
        return f"{name}[]", st.lists(values, max_size=4).map(tuple)
    size = draw(st.integers(1, 3))
    return f"{name}[{size}]", st.lists(values, min_size=size, max_size=size).map(tuple)


@st.composite
def encoded(draw: st.DrawFn) -> tuple[list[str], bytes]:
    """Types, and the encoding of values of them."""
    parts = [draw(of_any_type()) for _ in range(draw(st.integers(1, 4)))]
    types = [name for name, _ in parts]
    return types, encode(types, [draw(values) for _, values in parts])


def entry(text: str) -> dict[str, Any]:
    """A type in a signature as an ABI has it."""
    if text.endswith("]"):
        item, _, size = text.rpartition("[")
        inner = entry(item)
        return {**inner, "type": f"{inner['type']}[{size}"}
    if not text.startswith("("):
        return {"type": text, "name": ""}
    parts, depth, start = [], 0, 1
    for place, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if (letter == "," and depth == 1) or (letter == ")" and depth == 0):
            parts.append(text[start:place])
            start = place + 1
    return {"type": "tuple", "name": "", "components": [entry(part) for part in parts]}


@contextmanager
def decoder(server: Postgres, name: str) -> Iterator[Decoder]:
    """A decoder in a database of its own."""
    server.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    with closing(psycopg2.connect(server.uri(name))) as session:
        yield Decoder(session)


@pytest.fixture(scope="module")
def newest(postgres_server: Postgres) -> Iterator[Decoder]:
    with decoder(postgres_server, "abi_values") as found:
        yield found


@pytest.fixture(scope="module")
def by_bits(postgres_server: Postgres) -> Iterator[Decoder]:
    """What PostgreSQL 14 and 15 run, which read no numbers from hexadecimal digits."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            for module in (abi_functions, abi_sql):
                patch.setattr(module, "HEX_NUMBERS_SINCE", 10**9)
            found = stack.enter_context(decoder(postgres_server, "abi_values_by_bits"))
        yield found


@pytest.fixture(scope="module")
def debian(postgis_server: Postgres) -> Iterator[Decoder]:
    """Debian's PostgreSQL, which is older."""
    with decoder(postgis_server, "abi_values") as found:
        yield found


@pytest.fixture(params=["newest", "by_bits", "debian"])
def any_decoder(request: pytest.FixtureRequest) -> Decoder:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Decoder)
    return found


def event(decoder: Decoder, types: list[str], data: bytes) -> tuple[list[Any], str | None]:
    """The values of an event with inputs of these types, and the error."""
    return decoder.values([Input("", read_type(entry(text))) for text in types], data)


def check(decoder: Decoder, types: list[str], data: bytes) -> None:
    values, error = event(decoder, types, data)
    kinds = [read_type(entry(text)) for text in types]
    expected = [shown(kind, v) for kind, v in zip(kinds, decode(types, data), strict=True)]
    assert error is None, (types, data.hex())
    assert values == expected, (types, data.hex())


@_FEW
@given(value=encoded())
def test_values_are_those_of_eth_abi(any_decoder: Decoder, value: tuple[list[str], bytes]) -> None:
    check(any_decoder, *value)


def broken(data: bytes, chance: random.Random) -> bytes:
    """Data with some bytes changed, and perhaps its end cut off."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        found[chance.randrange(len(found))] = chance.choice([0, 1, 32, 64, 127, 128, 255])
    if chance.random() < 0.3:
        del found[chance.randrange(len(found)) :]
    return bytes(found)


@_FEW
@given(value=encoded(), chance=st.randoms())
def test_malformed_data_never_fails_and_is_refused_where_eth_abi_refuses_it(
    any_decoder: Decoder, value: tuple[list[str], bytes], chance: random.Random
) -> None:
    types, data = value[0], broken(value[1], chance)
    values, error = event(any_decoder, types, data)
    assert (error is None) == (None not in values)
    try:
        theirs = decode(types, data)
    except (DecodingError, UnicodeDecodeError, OverflowError):
        return
    if error is None:
        kinds = [read_type(entry(text)) for text in types]
        assert values == [shown(kind, v) for kind, v in zip(kinds, theirs, strict=True)]
    else:
        assert "\0" in repr(theirs) or "\\x00" in repr(theirs), (types, data.hex(), error)


def snowflake(types: list[str], data: bytes) -> tuple[list[Any], str | None]:
    """The values that Snowflake's decoder gives, and the error."""
    event = Entry("evt", "E", tuple(Input("", read_type(entry(text))) for text in types))
    topics = "0x" + event.hash.hex()
    found = json.loads(abi_decode(topics, data.hex(), json.dumps(layout(event))))
    return [found.get(f"p{number}") for number in range(len(types))], found.get("e")


def in_snowflake(of: AbiType, value: Any, *, inside: bool = False) -> Any:
    """A value as Snowflake's decoder gives it: its numbers end at 38 digits."""
    if of.kind in ("array", "tuple"):
        kinds = of.items * (len(value) if of.kind == "array" else 1)
        return [in_snowflake(k, v, inside=True) for k, v in zip(kinds, value, strict=True)]
    if isinstance(value, bytes):
        return "0x" * inside + value.hex()
    is_long = of.kind in ("uint", "int") and (of.size or 0) > MOST_BITS
    return str(value) if is_long else value


@_FEW
@given(encoded())
def test_values_are_the_same_in_snowflake(value: tuple[list[str], bytes]) -> None:
    types, data = value
    kinds = [read_type(entry(text)) for text in types]
    wanted = [in_snowflake(kind, v) for kind, v in zip(kinds, decode(types, data), strict=True)]
    assert snowflake(types, data) == (wanted, None), (types, data.hex())


@_FEW
@given(encoded(), st.randoms())
def test_malformed_data_is_refused_in_snowflake_as_in_postgresql(
    newest: Decoder, value: tuple[list[str], bytes], chance: random.Random
) -> None:
    types, data = value[0], broken(value[1], chance)
    ours, theirs = event(newest, types, data), snowflake(types, data)
    assert [one is None for one in ours[0]] == [one is None for one in theirs[0]]
    assert ours[1] == theirs[1]


@pytest.mark.parametrize(
    ("kind", "number", "value"),
    [
        ("fixed128x18", -(10**18) // 2, Decimal("-0.5")),
        ("ufixed256x80", 2**256 - 1, Decimal(f"{2**256 - 1}E-80")),
        ("fixed8x1", 127, Decimal("12.7")),
    ],
)
def test_fixed_point_numbers_are_exact(
    any_decoder: Decoder, kind: str, number: int, value: Decimal
) -> None:
    data = (number % 2**256).to_bytes(32)
    assert event(any_decoder, [kind], data) == ([value], None)


def test_data_whose_parts_share_bytes_does_not_grow_without_end(newest: Decoder) -> None:
    # Five arrays of 200 items; the items of each are all the next one: 200^5 numbers in 32 kB.
    count = (200).to_bytes(32)
    step = count + (200 * 32).to_bytes(32) * 200
    data = (32).to_bytes(32) + step * 4 + count + bytes(32) * 200
    values, error = event(newest, ["uint256[][][][][]"], data)
    assert values == [None]
    assert error is not None


@pytest.mark.parametrize(
    "kind", ["uint8[64]", "uint8[65]", "uint8[101]", "uint8[0]", "uint8[0][]", "bytes3[2][32][]"]
)
def test_arrays_of_any_length(any_decoder: Decoder, kind: str) -> None:
    def value(of: AbiType) -> Any:
        if of.kind != "array":
            return b"abc" if of.kind == "fixed_bytes" else 7
        return [value(of.items[0])] * (2 if of.size is None else of.size)

    of = read_type(entry(kind))
    data = encode([kind], [value(of)]) if "[0]" not in kind else (32).to_bytes(32) + bytes(32)
    wanted = [] if "[0]" in kind else shown(of, value(of))
    assert event(any_decoder, [kind], data) == ([wanted], None)


@pytest.mark.parametrize("names", [["a'b", "c\\d"], ["ö\n", "{0}%s"], [f"n{n}" for n in range(51)]])
def test_components_of_any_names(any_decoder: Decoder, names: list[str]) -> None:
    parts = [{"name": name, "type": "uint8"} for name in names]
    tuple_of = {"type": "tuple", "name": "", "components": parts}
    data = encode(["uint8"] * len(names), list(range(len(names))))
    found = any_decoder.values([Input("", read_type(tuple_of))], data)
    assert found == ([dict(zip(names, range(len(names)), strict=True))], None)


def test_types_as_deep_as_there_are(any_decoder: Decoder) -> None:
    kind, value = "string", cast(Any, "x")
    for _ in range(25):
        kind, value = f"({kind}[])", ((value,),)
    of = read_type(entry(kind))
    assert event(any_decoder, [kind], encode([kind], [value])) == ([shown(of, value)], None)
