"""Views of contracts: one an event and one a function, decoded after the contract's ABI."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as PgSession
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import quote_ident

from dapu.definitions.templates import parse_template
from dapu.errors import DapuError, Fault, FaultyFile, JobError
from dapu.generate.views.abi import Entry, merged, named, read_abi
from dapu.generate.views.abi_sql import AbiSql
from dapu.generate.views.abi_tables import ChainTable, read_table
from dapu.generate.views.abi_types import NotAnAbi
from dapu.generate.views.abi_words import fill
from dapu.generate.views.planned import Choice, PlannedView, ViewGroup, named_view, without_twins
from dapu.generate.views.view_options import AbiOptions, ViewsOptions
from dapu.statement import Statement

_ADDRESS = re.compile(r"(?:0x)?([0-9a-f]{40})")
_ROWS_AT_ONCE = 100  # contracts; an ABI may be long

Name = Callable[[Mapping[str, Any]], str]


def abi_groups(
    session: PgSession,
    schema: str,
    options: ViewsOptions,
    choice: Choice,
    query: tuple[Path, Statement] | None,
) -> Iterator[ViewGroup]:
    """A group for each contract, in the order of their addresses.

    schema: of the views, and of the decoders. query: of the contracts, with its file; None: those
    of the table.
    """
    assert options.abi is not None
    tables = _tables(session, options.abi)
    writer = AbiSql(session, schema, tables["logs"], tables["transactions"], tables.get("traces"))
    name = _namer(options)
    text = _contracts_sql(session, options.abi, tables, choice, query)
    with session.cursor("dapu_contracts") as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        _execute(cursor, text, query)
        contracts = groupby(cursor, lambda row: str(row[0]))
        limit = None if choice.only else choice.limit
        for address, rows in islice(contracts, limit):
            abis = [(row[1], row[2]) for row in rows]
            yield _group(writer, options.abi.namespace, name, address, abis)


def _group(
    writer: AbiSql, namespace: str, name: Name, address: str, abis: list[tuple[str | None, str]]
) -> ViewGroup:
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return ViewGroup(address, (), f"`{address}` is not an address of 20 bytes")
    try:
        entries, notes = merged(_read(contract, abi) for contract, abi in abis)
        given = {
            "namespace": namespace,
            "contract_address": f"0x{match[1]}",
            "contract_name": next((contract for contract, _ in abis if contract), ""),
        }
        views = list(_views(writer, name, bytes.fromhex(match[1]), entries, given))
        group = without_twins(f"0x{match[1]}", views)
    except DapuError as error:
        return ViewGroup(f"0x{match[1]}", (), str(error))
    return ViewGroup(group.key, group.views, group.fault, "; ".join(notes) or None)


def _read(contract: str | None, abi: str | None) -> list[Entry]:
    try:
        if abi is None:
            raise NotAnAbi("there is no ABI")
        return read_abi(abi)
    except NotAnAbi as error:
        raise NotAnAbi(f"{contract}: {error}" if contract else str(error)) from None


def _views(
    writer: AbiSql, name: Name, address: bytes, entries: list[Entry], given: dict[str, str]
) -> Iterator[PlannedView]:
    hashes = [one.hash for one in entries if one.kind == "evt" and not one.anonymous]
    for short, entry in named(entries):
        row = {**given, "kind": entry.kind, "name": short, "signature": entry.signature}
        if entry.kind == "evt":
            query = writer.event(address, entry, hashes)
        else:
            query = writer.function(address, entry)
        yield named_view(name(row), query, entry.declaration)


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


def _tables(session: PgSession, abi: AbiOptions) -> dict[str, ChainTable]:
    names = {"logs": abi.logs, "transactions": abi.transactions, "traces": abi.traces}
    return {
        what: read_table(session, what, name, abi.columns)
        for what, name in names.items()
        if name is not None
    }


def _contracts_sql(
    session: PgSession,
    abi: AbiOptions,
    tables: Mapping[str, ChainTable],
    choice: Choice,
    query: tuple[Path, Statement] | None,
) -> str:
    """The query that gives address, name and ABI of the chosen contracts."""
    if query is not None:
        text = query[1].without_end().composed().as_string(session)
        named = {c: abi.columns.get(f"contracts.{c}", c) for c in ("contract_address", "abi")}
        parts = {column: f"c.{quote_ident(name, session)}" for column, name in named.items()}
        parts["contract_name"] = "null"
        address = fill("abi_sql.address_text", column=parts["contract_address"])
        chosen = _chosen(session, address, tables, choice)
        whole = {"address": address, "query": text, "chosen": chosen}
        return fill("abi_sql.contracts_of_query", **whole, **parts)
    table = read_table(session, "contracts", abi.contracts, abi.columns)
    address = table.address_text("c", "contract_address")
    has_name = table.has("contract_name")
    return fill(
        "abi_sql.contracts",
        address=address,
        contract_name=table.of("c", "contract_name") if has_name else "null",
        abi=table.of("c", "abi"),
        contracts=table.name,
        chosen=_chosen(session, address, tables, choice),
    )


def _chosen(
    session: PgSession, address: str, tables: Mapping[str, ChainTable], choice: Choice
) -> str:
    """The condition on the contracts: by key, or by a least number of logs and calls."""
    if choice.only:
        keys = [key if key.startswith("0x") else f"0x{key}" for key in map(str.lower, choice.only)]
        shown = sql.Literal(keys + [key[2:] for key in keys]).as_string(session)
        return fill("abi_sql.only", address=address, keys=shown)
    if not choice.count:
        return ""
    addresses = " union all ".join(
        fill(
            "abi_sql.addresses",
            address=table.address_text("x", _ADDRESS_OF[what]),
            table=table.name,
            column=table.of("x", _ADDRESS_OF[what]),
        )
        for what, table in tables.items()
    )
    return fill("abi_sql.busy", address=address, addresses=addresses, count=choice.count)


_ADDRESS_OF = {"logs": "address", "transactions": "to_address", "traces": "to_address"}


def _execute(cursor: Cursor, text: str, query: tuple[Path, Statement] | None) -> None:
    try:
        cursor.execute(text)
    except psycopg2.errors.QueryCanceled:
        raise
    except psycopg2.Error as error:
        reason = error.diag.message_primary or str(error)
        if query is None:
            raise JobError(f"the contracts cannot be read: {reason}") from error
        raise FaultyFile([Fault(query[0], 1, reason)]) from error
