"""A small chain in the warehouse: the tables that views of contract ABIs read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from eth_abi.abi import encode
from psycopg2.extensions import connection as PgSession

from dapu.generate.views.abi import keccak
from tests.support.components import rows

ADDRESS = "0x" + "ab" * 20
TABLES = """
create schema ethereum;
create table ethereum.deployed_contract_metadata (
    contract_address text, contract_name text, abi text);
create table ethereum.logs (address {bytes}, topics {topics}, data {bytes}, log_index int,
    block_number bigint, transaction_hash {bytes});
create table ethereum.transactions (hash {bytes}, to_address {bytes}, input {bytes},
    block_number bigint, transaction_index int, receipt_status int);
create table ethereum.traces (transaction_hash {bytes}, to_address {bytes}, input {bytes},
    block_number bigint, transaction_index int, error text, trace_address {path});
"""
KINDS = {
    "bytes": {"bytes": "bytea", "topics": "bytea[]", "path": "int[]"},
    "text": {"bytes": "text", "topics": "text", "path": "text"},
    "json": {"bytes": "text", "topics": "jsonb", "path": "text"},
}


class Chain:
    """kind: how bytes are stored, one of KINDS."""

    def __init__(self, session: PgSession, kind: str = "bytes") -> None:
        self._session, self._kind = session, kind
        rows(session, TABLES.format(**KINDS[kind]))

    def contract(self, abi: Any, address: str = ADDRESS, name: str = "Token") -> None:
        """A contract; an ABI that is a text is stored as it is."""
        text = abi if isinstance(abi, str) else json.dumps(abi)
        insert = "insert into ethereum.deployed_contract_metadata values (%s, %s, %s)"
        rows(self._session, insert, (address, name, text))

    def log(self, topics: Sequence[bytes], data: bytes = b"", address: str = ADDRESS) -> None:
        """A log of the contract."""
        stored: Any = [self._shown(topic) for topic in topics]
        if self._kind == "text":
            stored = ",".join(stored)
        elif self._kind == "json":
            stored = json.dumps(stored)
        insert = "insert into ethereum.logs values (%s, %s, %s, 7, 100, %s)"
        values = (self._address(address), stored, self._shown(data), self._shown(b"\x01"))
        rows(self._session, insert, values)

    def transaction(self, number: int, data: bytes, status: int | None = 1) -> None:
        """A transaction that calls the contract, without traces."""
        insert = "insert into ethereum.transactions values (%s, %s, %s, 100, %s, %s)"
        given = (self._shown(bytes([number])), self._address(ADDRESS), self._shown(data))
        rows(self._session, insert, (*given, number, status))

    def trace(self, number: int, data: bytes, path: str, error: str | None = None) -> None:
        """A call below a transaction. path: such as `0,1`; empty for the transaction's own."""
        insert = "insert into ethereum.traces values (%s, %s, %s, 100, %s, %s, %s)"
        given = (self._shown(bytes([number])), self._address(ADDRESS), self._shown(data))
        shown = f"{{{path}}}" if self._kind == "bytes" else path
        rows(self._session, insert, (*given, number, error, shown))

    def view(
        self, name: str, columns: str = "*", schema: str = "contracts"
    ) -> list[tuple[Any, ...]]:
        """The rows of a view of the contract."""
        quoted = f'{schema}."{name}"'.replace("%", "%%")
        return rows(self._session, f"select {columns} from {quoted} order by 2, 4")

    def _shown(self, data: bytes) -> bytes | str:
        return data if self._kind == "bytes" else "0x" + data.hex()

    def _address(self, address: str) -> bytes | str:
        raw = bytes.fromhex(address.removeprefix("0x"))
        return raw if self._kind == "bytes" else "0x" + address.removeprefix("0x").upper()


def inputs(*types: str, indexed: int = 0) -> list[dict[str, Any]]:
    """Inputs `a`, `b`, …; the first so many are indexed."""
    names = "abcdefghijklmnopqrstuvwxyz"
    return [
        {"name": names[n], "type": kind, "indexed": n < indexed} for n, kind in enumerate(types)
    ]


def event(name: str, *types: str, indexed: int = 0, **more: Any) -> dict[str, Any]:
    """An event of an ABI."""
    return {"type": "event", "name": name, "inputs": inputs(*types, indexed=indexed), **more}


def function(name: str, *types: str) -> dict[str, Any]:
    """A function of an ABI."""
    return {"type": "function", "name": name, "inputs": inputs(*types)}


def call(signature: str, *values: Any) -> bytes:
    """The data of a call."""
    types = signature.partition("(")[2].removesuffix(")")
    return keccak(signature)[:4] + encode(types.split(",") if types else [], values)


def topic(kind: str, value: Any) -> bytes:
    """An indexed value."""
    return encode([kind], [value])
