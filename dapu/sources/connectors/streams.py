"""What a stream's JSON Schema says of its columns, as types of PostgreSQL that hold each value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from dapu.errors import JobError
from dapu.rows.column_names import column_name, column_names, kept_names, shortened_name
from dapu.rows.rows import Column
from dapu.sources.connectors.messages import Document, StreamName, stream_name
from dapu.suggest import nearest

Casing = Literal["lower", "keep"]
_FORMATS = {
    "date": "date",
    "date-time": "timestamp with time zone",
    "time": "time without time zone",
}
# https://docs.airbyte.com/platform/understanding-airbyte/supported-data-types
_AIRBYTE_TYPES = {
    "timestamp_with_timezone": "timestamp with time zone",
    "timestamp_without_timezone": "timestamp without time zone",
    "time_with_timezone": "time with time zone",
    "time_without_timezone": "time without time zone",
    "integer": "bigint",
    "big_integer": "numeric",
    "big_number": "numeric",
}
_PLAIN = {
    "string": "text",
    "integer": "bigint",
    "number": "numeric",
    "boolean": "boolean",
    "object": "jsonb",
    "array": "jsonb",
}


@dataclass(frozen=True)
class Stream:
    """A stream of a connector's catalog.

    properties: the JSON Schema of each of its top-level keys.
    key: the keys that identify a record, as the connector says; empty when it does not.
    cursor: what an incremental reading goes by, as the connector says.
    sync_modes: `full_refresh`, `incremental`.
    document: all that the catalog says of it.
    casing: whether its names are kept, or made `lower` case and ASCII.
    """

    name: StreamName
    properties: Mapping[str, Any]
    key: Sequence[Sequence[str]]
    cursor: Sequence[str]
    sync_modes: Sequence[str]
    document: Document
    casing: Casing = "lower"

    def named(self, casing: Casing) -> Stream:
        """The stream with other names of its table and columns."""
        return replace(self, casing=casing)

    @property
    def table_name(self) -> str:
        """A table's name for it; empty where the stream's has no letter or digit."""
        return self.name_in(self.name.name)

    def name_in(self, text: str) -> str:
        """A text as a name of PostgreSQL, in the stream's casing."""
        return column_name(text) if self.casing == "lower" else shortened_name(text)

    @property
    def is_incremental(self) -> bool:
        """Whether it can be read from where the last reading ended."""
        return "incremental" in self.sync_modes

    def columns(self) -> dict[str, Column]:
        """The columns by the key of a record, named as a table may have them, each once."""
        naming = column_names if self.casing == "lower" else kept_names
        names = naming(self.properties)
        return {
            key: Column(name, column_type(schema))
            for (key, schema), name in zip(self.properties.items(), names, strict=True)
        }

    def key_columns(self) -> list[str]:
        """The columns of its key. Raises JobError where a part of it lies inside an object."""
        columns = self.columns()
        names = []
        for path in self.key:
            if len(path) != 1 or path[0] not in columns:
                raise JobError(
                    f"the key of the stream {self.name} has a part inside another value "
                    f"({'.'.join(path)}); name columns with `key`"
                )
            names.append(columns[path[0]].name)
        return names


def streams_of(documents: Sequence[Document]) -> dict[StreamName, Stream]:
    """The streams of a catalog by name. Raises JobError for one that cannot be understood."""
    found = {}
    for document in documents:
        try:
            stream = _stream(document)
        except (KeyError, TypeError, AttributeError) as error:
            name = document.get("name", "without a name")
            raise JobError(f"the catalog's stream {name} lacks {error}") from None
        found[stream.name] = stream
    return found


def find_stream(streams: Mapping[StreamName, Stream], name: str) -> Stream:
    """A stream by its name, or `namespace.name`. Raises JobError when there is none, or several."""
    found = [one for one in streams.values() if name in (one.name.name, str(one.name))]
    if not found:
        known = [str(one) for one in streams]
        raise JobError(f"the connector has no stream {name}{nearest(name, known)}")
    if len(found) > 1:
        names = ", ".join(str(one.name) for one in found)
        raise JobError(f"the connector has several streams {name}: write one of {names}")
    return found[0]


def column_type(schema: Any) -> str:
    """The type of PostgreSQL that holds every value that a JSON Schema allows."""
    if not isinstance(schema, dict):
        return "jsonb"  # `true`: anything
    choices = schema.get("oneOf") or schema.get("anyOf")
    if choices:
        types = {column_type(choice) for choice in choices if not _is_null(choice)}
        return types.pop() if len(types) == 1 else "jsonb"
    kinds = _kinds(schema)
    if len(kinds) != 1:
        return "numeric" if kinds == {"integer", "number"} else "jsonb"
    (kind,) = kinds
    known = _AIRBYTE_TYPES.get(str(schema.get("airbyte_type")))
    if kind == "string":
        return known or _FORMATS.get(str(schema.get("format")), "text")
    if kind == "integer" and not _fits_bigint(schema):
        return "numeric"
    return known if known and kind in ("integer", "number") else _PLAIN.get(kind, "jsonb")


def _stream(document: Document) -> Stream:
    schema = document["json_schema"]
    return Stream(
        stream_name(document["name"], document.get("namespace")),
        dict(schema.get("properties") or {}),
        document.get("source_defined_primary_key") or [],
        document.get("default_cursor_field") or [],
        document.get("supported_sync_modes") or ["full_refresh"],
        document,
    )


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    kinds = schema.get("type", [])
    return {str(kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)} - {"null"}


def _is_null(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") in ("null", ["null"])


def _fits_bigint(schema: Mapping[str, Any]) -> bool:
    low, high = schema.get("minimum", 0), schema.get("maximum", 0)
    return bool(low >= -(2**63) and high < 2**63)
