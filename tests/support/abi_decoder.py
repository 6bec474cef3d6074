"""Decodes values with the SQL that a view of a contract has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg2.extensions import connection as PgSession

from dapu.generate.views.abi import Entry, Input
from dapu.generate.views.abi_functions import decoders
from dapu.generate.views.abi_sql import AbiSql
from dapu.generate.views.abi_tables import read_table
from dapu.generate.views.abi_types import AbiType
from tests.support.chain import Chain

ADDRESS = bytes(range(20))


class Decoder:
    """Decodes with the SQL of a view."""

    def __init__(self, session: PgSession) -> None:
        """session: of a database of its own, into which the decoders go."""
        Chain(session)
        self.session = session
        with session, session.cursor() as cursor:
            cursor.execute("create schema contracts")
            cursor.execute(decoders(session, "contracts"))
        logs, transactions = (
            read_table(session, what, f"ethereum.{what}", {}) for what in ("logs", "transactions")
        )
        self.sql = AbiSql(session, "contracts", logs, transactions, None)

    def values(self, inputs: Sequence[Input], data: bytes) -> tuple[list[Any], str | None]:
        """The values of an event's inputs of which none is indexed, and the error."""
        event = Entry("evt", "E", tuple(inputs))
        return self.log(event, [event.hash], data)

    def log(
        self, event: Entry, topics: Sequence[bytes], data: bytes
    ) -> tuple[list[Any], str | None]:
        """The values of a log, and the error."""
        with self.session.cursor() as cursor:
            cursor.execute("truncate ethereum.logs")
            insert = "insert into ethereum.logs values (%s, %s, %s, 0, 0, '')"
            cursor.execute(insert, (ADDRESS, list(topics), data))
            cursor.execute(self.sql.event(ADDRESS, event, []))
            [row] = cursor.fetchall()
        self.session.rollback()
        values = [bytes(v) if isinstance(v, memoryview) else v for v in row[4:-1]]
        return values, row[-1]


def shown(of: AbiType, value: Any, *, inside: bool = False) -> Any:
    """A value as the view has it."""
    if of.kind == "array":
        return [shown(of.items[0], item, inside=True) for item in value]
    if of.kind == "tuple":
        return [shown(kind, item, inside=True) for kind, item in zip(of.items, value, strict=True)]
    if isinstance(value, bytes) and inside:
        return "0x" + value.hex()
    return value
