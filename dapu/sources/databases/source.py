"""What a source database is to an agent, whichever database it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, Protocol, runtime_checkable

from dapu.rows.rows import Column, Rows
from dapu.statement import Statement

NO_SLACK = timedelta(0)
"""See `Queryable.time_slack`."""

Reader = Literal["auto", "native", "generic"]
"""Which code reads: one made for the database, or the one that SQLAlchemy has for all."""


class Queryable(Protocol):
    """A database that answers a question.

    time_slack: by less than this a time may differ from what the driver makes of it.
    own_schema: what stands before the database's own functions: PostgreSQL could take a function
        that somebody else made for one that is not qualified.
    """

    time_slack: timedelta
    own_schema: str

    def quote(self, identifier: str) -> str:
        """A name as the database quotes it."""
        ...

    def value(self, query: Statement) -> Any:
        """The one value that a query gives, as the driver gives it."""
        ...

    def rows(self, query: Statement) -> list[tuple[Any, ...]]:
        """The few rows that a query gives, as the driver gives them."""
        ...


class Source(Queryable, Protocol):
    """An open connection to a database, reading one state of it.

    typed_by_values: the types of columns that are not in `column_types` come from their values,
    and are others when those are; rows can be read again after a `stop` of those before.
    """

    description: str
    typed_by_values: bool

    def read(self, query: Statement, column_types: Mapping[str, str] | None) -> Rows:
        """The rows of a query.

        column_types: the types of the target's columns by name; None when there is no target yet. A
        column that is not in it must come with a type that holds each of its values.
        Raises JobError when the source refuses the query.
        """
        ...

    def columns(self, query: Statement) -> Sequence[Column]:
        """The columns that `read` gives a query that has no target yet, without its rows.

        Raises JobError when the source refuses the query.
        """
        ...

    def stop(self) -> None:
        """Ends a running query; may be called from another thread, and more than once."""
        ...

    def close(self) -> None:
        """Lets the connection go."""
        ...


@runtime_checkable
class SharesState(Protocol):
    """A source that several connections can read in one state."""

    def share(self) -> str | None:
        """A name of the state that this connection reads; None when the server has none.

        It is good for as long as the connection is open.
        """
        ...

    def keep(self) -> None:
        """Lets the network see that the connection is in use."""
        ...

    def adopt(self, state: str) -> bool:
        """Reads that state from now on; False when it no longer exists, or is another server's.

        For a connection that has read nothing yet.
        """
        ...


@runtime_checkable
class HasOwnOrder(Protocol):
    """A source with types that it sorts otherwise than it compares them."""

    def disorder(self, query: Statement, column: str) -> tuple[Any, ...] | None:
        """Two values of a query's column of which it is so; None when there are none."""
        ...
