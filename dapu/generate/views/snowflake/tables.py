"""The tables of a chain in Snowflake, and how their columns are written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dapu.errors import ConfigurationError
from dapu.generate.views.abi_tables import COLUMNS
from dapu.generate.views.abi_words import fill
from dapu.suggest import nearest

if TYPE_CHECKING:
    from snowflake.connector.cursor import SnowflakeCursor

Kind = Literal["text", "binary", "array"]
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_KINDS: dict[str, Kind] = {"BINARY": "binary", "ARRAY": "array", "VARIANT": "array"}


def quoted(name: str) -> str:
    """A name, quoted as it is."""
    return '"' + name.replace('"', '""') + '"'


def stored(name: str) -> str:
    """A name as Snowflake keeps it when it is written without quotes; an odd one as it is."""
    return name.upper() if _PLAIN.fullmatch(name) else name


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


@dataclass(frozen=True)
class SnowflakeTable:
    """A table. name: quoted. columns: quoted names by ours. kinds: by our names."""

    name: str
    columns: dict[str, str]
    kinds: dict[str, Kind]

    def has(self, column: str) -> bool:
        """Whether it has one of the columns that need not be there."""
        return column in self.columns

    def of(self, alias: str, column: str) -> str:
        """A column of the table under an alias."""
        return f"{alias}.{self.columns[column]}"

    def equals(self, alias: str, column: str, value: bytes) -> str:
        """Whether a column has the value, in whatever case it is written."""
        return self._equals(self.of(alias, column), self.kinds[column], value)

    def starts(self, alias: str, column: str, value: bytes) -> str:
        """Whether a column begins with the value."""
        source, digits = self.of(alias, column), 2 + 2 * len(value)
        if self.kinds[column] == "binary":
            return fill("abi_snowflake.starts_binary", column=source, hex=value.hex().upper())
        return fill("abi_snowflake.starts_text", column=source, digits=digits, hex=value.hex())

    def address(self, alias: str, column: str) -> str:
        """An address as text in small letters."""
        source = self.of(alias, column)
        if self.kinds[column] == "binary":
            return fill("abi_snowflake.address_of_binary", column=source)
        return fill("abi_snowflake.address_of_text", column=source)

    def hex(self, alias: str, column: str) -> str:
        """Bytes as text of hexadecimal digits."""
        source = self.of(alias, column)
        if self.kinds[column] == "binary":
            return fill("abi_snowflake.hex_of_binary", column=source)
        return source

    def path(self, alias: str) -> str:
        """Where a trace stands below its transaction, as `0,1`."""
        return fill("abi_snowflake.path", column=self._text(alias, "trace_address"))

    # Topics are an array or a text with commas.

    @property
    def topics(self) -> str:
        """All topics of `logs l` as text."""
        return self._text("l", "topics")

    def topic_equals(self, number: int, value: bytes) -> str:
        """Whether a topic of `logs l` has the value."""
        parts: dict[str, str | int] = {"topics": self.of("l", "topics"), "number": number}
        if self.kinds["topics"] == "array":
            topic = fill("abi_snowflake.topic_of_array", **parts)
        else:
            topic = fill("abi_snowflake.topic_of_text", **parts)
        return self._equals(topic, "text", value)

    def has_topics(self, count: int) -> str:
        """Whether a log of `logs l` has so many topics."""
        source = self.of("l", "topics")
        if self.kinds["topics"] == "array":
            found = fill("abi_snowflake.topics_of_array", topics=source)
        else:
            found = fill("abi_snowflake.topics_of_text", topics=source)
        return f"coalesce({found}, 0) = {count}"

    def _text(self, alias: str, column: str) -> str:
        """An array as JSON, or the text that stands for it."""
        source = self.of(alias, column)
        if self.kinds[column] == "array":
            return fill("abi_snowflake.json_of_array", column=source)
        return source

    def _equals(self, source: str, kind: Kind, value: bytes) -> str:
        if kind == "binary":
            return fill("abi_snowflake.equals_binary", column=source, hex=value.hex())
        return fill("abi_snowflake.equals_text", column=source, hex=value.hex())


def read_table(
    cursor: SnowflakeCursor, what: str, name: str, renamed: Mapping[str, str]
) -> SnowflakeTable:
    """Looks a table up. what: one of COLUMNS. renamed: `columns` of the options.

    Raises ConfigurationError when the table or a column is missing.
    """
    from snowflake.connector.constants import FIELD_ID_TO_NAME
    from snowflake.connector.errors import Error

    whole = ".".join(quoted(stored(part)) for part in name.split("."))
    try:
        found = cursor.describe(fill("abi_snowflake.look_at", table=whole))
    except Error as error:
        raise ConfigurationError(
            f"abi.{what}: the table {name} cannot be read: {error.raw_msg or error}"
        ) from None
    there = {one.name: FIELD_ID_TO_NAME[one.type_code] for one in found}
    needed, _, optional = COLUMNS[what].partition("|")
    columns, kinds = {}, dict[str, Kind]()
    for column in [*needed.split(), *optional.split()]:
        actual = renamed.get(f"{what}.{column}", column)
        kept = actual if actual in there else stored(actual)
        if kept in there:
            columns[column] = quoted(kept)
            kinds[column] = _KINDS.get(there[kept], "text")
        elif column in needed.split() or actual != column:
            raise ConfigurationError(
                f"abi.{what}: the table {name} has no column `{actual}`{nearest(actual, there)}; "
                f"where it has another name, say so: `columns: {{{what}.{column}: NAME}}`"
            )
    return SnowflakeTable(whole, columns, kinds)
