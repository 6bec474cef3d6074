"""Views of contracts: one an event and one a function, decoded after the contract's ABI."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from dapu.definitions.templates import parse_template
from dapu.errors import DapuError, JobError
from dapu.generate.views.abi import Abi, Entry, merged, named, read_abi
from dapu.generate.views.abi_types import NotAnAbi
from dapu.generate.views.planned import Choice, PlannedView, ViewGroup, without_twins
from dapu.generate.views.view_options import ViewsOptions
from dapu.statement import Statement

_ADDRESS = re.compile(r"(?:0x)?([0-9a-f]{40})")

Name = Callable[[Mapping[str, Any]], str]


class ContractAbi(NamedTuple):
    """One ABI of a contract. address: in small letters. name: of the contract, if it is known."""

    address: str
    name: str | None
    abi: str | None


class AbiWriter(Protocol):
    """Writes SELECTs in the dialect of one database."""

    def event(self, address: bytes, entry: Entry, others: Sequence[bytes]) -> str:
        """The logs of an event, decoded. others: topic 0 of the contract's other events."""
        ...

    def function(self, address: bytes, entry: Entry) -> str:
        """The calls of a function, decoded."""
        ...

    def planned(self, views: Iterable[tuple[str, str, str]]) -> list[PlannedView]:
        """The views of a contract, from name, SELECT and declaration of each."""
        ...


class AbiChain(Protocol):
    """The tables of a chain in a database."""

    @property
    def writer(self) -> AbiWriter:
        """For its dialect."""
        ...

    def contracts(
        self, choice: Choice, query: tuple[Path, Statement] | None
    ) -> Iterator[ContractAbi]:
        """The chosen contracts, the ABIs of one side by side. Raises FaultyFile and JobError."""
        ...


def abi_groups(
    chain: AbiChain, options: ViewsOptions, choice: Choice, query: tuple[Path, Statement] | None
) -> Iterator[ViewGroup]:
    """A group for each contract, in the order of their addresses.

    query: of the contracts, with its file; None: those of the table.
    """
    assert options.abi is not None
    name = _namer(options)
    contracts = groupby(chain.contracts(choice, query), lambda one: one.address)
    limit = None if choice.only else choice.limit
    for address, abis in islice(contracts, limit):
        yield _group(chain.writer, options.abi.namespace, name, address, list(abis))


def _group(
    writer: AbiWriter, namespace: str, name: Name, address: str, abis: list[ContractAbi]
) -> ViewGroup:
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return ViewGroup(address, (), f"`{address}` is not an address of 20 bytes")
    try:
        entries, notes = merged(_read(one.name, one.abi) for one in abis)
        given = {
            "namespace": namespace,
            "contract_address": f"0x{match[1]}",
            "contract_name": next((one.name for one in abis if one.name), ""),
        }
        views = writer.planned(_views(writer, name, bytes.fromhex(match[1]), entries, given))
        group = without_twins(f"0x{match[1]}", views)
    except DapuError as error:
        return ViewGroup(f"0x{match[1]}", (), str(error))
    return ViewGroup(group.key, group.views, group.fault, "; ".join(notes) or None)


def _read(contract: str | None, abi: str | None) -> Abi:
    try:
        if abi is None:
            raise NotAnAbi("there is no ABI")
        return read_abi(abi)
    except NotAnAbi as error:
        raise NotAnAbi(f"{contract}: {error}" if contract else str(error)) from None


def _views(
    writer: AbiWriter, name: Name, address: bytes, entries: list[Entry], given: dict[str, str]
) -> Iterator[tuple[str, str, str]]:
    hashes = [one.hash for one in entries if one.kind == "evt" and not one.anonymous]
    for short, entry in named(entries):
        row = {**given, "kind": entry.kind, "name": short, "signature": entry.signature}
        if entry.kind == "evt":
            query = writer.event(address, entry, hashes)
        else:
            query = writer.function(address, entry)
        yield name(row), query, entry.declaration


def _namer(options: ViewsOptions) -> Name:
    """How the views are named: as `view:` says, or in the known way."""
    if options.view is None:
        return "{namespace}_{contract_address}_{kind}_{name}".format_map
    render = parse_template(Path("task.yaml"), options.view).compiled()

    def name(row: Mapping[str, Any]) -> str:
        try:
            return render({"row": row}).text()
        except ValueError as error:
            raise JobError(f"the name of a view: {error}") from None

    return name
