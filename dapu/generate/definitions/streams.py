"""The streams of a connector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from dapu.errors import JobError
from dapu.generate.definitions.source_table import Offered, Table
from dapu.sources.connectors.messages import StreamName
from dapu.sources.connectors.open import open_connector
from dapu.sources.connectors.streams import Stream
from dapu.warehouse.warehouse import Warehouse


class StreamTables:
    """See `Tables`. The agent makes the table from the stream's schema, and adds its columns."""

    def __init__(self, warehouse: Warehouse, connection: str) -> None:
        self._connector = open_connector(warehouse, connection, lambda *_: None)

    @cached_property
    def _found(self) -> dict[str, Stream]:
        return {str(name): stream for name, stream in self._connector.discover().items()}

    def offered(self) -> Sequence[Offered]:
        """See `Tables`."""
        return [Offered(label, _names(stream.name)) for label, stream in self._found.items()]

    def describe(self, label: str, known: Mapping[str, str]) -> Table:  # noqa: ARG002 - as they are
        """See `Tables`."""
        stream = self._found[label]
        key = _key(stream)
        loads: tuple[str, ...] = ("replace",)
        if stream.is_incremental:
            loads = ("replace", "append", "merge") if key else ("append", "replace")
        action = {"do": self._connector.connection.protocol, "stream": label}
        return Table(label, action, (), key=key, loads=loads, is_typed=False)

    def close(self) -> None:
        """See `Tables`."""


def _names(stream: StreamName) -> tuple[str, ...]:
    whole = f"{stream.namespace}_{stream.name}" if stream.namespace else stream.name
    return stream.name, whole


def _key(stream: Stream) -> tuple[str, ...]:
    try:
        return tuple(stream.key_columns())
    except JobError:  # a part of it lies inside another value: whoever writes the task names it
        return ()
