"""ABIs: types, signatures, and names that no other has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dapu.generate.views.abi import Abi, keccak, merged, named, read_abi
from dapu.generate.views.abi_types import NotAnAbi, read_type, unique_names
from dapu.generate.views.planned import short_name


def entries(*found: dict[str, Any]) -> Any:
    return read_abi(json.dumps(list(found))).entries


def function(name: str, *types: str) -> dict[str, Any]:
    return {"type": "function", "name": name, "inputs": [{"type": kind} for kind in types]}


def test_selectors_and_topics_are_those_of_ethereum() -> None:
    [transfer] = entries(function("transfer", "address", "uint"))
    assert (transfer.signature, transfer.selector.hex()) == (
        "transfer(address,uint256)",
        "a9059cbb",
    )
    assert keccak("Transfer(address,address,uint256)").hex().startswith("ddf252ad1be2c89b")


@pytest.mark.parametrize(
    ("text", "head", "dynamic"),
    [
        ("uint8", 32, False),
        ("bytes", 32, True),
        ("uint8[3]", 96, False),
        ("uint8[3][]", 32, True),
        ("uint8[][3]", 32, True),
        ("string[2]", 32, True),
        ("bytes32[2][2]", 128, False),
    ],
)
def test_how_much_room_a_value_takes(text: str, head: int, dynamic: bool) -> None:
    of = read_type({"type": text})
    assert (of.canonical, of.head, of.is_dynamic) == (text, head, dynamic)


def test_a_tuple_is_as_large_as_its_components() -> None:
    components = [{"name": "a", "type": "uint8"}, {"name": "", "type": "bool[2]"}]
    of = read_type({"type": "tuple[2]", "components": components})
    assert (of.canonical, of.head, of.is_dynamic) == ("(uint8,bool[2])[2]", 192, False)
    assert of.items[0].keys == ("a", "1")


@pytest.mark.parametrize(
    "text",
    [
        *("uint7", "uint264", "bytes33", "bytes0", "fixed8", "Foo", "tuples", "", "uint8[-1]"),
        *("uint8[01]", "uint8[1000000000]", f"uint8[{'9' * 5000}]"),
    ],
)
def test_what_is_not_a_type_is_named(text: str) -> None:
    with pytest.raises(NotAnAbi, match="there is no type"):
        read_type({"type": text})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("uint8" + "[]" * 51, "50 levels"),
        ("uint8" + "[]" * 5000, "too deep"),
        ("uint8[2]" + "[2]" * 30, "more bytes than any data"),
        ("uint8[0]" + "[100]" * 9, "without any byte"),
    ],
)
def test_a_type_that_no_data_has_is_refused(text: str, says: str) -> None:
    with pytest.raises(NotAnAbi, match=says):
        entries(function("f", text))


@pytest.mark.parametrize(
    ("key", "value"), [("indexed", "false"), ("name", "\ud800"), ("name", "a\0"), ("type", 5)]
)
def test_what_cannot_be_meant_is_refused(key: str, value: Any) -> None:
    event = {"type": "event", "name": "E", "inputs": [{"type": "uint8", key: value}]}
    with pytest.raises(NotAnAbi):
        entries(event)


@pytest.mark.parametrize("abi", ["", "[", "3", "{}", '[{"type": "event", "inputs": [1]}]', "[[]]"])
def test_what_is_not_an_abi_is_refused(abi: str) -> None:
    with pytest.raises(NotAnAbi):
        read_abi(abi)


def test_only_events_and_functions_are_taken_and_artifacts_are_read() -> None:
    abi = [{"type": kind} for kind in ("constructor", "fallback", "receive", "error")]
    assert read_abi(json.dumps({"abi": [*abi, function("f")]})).entries == entries(function("f"))


def test_types_of_libraries_have_their_names_in_the_signature() -> None:
    enum = {"type": "Lib.E", "internalType": "enum Lib.E"}
    enums = {"type": "Lib.E[2][]", "internalType": "enum Lib.E[2][]"}
    token = {"type": "IERC20", "internalType": "contract IERC20"}
    data = {"type": "Lib.S storage", "internalType": "struct Lib.S"}
    call = {"type": "function", "name": "f", "inputs": [enum, enums, token, data]}
    [found] = entries(call)
    assert found.signature == "f(Lib.E,Lib.E[2][],IERC20,Lib.S storage)"
    kinds = [(one.type.kind, one.type.head) for one in found.inputs]
    assert kinds == [("uint", 32), ("array", 32), ("address", 32), ("uint", 32)]
    assert found.inputs[1].type.items[0].items[0].size == 8


def test_what_is_not_understood_is_left_out_alone() -> None:
    odd = {"type": "function", "name": "odd", "inputs": [{"type": "Lib.X"}]}
    found = read_abi(json.dumps([function("f"), odd]))
    assert [entry.name for entry in found.entries] == ["f"]
    assert found.left_out == ["left out: function odd: there is no type `Lib.X`"]
    wide = read_abi(json.dumps([function("f"), function("wide", *["bool"] * 1_600)]))
    assert wide.left_out == [
        "left out: function wide has 1600 inputs, more than a view has columns"
    ]
    anonymous = {"type": "event", "name": "E", "anonymous": True}
    with pytest.raises(NotAnAbi, match="odd"):  # whose logs could be of either
        read_abi(json.dumps([anonymous, {**odd, "type": "event"}]))


def test_overloads_are_named_by_their_types() -> None:
    found = entries(function("f", "uint8"), function("g"), function("f", "bool"))
    assert [name for name, _ in named(found)] == ["f(uint8)", "f(bool)", "g"]


def test_abis_of_one_contract_are_merged() -> None:
    first, second = entries(function("f"), function("f")), entries(function("g"), function("f"))
    found, notes = merged([Abi(first, []), Abi(second, [])])
    assert [entry.name for entry in found] == ["f", "g"]
    assert notes == []


def test_each_name_is_there_once() -> None:
    assert unique_names(["a", "", "a", "a_2", "1"]) == ("a", "1", "a_2", "a_2_3", "1_4")


def test_a_name_is_cut_between_characters_and_unlike_others() -> None:
    assert short_name("x" * 63) == "x" * 63
    cut = [short_name("ö" * number) for number in (40, 41)]
    assert len(set(cut)) == 2
    assert all(len(name.encode()) <= 63 and name.startswith("ö" * 27) for name in cut)
