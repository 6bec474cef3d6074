"""The events and functions of a contract, from its ABI in JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal, NamedTuple

from dapu.errors import ConfigurationError
from dapu.generate.views.abi_types import AbiType, NotAnAbi, name_of, read_type, unique_names

_SELECTOR = 4  # bytes
_MOST_INPUTS = 1_590  # of the 1,600 columns of PostgreSQL, less those of each view


@dataclass(frozen=True)
class Input:
    """An input of an event or function. name: empty when it has none."""

    name: str
    type: AbiType
    indexed: bool = False


@dataclass(frozen=True)
class Entry:
    """An event or a function."""

    kind: Literal["evt", "fn"]
    name: str
    inputs: tuple[Input, ...]
    anonymous: bool = False

    @cached_property
    def signature(self) -> str:
        """Name and types, as they are hashed."""
        return f"{self.name}({','.join(one.type.canonical for one in self.inputs)})"

    @property
    def hash(self) -> bytes:
        """Topic 0 of an event."""
        return keccak(self.signature)

    @property
    def selector(self) -> bytes:
        """The first bytes of a call."""
        return self.hash[:_SELECTOR]

    @property
    def indexed_signature(self) -> str:
        """The signature that says which inputs are indexed."""
        types = (f"{one.type.canonical}{' indexed' * one.indexed}" for one in self.inputs)
        return f"{self.name}({','.join(types)})"

    @property
    def declaration(self) -> str:
        """As Solidity writes it, for people."""
        inputs = (
            " ".join(filter(None, (one.type.canonical, "indexed" * one.indexed, one.name)))
            for one in self.inputs
        )
        what = "event" if self.kind == "evt" else "function"
        return f"{what} {self.name}({', '.join(inputs)}){' anonymous' * self.anonymous}"

    @property
    def topics(self) -> int:
        """How many topics a log of the event has."""
        return sum(one.indexed for one in self.inputs) + (not self.anonymous)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the inputs' columns, `inp_` and the input's name or position."""
        return tuple(f"inp_{name}" for name in unique_names([one.name for one in self.inputs]))


@lru_cache(maxsize=100_000)
def keccak(text: str) -> bytes:
    """Keccak-256, as Ethereum hashes signatures."""
    try:
        from Crypto.Hash import keccak as algorithm
    except ImportError:
        raise ConfigurationError(
            "views of contract ABIs need pycryptodome; install it with: pip install 'dapu[abi]'"
        ) from None
    return bytes(algorithm.new(digest_bits=256, data=text.encode()).digest())


class Abi(NamedTuple):
    """What an ABI has. left_out: why an event or function is not among the entries, for each."""

    entries: list[Entry]
    left_out: list[str]


def read_abi(text: str) -> Abi:
    """The events and functions of an ABI, or of a compiler's artifact that has one under `abi`.

    One that cannot be understood is left out. Raises NotAnAbi when all are so, and where a log of
    one could be taken for an anonymous event.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotAnAbi(f"the ABI is not JSON: {error}") from None
    if isinstance(document, dict):
        document = document.get("abi")
    if not isinstance(document, list):
        raise NotAnAbi("the ABI is not a list of events and functions")
    try:
        return _entries(document)
    except RecursionError:
        raise NotAnAbi("the ABI is nested too deep") from None


def _entries(document: Sequence[Any]) -> Abi:
    found, faults = list[Entry](), list[NotAnAbi]()
    for value in document:
        try:
            entry = _entry(value)
        except NotAnAbi as fault:
            faults.append(fault)
        else:
            found += [entry] if entry is not None else []
    if faults and (not found or any(entry.anonymous for entry in found)):
        raise faults[0]
    return Abi(found, [f"left out: {fault}" for fault in faults])


def _entry(value: Any) -> Entry | None:
    if not isinstance(value, dict):
        raise NotAnAbi(f"the ABI has {value!r:.40} where an event or function is expected")
    what = value.get("type", "function")
    if not isinstance(what, str):
        raise NotAnAbi(f"an entry of the ABI has the type {what!r:.40}")
    if what not in ("event", "function"):
        return None  # constructor, fallback, receive, error: nothing that a log or call names
    inputs = [] if value.get("inputs") is None else value["inputs"]
    if not isinstance(inputs, list) or not all(isinstance(one, dict) for one in inputs):
        raise NotAnAbi(f"{what} {value.get('name')!r}: its inputs are not a list of objects")
    name = name_of(value)
    if len(inputs) > _MOST_INPUTS:
        raise NotAnAbi(f"{what} {name} has {len(inputs)} inputs, more than a view has columns")
    try:
        read = tuple(Input(name_of(one), read_type(one), _flag(one, "indexed")) for one in inputs)
    except NotAnAbi as error:
        raise NotAnAbi(f"{what} {name}: {error}") from None
    if what == "function":
        return Entry("fn", name, tuple(Input(one.name, one.type) for one in read))
    return Entry("evt", name, read, _flag(value, "anonymous"))


def _flag(entry: Mapping[str, Any], key: str) -> bool:
    value = entry.get(key)
    if not isinstance(value, bool | None):
        raise NotAnAbi(f"`{key}` is {value!r:.40}, not true or false")
    return bool(value)


def merged(abis: Iterable[Abi]) -> tuple[list[Entry], list[str]]:
    """The entries of one contract's ABIs, each once, and notes of what is left out or differs.

    Where inputs have other names in another ABI, the first ABI's hold.
    """
    found: dict[tuple[str, str, bool], Entry] = {}
    notes = list[str]()
    for abi in abis:
        notes += abi.left_out
        for entry in abi.entries:
            key = (entry.kind, entry.indexed_signature, entry.anonymous)
            first = found.setdefault(key, entry)
            if first.columns != entry.columns or first != entry:
                notes.append(
                    f"its ABIs name the inputs of {entry.signature} differently; the view has "
                    f"{', '.join(first.columns)}"
                )
    return list(found.values()), notes


def named(entries: Iterable[Entry]) -> list[tuple[str, Entry]]:
    """Each entry with a name that no other of its kind has: overloads are named by their types."""
    by_name: defaultdict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        by_name[entry.kind, entry.name].append(entry)
    found = []
    for same in by_name.values():
        for entry in same:
            twins = [one for one in same if one.signature == entry.signature]
            name = entry.name if len(same) == 1 else entry.signature
            if len(twins) > 1:
                name = entry.indexed_signature + " anonymous" * entry.anonymous
            found.append((name, entry))
    return found
