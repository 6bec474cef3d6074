"""The calls of a function in Snowflake: those of transactions, and those that contracts make."""

from __future__ import annotations

from dapu.generate.views.abi_words import fill
from dapu.generate.views.snowflake.tables import SnowflakeTable


class SnowflakeCalls:
    """Writes the SELECT of all calls of a function.

    Its columns are block_number, hash, transaction_index, success and input. A transaction's own
    call stands in its row and in a trace: it is one call.
    """

    def __init__(self, transactions: SnowflakeTable, traces: SnowflakeTable | None) -> None:
        self._transactions, self._traces = transactions, traces
        self._receipt = ""
        if transactions.has("receipt_status"):
            self._receipt = _receipt(transactions, "t", "receipt_status")

    def of(self, address: bytes, selector: bytes) -> str:
        """The calls of one function of a contract."""
        text = self._of_transactions(address, selector)
        if self._traces is None:
            return text
        return f"{text}\n        {self._of_traces(self._traces, address, selector)}"

    def _of_transactions(self, address: bytes, selector: bytes) -> str:
        transactions, traces = self._transactions, self._traces
        conditions = _called(transactions, "t", address, selector)
        known, joined = [self._receipt] if self._receipt else [], ""
        if traces is not None and traces.has("trace_address"):
            names = self._names(traces)
            is_root = fill("abi_snowflake.is_root", path=traces.path("p"))
            joined = fill("abi_snowflake.root", is_root=is_root, **names)
            no_error = _no_error(traces)
            known.append(fill("abi_snowflake.root_success", no_error=no_error, **names))
        elif traces is not None:
            columns = transactions.columns
            own = {"called": columns["to_address"], "sent": columns["input"]}
            conditions.append(fill("abi_snowflake.no_such_trace", **own, **self._names(traces)))
        return fill(
            "abi_snowflake.transaction_calls",
            transactions=transactions.name,
            success=_first_of([*known, "null::boolean"]),
            data=transactions.hex("t", "input"),
            joined=joined,
            conditions=_all(conditions),
            **{name: transactions.columns[name] for name in _OF_TRANSACTION},
        )

    def _of_traces(self, traces: SnowflakeTable, address: bytes, selector: bytes) -> str:
        transactions, names = self._transactions, self._names(traces)
        conditions = _called(traces, "r", address, selector)
        known, joined = [_no_error(traces, "r")], ""
        if self._receipt:
            known.append(_first_of([self._receipt, "true"]))
        if traces.has("trace_address"):
            path, parent = traces.path("r"), traces.path("p")
            conditions.append(fill("abi_snowflake.not_root", path=path))
            if not traces.has("status"):
                joined = fill(
                    "abi_snowflake.failed_parents",
                    path=path,
                    parent_path=parent,
                    is_root=fill("abi_snowflake.is_root", path=parent),
                    no_error=_no_error(traces),
                    conditions=_all(conditions),
                    **names,
                )
                known.append(fill("abi_snowflake.no_failed_parent"))
        if traces.has("status"):
            known.append(_first_of([_receipt(traces, "r", "status"), "true"]))
        index = "transaction_index"
        table, alias = (traces, "r") if traces.has(index) else (transactions, "t")
        return fill(
            "abi_snowflake.trace_calls",
            block_number=traces.columns["block_number"],
            index=table.of(alias, index),
            success=" and ".join(known),
            data=traces.hex("r", "input"),
            joined=joined,
            conditions=_all(conditions),
            **names,
        )

    def _names(self, traces: SnowflakeTable) -> dict[str, str]:
        return {
            "transactions": self._transactions.name,
            "traces": traces.name,
            "hash": self._transactions.columns["hash"],
            "transaction_hash": traces.columns["transaction_hash"],
            "to_address": traces.columns["to_address"],
            "input": traces.columns["input"],
        }


_OF_TRANSACTION = ("block_number", "hash", "transaction_index")


def _called(table: SnowflakeTable, alias: str, address: bytes, selector: bytes) -> list[str]:
    return [table.equals(alias, "to_address", address), table.starts(alias, "input", selector)]


def _all(conditions: list[str]) -> str:
    return "\n            and ".join(conditions)


def _first_of(values: list[str]) -> str:
    return fill("abi_snowflake.first_of", values=", ".join(values))


def _receipt(table: SnowflakeTable, alias: str, column: str) -> str:
    return fill("abi_snowflake.receipt", column=table.of(alias, column))


def _no_error(traces: SnowflakeTable, alias: str = "p") -> str:
    return fill("abi_snowflake.no_error", column=traces.of(alias, "error"))
