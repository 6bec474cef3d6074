"""The calls of a function: those of transactions, and those that contracts make."""

from __future__ import annotations

from dapu.generate.abi_tables import ChainTable
from dapu.generate.abi_words import fill


def calls(
    transactions: ChainTable, traces: ChainTable | None, address: bytes, selector: bytes
) -> str:
    """A SELECT of all calls of a function: block_number, hash, transaction_index, success, input.

    A transaction's own call stands in its row and in a trace: it is one call.
    """
    conditions = _conditions(transactions, "t", address, selector)
    if traces is not None and not traces.has("trace_address"):
        own = {"called": transactions.of("t", "to_address"), "sent": transactions.of("t", "input")}
        conditions.append(fill("abi_sql.no_such_trace", **own, **_both(transactions, traces)))
    text = fill(
        "abi_sql.transaction_calls",
        transactions=transactions.name,
        success=_transaction_success(transactions, traces),
        conditions=_and(conditions),
        **transactions.columns,
    )
    if traces is None:
        return text
    return f"{text}\n    {_trace_calls(transactions, traces, address, selector)}"


def _trace_calls(
    transactions: ChainTable, traces: ChainTable, address: bytes, selector: bytes
) -> str:
    conditions = _conditions(traces, "r", address, selector)
    if traces.has("trace_address"):
        conditions.append(f"not ({fill('abi_sql.is_root', path=_path(traces, 'r'))})")
    index = "transaction_index"
    parts = traces.columns | _both(transactions, traces)
    parts[index] = traces.of("r", index) if traces.has(index) else transactions.of("t", index)
    return fill(
        "abi_sql.trace_calls",
        success=_trace_success(transactions, traces),
        conditions=_and(conditions),
        **parts,
    )


def _conditions(table: ChainTable, alias: str, address: bytes, selector: bytes) -> list[str]:
    return [
        table.equals(alias, "to_address", address),
        table.starts(alias, "input", selector),
    ]


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


def _and(conditions: list[str]) -> str:
    return "\n    and ".join(conditions)
