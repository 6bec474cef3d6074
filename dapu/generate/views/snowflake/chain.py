"""The contracts of a chain in Snowflake, each with its ABIs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dapu.errors import Fault, FaultyFile, JobError
from dapu.generate.views.abi_tables import ADDRESS_OF
from dapu.generate.views.abi_views import ContractAbi
from dapu.generate.views.abi_words import fill
from dapu.generate.views.planned import Choice
from dapu.generate.views.snowflake.sql import SnowflakeSql
from dapu.generate.views.snowflake.tables import (
    SnowflakeTable,
    literal,
    quoted,
    read_table,
    stored,
)
from dapu.generate.views.view_options import AbiOptions
from dapu.statement import Statement

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_ROWS_AT_ONCE = 100  # contracts; an ABI may be long


class SnowflakeChain:
    """See `AbiChain`. schema: of the views and the decoder, quoted."""

    def __init__(self, session: SnowflakeConnection, schema: str, options: AbiOptions) -> None:
        self._session, self._options = session, options
        names = {"logs": options.logs, "transactions": options.transactions}
        if options.traces is not None:
            names["traces"] = options.traces
        self._tables = tables = {what: self._table(what, name) for what, name in names.items()}
        self.writer = SnowflakeSql(
            schema, tables["logs"], tables["transactions"], tables.get("traces")
        )

    def contracts(
        self, choice: Choice, query: tuple[Path, Statement] | None
    ) -> Iterator[ContractAbi]:
        """See `AbiChain`."""
        from snowflake.connector.errors import Error

        text, values = self._of_table(choice) if query is None else self._of(query[1], choice)
        with self._session.cursor() as cursor:
            try:
                cursor.execute(text, values or None)
            except Error as error:
                reason = str(error.raw_msg or error)
                if query is None:
                    raise JobError(f"the contracts cannot be read: {reason}") from error
                raise FaultyFile([Fault(query[0], 1, reason)]) from error
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                for row in rows:
                    yield ContractAbi(*row)

    def _table(self, what: str, name: str) -> SnowflakeTable:
        with self._session.cursor() as cursor:
            return read_table(cursor, what, name, self._options.columns)

    def _of_table(self, choice: Choice) -> tuple[str, dict[str, Any]]:
        table = self._table("contracts", self._options.contracts)
        address = table.address("c", "contract_address")
        text = fill(
            "abi_snowflake.contracts",
            address=address,
            contract_name=table.of("c", "contract_name") if table.has("contract_name") else "null",
            abi=table.of("c", "abi"),
            contracts=table.name,
            chosen=self._chosen(address, choice),
        )
        return text, {}

    def _of(self, query: Statement, choice: Choice) -> tuple[str, dict[str, Any]]:
        columns = self._options.columns
        address, abi = (
            f"c.{quoted(stored(columns.get(f'contracts.{name}', name)))}"
            for name in ("contract_address", "abi")
        )
        address = fill("abi_snowflake.address_of_text", column=address)
        inner, values = query.without_end().for_driver("pyformat", quoted)
        whole = {"address": address, "abi": abi, "chosen": self._chosen(address, choice)}
        if not values:
            return fill("abi_snowflake.contracts_of_query", query=inner % (), **whole), {}
        whole = {name: part.replace("%", "%%") for name, part in whole.items()}
        return fill("abi_snowflake.contracts_of_query", query=inner, **whole), dict(values)

    def _chosen(self, address: str, choice: Choice) -> str:
        """The condition on the contracts: by key, or by a least number of logs and calls."""
        if choice.only:
            bare = [key.lower().removeprefix("0x") for key in choice.only]
            keys = ", ".join(literal(key) for one in bare for key in (f"0x{one}", one))
            return fill("abi_snowflake.only", address=address, keys=keys)
        if not choice.count:
            return ""
        addresses = " union all ".join(
            fill(
                "abi_snowflake.addresses",
                address=table.address("x", ADDRESS_OF[what]),
                table=table.name,
                column=table.of("x", ADDRESS_OF[what]),
            )
            for what, table in self._tables.items()
        )
        return fill("abi_snowflake.busy", address=address, addresses=addresses, count=choice.count)
