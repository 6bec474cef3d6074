"""Types of contract ABIs, after the Solidity documentation's "Contract ABI Specification"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

from dapu.errors import DapuError

WORD = 32  # bytes
_ALIASES = {
    "uint": "uint256",
    "int": "int256",
    "fixed": "fixed128x18",
    "ufixed": "ufixed128x18",
    "byte": "bytes1",
    "address payable": "address",
}
_NUMBER = re.compile(r"(u?int)([1-9]\d*)")
_FIXED = re.compile(r"(u?)fixed([1-9]\d*)x([1-9]\d*)")
_BYTES = re.compile(r"bytes([1-9]\d*)")
_ARRAY = re.compile(r"(.*)\[(0|[1-9]\d{0,8}|)\]", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*((\[\d*\])*)", re.ASCII)
_DEEPEST = 50  # levels of arrays and tuples; the decoders call themselves for each
_LARGEST = 2**31 - 1  # bytes; PostgreSQL has no larger value

_SURROGATE = re.compile("[\ud800-\udfff]")  # of no character, and in no text of PostgreSQL

Kind = Literal["uint", "int", "address", "bool", "fixed_bytes", "bytes", "string", "array", "tuple"]


class NotAnAbi(DapuError):
    """An ABI, or an entry of it, that cannot be read."""


@dataclass(frozen=True)
class AbiType:
    """A type.

    canonical: as it stands in a signature. size: bits of a number, bytes of `bytes1` to `bytes32`,
    items of an array (None: any number). decimals: of a fixed-point number.
    items: the type of an array's items, or those of a tuple's components; names: of the components,
    empty for those without.
    """

    kind: Kind
    canonical: str
    size: int | None = None
    decimals: int = 0
    items: tuple[AbiType, ...] = ()
    names: tuple[str, ...] = ()

    @cached_property
    def is_dynamic(self) -> bool:
        """Whether its place holds only the offset of the value."""
        if self.kind == "array":
            return self.size is None or self.items[0].is_dynamic
        return self.kind in ("bytes", "string") or any(item.is_dynamic for item in self.items)

    @cached_property
    def head(self) -> int:
        """Bytes that its place takes."""
        if self.is_dynamic:
            return WORD
        if self.kind == "array":
            return (self.size or 0) * self.items[0].head
        return sum(item.head for item in self.items) if self.kind == "tuple" else WORD

    @cached_property
    def depth(self) -> int:
        """How many levels of arrays and tuples it has."""
        return 1 + max((item.depth for item in self.items), default=0) if self._is_nested else 0

    @property
    def _is_nested(self) -> bool:
        return self.kind in ("array", "tuple")

    @property
    def is_hashed_when_indexed(self) -> bool:
        """Whether a topic holds the Keccak-256 hash of the value, not the value."""
        return self.kind in ("bytes", "string", "array", "tuple")

    @cached_property
    def description(self) -> dict[str, Any]:
        """For the decoder in PL/pgSQL: kind, size, decimals, head, dynamic, of, names."""
        found: dict[str, Any] = {"kind": self.kind, "head": self.head, "dynamic": self.is_dynamic}
        if self.size is not None:
            found["size"] = self.size
        if self.decimals:
            found["decimals"] = self.decimals
        if self.kind == "array":
            found["of"] = self.items[0].description
        if self.kind == "tuple":
            found["of"] = [item.description for item in self.items]
            found["names"] = list(self.keys) if self.keys else None
        return found

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of a tuple's components, each once; none where no component has a name."""
        return unique_names(self.names) if any(self.names) else ()


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names, each once: a missing one is its position from 0, a second one ends in its position."""
    found: list[str] = []
    for position, name in enumerate(names):
        new = name or str(position)
        while new in found:
            new = f"{new}_{position}"
        found.append(new)
    return tuple(found)


def read_type(entry: Mapping[str, Any]) -> AbiType:
    """The type of an input or component of an ABI. Raises NotAnAbi."""
    text = entry.get("type")
    if not isinstance(text, str):
        raise NotAnAbi(f"an input has the type {text!r}")
    if not text.startswith("tuple"):
        return _of_library(text, entry.get("internalType")) or _plain(text)
    array = _ARRAY.fullmatch(text)
    if array:
        return _array(read_type({**entry, "type": array[1]}), array[2])
    if text != "tuple":
        raise NotAnAbi(f"there is no type `{text:.80}`")
    return _tuple(entry)


def _of_library(text: str, internal: Any) -> AbiType | None:
    """A type that only a library's functions have: its name stands in the signature as it is.

    internal: what the compiler says of it, without which a name alone may be anything. Encoded is
    an enum as a `uint8`, a contract as its address, a pointer into storage as a `uint256`. After
    Solidity's "Contract ABI Specification" and "Function Signatures and Selectors in Libraries".
    """
    if text.endswith(" storage"):
        return AbiType("uint", text, 256)
    kind, _, name = internal.partition(" ") if isinstance(internal, str) else ("", "", "")
    if not _NAME.fullmatch(text) or name != text or kind not in ("enum", "contract"):
        return None
    array = _ARRAY.fullmatch(text)
    if array:
        return _array(_of_library(array[1], f"{kind} {array[1]}") or _plain(array[1]), array[2])
    return AbiType("uint", text, 8) if kind == "enum" else AbiType("address", text)


@lru_cache(maxsize=10_000)
def _plain(text: str) -> AbiType:
    """A type without tuples."""
    array = _ARRAY.fullmatch(text)
    if array:
        return _array(_plain(array[1]), array[2])
    return _elementary(_ALIASES.get(text, text))


def _array(item: AbiType, size: str) -> AbiType:
    """size: as it is written; empty for any."""
    number = int(size) if size else None
    found = AbiType("array", f"{item.canonical}[{size}]", number, items=(item,))
    if number and not item.head:
        raise NotAnAbi(f"`{found.canonical:.40}` is an array of items without any byte")
    return _checked(found)


def _tuple(entry: Mapping[str, Any]) -> AbiType:
    components = entry.get("components")
    if not isinstance(components, list):
        raise NotAnAbi("a tuple has no list of components")
    items = tuple(read_type(_mapping(component)) for component in components)
    names = tuple(name_of(component) for component in components)
    canonical = f"({','.join(item.canonical for item in items)})"
    return _checked(AbiType("tuple", canonical, items=items, names=names))


def _checked(of: AbiType) -> AbiType:
    if of.depth > _DEEPEST:
        raise NotAnAbi(f"a type is nested more than {_DEEPEST} levels deep")
    if of.head > _LARGEST:
        raise NotAnAbi(f"`{of.canonical:.40}` has more bytes than any data")
    return of


def _elementary(text: str) -> AbiType:
    if text in ("address", "bool", "bytes", "string"):
        return AbiType(text, text)  # type: ignore[arg-type] # as was just asked
    if text == "function":  # an address and a selector
        return AbiType("fixed_bytes", text, 24)
    number, fixed, data = (p.fullmatch(text) for p in (_NUMBER, _FIXED, _BYTES))
    if number and int(number[2]) % 8 == 0 and int(number[2]) <= 256:
        return AbiType("int" if number[1] == "int" else "uint", text, int(number[2]))
    if fixed and int(fixed[2]) % 8 == 0 and int(fixed[2]) <= 256 and int(fixed[3]) <= 80:
        return AbiType("uint" if fixed[1] else "int", text, int(fixed[2]), int(fixed[3]))
    if data and int(data[1]) <= WORD:
        return AbiType("fixed_bytes", text, int(data[1]))
    raise NotAnAbi(f"there is no type `{text:.80}`")


def name_of(entry: Mapping[str, Any]) -> str:
    """The name of an entry, input or component; empty when it has none. Raises NotAnAbi."""
    name = entry.get("name") or ""
    if not isinstance(name, str) or "\0" in name or _SURROGATE.search(name):
        raise NotAnAbi(f"a name is {name!r:.80}")
    return name


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise NotAnAbi(f"{value!r:.40} stands where an object is expected")
    return value
