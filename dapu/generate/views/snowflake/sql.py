"""The SELECT of one event or function of a contract in Snowflake's dialect."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from dapu.generate.views.abi import Entry
from dapu.generate.views.abi_types import AbiType
from dapu.generate.views.abi_words import fill
from dapu.generate.views.planned import PlannedView, named_view, short_name
from dapu.generate.views.snowflake.calls import SnowflakeCalls
from dapu.generate.views.snowflake.decoder import MOST_BITS
from dapu.generate.views.snowflake.tables import SnowflakeTable, literal, quoted, stored

LONGEST_NAME = 255  # characters, of which dapu takes each byte for one
_SELECTOR = 4  # bytes before the inputs of a call
_TOPIC = AbiType("fixed_bytes", "bytes32", 32)


class SnowflakeSql:
    """Writes SELECTs over the tables of one chain.

    schema: where the decoder is, quoted. traces: None where there are none.
    """

    def __init__(
        self,
        schema: str,
        logs: SnowflakeTable,
        transactions: SnowflakeTable,
        traces: SnowflakeTable | None,
    ) -> None:
        self.schema, self._logs = schema, logs
        self._calls = SnowflakeCalls(transactions, traces)

    def event(self, address: bytes, entry: Entry, others: Sequence[bytes]) -> str:
        """The logs of an event, decoded.

        others: topic 0 of the contract's events that have one; an anonymous event has none of them.
        """
        logs = self._logs
        conditions = [logs.equals("l", "address", address), logs.has_topics(entry.topics)]
        if not entry.anonymous:
            conditions.insert(1, logs.topic_equals(0, entry.hash))
        elif entry.topics:
            conditions += [f"not {logs.topic_equals(0, other)}" for other in others]
        data = logs.hex("l", "data")
        return fill(
            "abi_snowflake.event",
            address=address.hex(),
            logs=logs.name,
            decoded=self._decoded(entry, logs.topics, data),
            conditions="\n        and ".join(conditions),
            **_results(entry),
            **{name: logs.columns[name] for name in _EVENT_COLUMNS},
        )

    def function(self, address: bytes, entry: Entry) -> str:
        """The calls of a function, decoded."""
        return fill(
            "abi_snowflake.function",
            address=address.hex(),
            calls=self._calls.of(address, entry.selector),
            decoded=self._decoded(entry, fill("abi_snowflake.no_topics"), "c.input"),
            **_results(entry),
        )

    def planned(self, views: Iterable[tuple[str, str, str]]) -> list[PlannedView]:
        """The views of a contract, from name, SELECT and declaration of each."""
        found = list(views)
        names = as_unquoted([name for name, _, _ in found])
        return [
            named_view(name, query, text, LONGEST_NAME)
            for name, (_, query, text) in zip(names, found, strict=True)
        ]

    def _decoded(self, entry: Entry, topics: str, data: str) -> str:
        if not entry.inputs:
            return ""
        text = literal(json.dumps(layout(entry), separators=(",", ":")))
        return fill(
            "abi_snowflake.decoded", schema=self.schema, topics=topics, data=data, layout=text
        )


_EVENT_COLUMNS = ("block_number", "transaction_hash", "log_index")


def as_unquoted(names: Sequence[str]) -> list[str]:
    """Names as Snowflake keeps those without quotes, so that they can be written without.

    Where two would then be one, both stay as they are.
    """
    count = Counter(map(stored, names))
    return [stored(name) if count[stored(name)] == 1 else name for name in names]


def layout(entry: Entry) -> dict[str, Any]:
    """What `abi_decode` has to know: types, where inputs begin, and how long data is at least."""
    base = _SELECTOR if entry.kind == "fn" else 0
    inputs = [
        {
            "name": name,
            "canonical": one.type.canonical,
            "indexed": one.indexed,
            "type": (_TOPIC if _is_hash(one.type, one.indexed) else one.type).description,
        }
        for name, one in zip(entry.columns, entry.inputs, strict=True)
    ]
    return {
        "what": "input" if entry.kind == "fn" else "data",
        "base": base,
        "topic": int(entry.kind == "evt" and not entry.anonymous),
        "length": base + sum(one.type.head for one in entry.inputs if not one.indexed),
        "inputs": inputs,
    }


def _is_hash(of: AbiType, indexed: bool) -> bool:
    return indexed and of.is_hashed_when_indexed


def _results(entry: Entry) -> dict[str, str]:
    """The columns of the inputs, and that of the error."""
    if not entry.inputs:
        return {"values": "", "error": fill("abi_snowflake.no_error_possible")}
    names = as_unquoted([short_name(name, LONGEST_NAME) for name in entry.columns])
    values = [
        f",\n    {_value(_TOPIC if _is_hash(one.type, one.indexed) else one.type, number)} "
        f"as {quoted(name)}"
        for number, (name, one) in enumerate(zip(names, entry.inputs, strict=True))
    ]
    return {"values": "".join(values), "error": fill("abi_snowflake.error")}


def _value(of: AbiType, number: int) -> str:
    match of.kind:
        case "uint" | "int" if (of.size or 256) <= MOST_BITS and not of.decimals:
            return fill("abi_snowflake.number", number=number)
        case "bool":
            return fill("abi_snowflake.boolean", number=number)
        case "bytes" | "fixed_bytes":
            return fill("abi_snowflake.binary", number=number)
        case "array" | "tuple":
            return fill("abi_snowflake.json", number=number)
    return fill("abi_snowflake.text", number=number)
