"""The contracts of a chain in PostgreSQL, each with its ABIs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as PgSession
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import quote_ident

from dapu.errors import Fault, FaultyFile, JobError
from dapu.generate.views.abi_sql import AbiSql
from dapu.generate.views.abi_tables import ADDRESS_OF, ChainTable, read_table
from dapu.generate.views.abi_views import ContractAbi
from dapu.generate.views.abi_words import fill
from dapu.generate.views.planned import Choice
from dapu.generate.views.view_options import AbiOptions
from dapu.statement import Statement

_ROWS_AT_ONCE = 100  # contracts; an ABI may be long


class PostgresChain:
    """A chain in the warehouse. schema: of the views, and of the decoders."""

    def __init__(self, session: PgSession, schema: str, options: AbiOptions) -> None:
        self._session, self._options = session, options
        self._tables = tables = _tables(session, options)
        self.writer = AbiSql(
            session, schema, tables["logs"], tables["transactions"], tables.get("traces")
        )

    def contracts(
        self, choice: Choice, query: tuple[Path, Statement] | None
    ) -> Iterator[ContractAbi]:
        """See `Chain`."""
        text = _contracts_sql(self._session, self._options, self._tables, choice, query)
        with self._session.cursor("dapu_contracts") as cursor:
            cursor.itersize = _ROWS_AT_ONCE
            _execute(cursor, text, query)
            for address, name, abi in cursor:
                yield ContractAbi(str(address), name, abi)


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
            address=table.address_text("x", ADDRESS_OF[what]),
            table=table.name,
            column=table.of("x", ADDRESS_OF[what]),
        )
        for what, table in tables.items()
    )
    return fill("abi_sql.busy", address=address, addresses=addresses, count=choice.count)


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
