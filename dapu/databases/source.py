"""What a source database is to an agent, whichever database it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from dapu.definitions.templates import Statement
from dapu.loading.rows import Rows


class Asked(Protocol):
    """A database that answers a question."""

    def quote(self, identifier: str) -> str:
        """A name as the database quotes it."""
        ...

    def value(self, query: Statement) -> Any:
        """The one value that a query gives, as the driver gives it."""
        ...


class Source(Asked, Protocol):
    """An open connection to a database, reading one state of it."""

    description: str

    def read(self, query: Statement, into: Mapping[str, str] | None) -> Rows:
        """The rows of a query.

        into: the types of the target's columns by name; None when there is no target yet. A
        column that is not in it must come with a type that holds each of its values.
        Raises JobError when the source refuses the query.
        """
        ...

    def stop(self) -> None:
        """Ends a running query; may be called from another thread, and more than once."""
        ...

    def close(self) -> None:
        """Lets the connection go."""
        ...
