"""What a column of a file holds, and the PostgreSQL type that stands for it.

Values travel as text, and PostgreSQL parses them: nothing is rounded or cut on the way. A kind
says how a person's way of writing a value becomes the one that PostgreSQL reads.
"""

from __future__ import annotations

from typing import Literal

ColumnType = Literal["text", "integer", "decimal", "boolean", "date", "timestamp"]
Kind = Literal["text", "integer", "decimal", "boolean", "date", "timestamp", "zoned", "json", "own"]
"""`zoned`: a timestamp with time zone. `own`: any other type, whose text form is passed on."""

_TYPES: dict[Kind, str] = {
    "text": "text",
    "integer": "bigint",
    "decimal": "numeric",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp without time zone",
    "zoned": "timestamp with time zone",
    "json": "jsonb",
    "own": "text",
}
_KINDS: dict[str, Kind] = {
    "text": "text",
    "character varying": "text",
    "character": "text",
    "bpchar": "text",
    "name": "text",
    "smallint": "integer",
    "integer": "integer",
    "bigint": "integer",
    "numeric": "decimal",
    "real": "decimal",
    "double precision": "decimal",
    "boolean": "boolean",
    "date": "date",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "zoned",
    "json": "json",
    "jsonb": "json",
}


def type_of(kind: Kind) -> str:
    """The PostgreSQL type of a column that is made for a kind."""
    return _TYPES[kind]


def kind_of(type_name: str) -> Kind:
    """The kind of an existing column, by its type as format_type shows it."""
    base, _, rest = type_name.partition("(")
    return _KINDS.get((base + rest.partition(")")[2]).strip(), "own")
