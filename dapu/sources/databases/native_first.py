"""The native reader where it can, the generic one for a query that it cannot read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dapu.errors import NotNative
from dapu.rows.rows import Column, Rows
from dapu.sources.databases.source import HasOwnOrder, Source
from dapu.statement import Statement


class NativeFirst:
    """A source with two readers; the choice is made for each query."""

    def __init__(self, native: Source, open_generic: Callable[[], Source]) -> None:
        self._native, self._open_generic = native, open_generic
        self._reading = native
        self.description = native.description
        self.time_slack = native.time_slack
        self.own_schema = native.own_schema
        self.typed_by_values = native.typed_by_values

    def quote(self, identifier: str) -> str:
        """See `Source.quote`."""
        return self._native.quote(identifier)

    def value(self, query: Statement) -> Any:
        """See `Source.value`."""
        return self._native.value(query)

    def rows(self, query: Statement) -> list[tuple[Any, ...]]:
        """See `Source.rows`."""
        return self._native.rows(query)

    def disorder(self, query: Statement, column: str) -> tuple[Any, ...] | None:
        """See `HasOwnOrder`."""
        native = self._native
        return native.disorder(query, column) if isinstance(native, HasOwnOrder) else None

    def read(self, query: Statement, column_types: Mapping[str, str] | None) -> Rows:
        """See `Source.read`."""
        try:
            rows = self._native.read(query, column_types)
            self.description = self._native.description
            self.typed_by_values = self._native.typed_by_values
        except NotNative as reason:
            if self._reading is self._native:
                self._reading = self._open_generic()
            rows = self._reading.read(query, column_types)
            self.typed_by_values = self._reading.typed_by_values
            self.description = f"{self._reading.description}, since {reason.why}"
        return rows

    def columns(self, query: Statement) -> Sequence[Column]:
        """See `Source.columns`."""
        try:
            return self._native.columns(query)
        except NotNative:
            if self._reading is self._native:
                self._reading = self._open_generic()
            return self._reading.columns(query)

    def stop(self) -> None:
        """See `Source.stop`."""
        self._native.stop()
        if self._reading is not self._native:
            self._reading.stop()

    def close(self) -> None:
        """See `Source.close`."""
        self._native.close()
        if self._reading is not self._native:
            self._reading.close()
