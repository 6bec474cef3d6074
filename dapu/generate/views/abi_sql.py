"""The SELECT of one event or function of a contract."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from psycopg2 import sql
from psycopg2.extensions import connection as PgSession
from psycopg2.extensions import quote_ident

from dapu.generate.views.abi import Entry, Input
from dapu.generate.views.abi_calls import Calls
from dapu.generate.views.abi_functions import HEX_NUMBERS_SINCE
from dapu.generate.views.abi_json import list_json, static_json
from dapu.generate.views.abi_tables import ChainTable
from dapu.generate.views.abi_types import AbiType
from dapu.generate.views.abi_words import Decoded, fill, word
from dapu.generate.views.planned import PlannedView, named_view, short_name

_REMEMBERED = 50_000  # pieces of SQL
_SELECTOR = 4  # bytes before the inputs of a call


@dataclass(frozen=True)
class Value:
    """The column of an input. cases: when it is malformed, and what is said then.

    lateral: an expression that is to be worked out once, and is named in `value`.
    """

    value: str
    cases: str
    lateral: str = ""


class AbiSql:
    """Writes SELECTs over the tables of one chain.

    schema: where the decoders are. traces: None where there are none.
    """

    def __init__(
        self,
        session: PgSession,
        schema: str,
        logs: ChainTable,
        transactions: ChainTable,
        traces: ChainTable | None,
    ) -> None:
        self._session, self._logs = session, logs
        self._transactions = transactions
        self.schema = quote_ident(schema, session)
        self._hex = session.server_version >= HEX_NUMBERS_SINCE
        self._calls = Calls(transactions, traces)
        # Contracts are much alike: what one input became another has become before.
        self._value = lru_cache(_REMEMBERED)(self._new_value)
        self._word = lru_cache(_REMEMBERED)(self._new_word)
        self._quoted = lru_cache(_REMEMBERED)(self._new_quoted)

    def event(self, address: bytes, entry: Entry, others: Sequence[bytes]) -> str:
        """The logs of an event, decoded.

        others: topic 0 of the contract's events that have one; an anonymous event has none of them.
        """
        logs = self._logs
        words: dict[str, str] = {}
        inside = [one for one in entry.inputs if not one.indexed]
        long = sum(one.type.head for one in inside)
        data = self._bytes(logs, "l", "data", words) if inside else ""
        found, place, topic = {}, 0, int(not entry.anonymous)
        for number, one in enumerate(entry.inputs):
            column = entry.columns[number]
            if one.indexed:
                found[column] = self._topic(one, column, topic, words)
                topic += 1
            else:
                found[column] = self._value(one.type, column, data, place, 0, long)
                place += one.type.head
        conditions = [logs.equals("l", "address", address), logs.has_topics(entry.topics)]
        if not entry.anonymous:
            conditions.insert(1, logs.topic_equals(0, entry.hash))
        elif entry.topics:
            conditions += [f"not {logs.topic_equals(0, other)}" for other in others]
        return fill(
            "abi_sql.event",
            address=address.hex(),
            logs=logs.name,
            values=self._columns(found),
            error=self._error(found, "data", data, long),
            words=self._lateral(words, "w"),
            decoded=self._decoded(found),
            conditions="\n    and ".join(conditions),
            **{name: logs.columns[name] for name in _EVENT_COLUMNS},
        )

    def function(self, address: bytes, entry: Entry) -> str:
        """The calls of a function, decoded."""
        words: dict[str, str] = {}
        source = self._bytes(self._transactions, "c", "input", words, "input")
        long = _SELECTOR + sum(one.type.head for one in entry.inputs)
        found, place = {}, _SELECTOR
        for number, one in enumerate(entry.inputs):
            column = entry.columns[number]
            found[column] = self._value(one.type, column, source, place, _SELECTOR, long)
            place += one.type.head
        return fill(
            "abi_sql.function",
            address=address.hex(),
            calls=self._calls.of(address, entry.selector),
            values=self._columns(found),
            error=self._error(found, "input", source, long),
            words=self._lateral(words, "w"),
            decoded=self._decoded(found),
        )

    def planned(self, views: Iterable[tuple[str, str, str]]) -> list[PlannedView]:
        """The views of a contract, from name, SELECT and declaration of each."""
        return [named_view(name, query, text) for name, query, text in views]

    def _bytes(
        self, table: ChainTable, alias: str, column: str, words: dict[str, str], name: str = ""
    ) -> str:
        """The bytes of a column; of a text they are made once, beside the table."""
        source = f"{alias}.{name}" if name else table.of(alias, column)
        if table.is_bytes(column):
            return source
        words[column] = fill("abi_sql.bytes_of_text", schema=self.schema, column=source)
        return f"w.{column}"

    def _topic(self, one: Input, column: str, number: int, words: dict[str, str]) -> Value:
        source = self._logs.topic(number)
        if not self._logs.is_bytes("topics"):
            name = f"topic{number}"
            words[name] = fill("abi_sql.bytes_of_text", schema=self.schema, column=source)
            source = f"w.{name}"
        if one.type.is_hashed_when_indexed:  # the value itself is nowhere
            of = AbiType("fixed_bytes", "bytes32", 32)
            return self._word(of, column, source, 0, 32, own_source=True)
        return self._word(one.type, column, source, 0, 32, own_source=True)

    def _new_value(
        self, of: AbiType, column: str, source: str, place: int, base: int, long: int
    ) -> Value:
        """place: of the value's head, from 0. base: where offsets are counted from."""
        if of.kind not in ("bytes", "string", "array", "tuple"):
            return self._word(of, column, source, place, long)
        static = static_json(of, source, place + 1, self._hex)
        if static is not None:
            return self._guarded(static, of, column, source, long)
        name = self._quoted(column)
        message = self._literal(f"{column} is not of type {of.canonical}")
        case = fill("abi_sql.when_null", value=f"d.{name}", message=message)
        return Value(f"d.{name}", case, self._anywhere(of, source, place, base, long))

    def _anywhere(self, of: AbiType, source: str, place: int, base: int, long: int) -> str:
        """A value whose size or place is in the data."""
        parts: dict[str, str | int] = {
            "schema": self.schema,
            "source": source,
            "base": base,
            "place": place,
        }
        if of.kind == "bytes":
            return fill("abi_sql.bytes", **parts)
        if of.kind == "string":
            return fill("abi_sql.text", **parts)
        listed = list_json(of, self.schema, source, base, place, self._hex)
        if listed is not None:
            return listed
        parts["type"] = self._literal(json.dumps(of.description, ensure_ascii=False))
        if of.is_dynamic:
            return fill("abi_sql.json_dynamic", **parts)
        is_long = fill("abi_sql.is_as_long", source=source, length=long)
        return fill("abi_sql.guarded", good=is_long, value=fill("abi_sql.json_static", **parts))

    def _new_word(
        self,
        of: AbiType,
        column: str,
        source: str,
        place: int,
        long: int,
        *,
        own_source: bool = False,
    ) -> Value:
        """own_source: where the length of no other is asked for in the error."""
        decoded = word(of, source, place + 1, self._hex)
        return self._guarded(decoded, of, column, source, long, own_source=own_source)

    def _guarded(
        self,
        decoded: Decoded,
        of: AbiType,
        column: str,
        source: str,
        long: int,
        *,
        own_source: bool = False,
    ) -> Value:
        good = is_long = fill("abi_sql.is_as_long", source=source, length=long)
        if decoded.ok:
            good = fill("abi_sql.both", long=is_long, ok=decoded.ok)
        value = fill("abi_sql.guarded", good=good, value=decoded.value)
        checked = good if own_source else decoded.ok
        if not checked:
            return Value(value, "")
        message = self._literal(f"{column} is not of type {of.canonical}")
        return Value(value, fill("abi_sql.when_not", ok=checked, message=message))

    def _columns(self, values: dict[str, Value]) -> str:
        return "".join(
            f",\n    {one.value} as {self._quoted(name)}" for name, one in values.items()
        )

    def _error(self, values: dict[str, Value], what: str, source: str, long: int) -> str:
        cases = [one.cases for one in values.values() if one.cases]
        if source and long > (0 if what == "data" else _SELECTOR):
            is_long = fill("abi_sql.is_as_long", source=source, length=long)
            short: dict[str, str | int] = {
                "long": is_long,
                "what": what,
                "source": source,
                "length": long,
            }
            cases.insert(0, fill("abi_sql.too_short", **short))
        return fill("abi_sql.errors", cases=" ".join(cases)) if cases else "null"

    def _decoded(self, values: dict[str, Value]) -> str:
        return self._lateral(
            {name: one.lateral for name, one in values.items() if one.lateral}, "d"
        )

    def _lateral(self, expressions: dict[str, str], alias: str) -> str:
        if not expressions:
            return ""
        columns = ", ".join(f"{text} as {self._quoted(n)}" for n, text in expressions.items())
        return "\n" + fill("abi_sql.lateral", columns=columns, alias=alias)

    def _new_quoted(self, name: str) -> str:
        return quote_ident(short_name(name), self._session)

    def _literal(self, text: str) -> str:
        return sql.Literal(text).as_string(self._session)


_EVENT_COLUMNS = ("block_number", "transaction_hash", "log_index")
