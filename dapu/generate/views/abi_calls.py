"""The calls of a function: those of transactions, and those that contracts make."""

from __future__ import annotations

from dapu.generate.views.abi_tables import ChainTable
from dapu.generate.views.abi_words import fill


class Calls:
    """Writes the SELECT of all calls of a function.

    Its columns are block_number, hash, transaction_index, success and input. A transaction's own
    call stands in its row and in a trace: it is one call.
    """

    def __init__(self, transactions: ChainTable, traces: ChainTable | None) -> None:
        self._transactions, self._traces = transactions, traces
        self._success = _transaction_success(transactions, traces)
        self._not_traced = _not_traced(transactions, traces)
        if traces is not None:
            self._trace_success = _trace_success(transactions, traces)
            self._trace_parts = _trace_parts(transactions, traces)
            self._not_root = _not_root(traces)

    def of(self, address: bytes, selector: bytes) -> str:
        """The calls of one function of a contract."""
        text = fill(
            "abi_sql.transaction_calls",
            transactions=self._transactions.name,
            success=self._success,
            conditions=_called(self._transactions, "t", address, selector) + self._not_traced,
            **self._transactions.columns,
        )
        if self._traces is None:
            return text
        below = fill(
            "abi_sql.trace_calls",
            success=self._trace_success,
            conditions=_called(self._traces, "r", address, selector) + self._not_root,
            **self._trace_parts,
        )
        return f"{text}\n    {below}"


def _called(table: ChainTable, alias: str, address: bytes, selector: bytes) -> str:
    to = table.equals(alias, "to_address", address)
    return f"{to}\n    and {table.starts(alias, 'input', selector)}"


def _not_traced(transactions: ChainTable, traces: ChainTable | None) -> str:
    """A condition on transactions, where no trace says that it is the transaction's own call."""
    if traces is None or traces.has("trace_address"):
        return ""
    own = {"called": transactions.of("t", "to_address"), "sent": transactions.of("t", "input")}
    condition = fill("abi_sql.no_such_trace", **own, **_both(transactions, traces))
    return f"\n    and {condition}"


def _not_root(traces: ChainTable) -> str:
    if not traces.has("trace_address"):
        return ""
    return f"\n    and not ({fill('abi_sql.is_root', path=_path(traces, 'r'))})"


def _trace_parts(transactions: ChainTable, traces: ChainTable) -> dict[str, str]:
    index = "transaction_index"
    parts = traces.columns | _both(transactions, traces)
    parts[index] = traces.of("r", index) if traces.has(index) else transactions.of("t", index)
    return parts


def _transaction_success(transactions: ChainTable, traces: ChainTable | None) -> str:
    """By the receipt; where it does not say, by the trace of the transaction's own call."""
    known = [_receipt(transactions)] if transactions.has("receipt_status") else []
    if traces is not None and traces.has("trace_address"):
        known.append(
            fill(
                "abi_sql.root_success",
                no_error=_no_error(traces, "p"),
                is_root=fill("abi_sql.is_root", path=_path(traces, "p")),
                **_both(transactions, traces),
            )
        )
    return fill("abi_sql.first_of", values=", ".join([*known, "null::boolean"]))


def _trace_success(transactions: ChainTable, traces: ChainTable) -> str:
    """What a call did holds when neither it, nor one above it, nor the transaction failed."""
    known = [_no_error(traces, "r")]
    if transactions.has("receipt_status"):
        receipt = _receipt(transactions)
        known.append(fill("abi_sql.first_of", values=f"{receipt}, true"))
    if traces.has("status"):
        status = fill("abi_sql.trace_status", status=traces.columns["status"])
        known.append(fill("abi_sql.first_of", values=f"{status}, true"))
    elif traces.has("trace_address"):
        known.append(
            fill(
                "abi_sql.no_failed_parent",
                no_error=_no_error(traces, "p"),
                path=_path(traces, "r"),
                parent_path=_path(traces, "p"),
                is_root=fill("abi_sql.is_root", path=_path(traces, "p")),
                **_both(transactions, traces),
            )
        )
    return " and ".join(known)


def _receipt(transactions: ChainTable) -> str:
    return fill("abi_sql.receipt", receipt_status=transactions.columns["receipt_status"])


def _no_error(traces: ChainTable, alias: str) -> str:
    return fill("abi_sql.no_error", alias=alias, error=traces.columns["error"])


def _path(traces: ChainTable, alias: str) -> str:
    column = traces.columns["trace_address"]
    return fill("abi_sql.trace_path", alias=alias, trace_address=column)


def _both(transactions: ChainTable, traces: ChainTable) -> dict[str, str]:
    return {
        "transactions": transactions.name,
        "traces": traces.name,
        "hash": transactions.columns["hash"],
        "transaction_hash": traces.columns["transaction_hash"],
        "to_address": traces.columns["to_address"],
        "input": traces.columns["input"],
    }
