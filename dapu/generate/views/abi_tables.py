"""The tables of a chain that views of contract ABIs read, and how their columns are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import connection as PgSession
from psycopg2.extensions import quote_ident

from dapu.errors import ConfigurationError
from dapu.generate.views.abi_words import fill
from dapu.named_sql import statement
from dapu.suggest import nearest

# The columns of each table; those behind the bar need not be there.
COLUMNS = {
    "contracts": "contract_address abi | contract_name",
    "logs": "address topics data log_index block_number transaction_hash",
    "transactions": "hash to_address input block_number transaction_index | receipt_status",
    "traces": "transaction_hash to_address input block_number error | "
    "transaction_index trace_address status",
}
# The column of each table that says which contract a row is of.
ADDRESS_OF = {"logs": "address", "transactions": "to_address", "traces": "to_address"}
_BYTES, _JSON = ("bytea",), ("json", "jsonb")


def known_columns() -> list[str]:
    """All columns, as `table.column`."""
    return [
        f"{table}.{column}"
        for table, columns in COLUMNS.items()
        for column in columns.replace("|", " ").split()
    ]


@dataclass(frozen=True)
class ChainTable:
    """A table. name: quoted. columns: quoted names by ours. types: by our names."""

    name: str
    columns: dict[str, str]
    types: dict[str, str]

    def has(self, column: str) -> bool:
        """Whether it has one of the columns that need not be there."""
        return column in self.columns

    def is_bytes(self, column: str) -> bool:
        """Whether the values are bytes, not text such as 0x00ff."""
        return self.types[column].removesuffix("[]") in _BYTES

    def of(self, alias: str, column: str) -> str:
        """A column of the table under an alias."""
        return f"{alias}.{self.columns[column]}"

    def equals(self, alias: str, column: str, value: bytes) -> str:
        """Whether a column has the value, in whatever case it is written."""
        name = "equals_bytes" if self.is_bytes(column) else "equals_text"
        return _equals(name, self.of(alias, column), value)

    def starts(self, alias: str, column: str, value: bytes) -> str:
        """Whether a column begins with the value."""
        source = self.of(alias, column)
        if self.is_bytes(column):
            return fill("abi_sql.starts_bytes", column=source, length=len(value), hex=value.hex())
        digits = 2 + 2 * len(value)
        return fill("abi_sql.starts_text", column=source, digits=digits, hex=value.hex())

    def address_text(self, alias: str, column: str) -> str:
        """An address as text in small letters."""
        return fill("abi_sql.address_text", column=self.of(alias, column))

    # Topics are an array, a text with commas, or JSON.

    def topic(self, number: int) -> str:
        """The expression of a topic of `logs l`, counted from 0."""
        topics, kind = self.of("l", "topics"), self.types["topics"]
        if kind.endswith("[]"):
            return fill("abi_sql.topic_of_array", topics=topics, number=number + 1)
        if kind in _JSON:
            return fill("abi_sql.topic_of_json", topics=topics, index=number)
        return fill("abi_sql.topic_of_text", topics=topics, number=number + 1)

    def topic_equals(self, number: int, value: bytes) -> str:
        """Whether a topic of `logs l` has the value."""
        name = "equals_bytes" if self.is_bytes("topics") else "equals_text"
        return _equals(name, self.topic(number), value)

    def has_topics(self, count: int) -> str:
        """Whether a log of `logs l` has so many topics."""
        topics, kind = self.of("l", "topics"), self.types["topics"]
        if kind.endswith("[]"):
            return fill("abi_sql.topics_of_array", topics=topics, count=count)
        if kind in _JSON:
            return fill("abi_sql.topics_of_json", topics=topics, count=count)
        return fill("abi_sql.topics_of_text", topics=topics, count=count)


def _equals(name: str, column: str, value: bytes) -> str:
    if name == "equals_bytes":
        return fill("abi_sql.equals_bytes", column=column, hex=value.hex())
    return fill("abi_sql.equals_text", column=column, hex=value.hex())


def read_table(session: PgSession, what: str, name: str, renamed: Mapping[str, str]) -> ChainTable:
    """Looks a table up in the warehouse. what: one of COLUMNS. renamed: `columns` of the options.

    Raises ConfigurationError when the table or a column is missing.
    """
    quoted = ".".join(quote_ident(part, session) for part in name.split("."))
    with session.cursor() as cursor:
        cursor.execute(statement("abi_sql.columns"), {"table": quoted})
        there: dict[str, Any] = dict(cursor.fetchall())
    if not there:
        raise ConfigurationError(f"abi.{what}: there is no table {name} in the warehouse")
    needed, _, optional = COLUMNS[what].partition("|")
    columns, types = {}, {}
    for column in [*needed.split(), *optional.split()]:
        actual = renamed.get(f"{what}.{column}", column)
        if actual in there:
            columns[column], types[column] = quote_ident(actual, session), there[actual]
        elif column in needed.split() or actual != column:
            raise ConfigurationError(
                f"abi.{what}: the table {name} has no column `{actual}`{nearest(actual, there)}; "
                f"where it has another name, say so: `columns: {{{what}.{column}: NAME}}`"
            )
    return ChainTable(quoted, columns, types)
