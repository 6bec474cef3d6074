"""The database in which a `do: views` makes its views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from psycopg2.extensions import cursor as Cursor

from dapu.errors import ConfigurationError
from dapu.generate.views.drop_views import Dropped
from dapu.generate.views.planned import Choice, PlannedView, ViewGroup
from dapu.generate.views.postgres_views import PostgresViews
from dapu.generate.views.views_action import ViewsAction
from dapu.registry.view_queue import TakenGroup
from dapu.warehouse.connection_kinds import UrlConnection
from dapu.warehouse.connections import MAIN
from dapu.warehouse.postgres_session import Session


class ViewDatabase(Protocol):
    """Where views are read after and made. queue: a cursor of the registry."""

    def preparation(self) -> str:
        """Statements that come before the views; may be empty."""
        ...

    def groups(self, choice: Choice) -> Iterator[ViewGroup]:
        """The chosen groups, rendered one after the other.

        Raises FaultyFile when the query or a template cannot be used, and ConfigurationError when a
        table of the chain cannot.
        """
        ...

    def prepare(self, queue: Cursor) -> None:
        """Makes the schema, and what the views call."""
        ...

    def intact(self, queue: Cursor) -> dict[str, str]:
        """The hashes of the groups that were made and whose views are all there, by key."""
        ...

    def make(self, queue: Cursor, group: TakenGroup) -> int:
        """Makes what is new or changed of a group, and notes it; returns how many views.

        Raises CannotMake; the queue's transaction is to be rolled back to before the group then.
        """
        ...

    def drop(self, queue: Cursor, only: Sequence[str] | None, *, dry_run: bool) -> Dropped:
        """Drops the task's views, of some groups or all, and no others."""
        ...

    def replacement(self, key: str, view: PlannedView) -> str:
        """The statement that makes a view of a group, or replaces an older one."""
        ...


@contextmanager
def database_of(action: ViewsAction, session: Session) -> Iterator[ViewDatabase]:
    """The database of an action's views. session: of the warehouse, to read with.

    Raises ConfigurationError when its connection cannot have views.
    """
    name = action.options.connection or MAIN
    connection = action.warehouse.connections.named(name)
    if name == MAIN:
        yield PostgresViews(action, session)
    elif isinstance(connection, UrlConnection) and _is_snowflake(connection):
        from dapu.generate.views.snowflake.views import snowflake_views

        with snowflake_views(action, session, connection) as found:
            yield found
    else:
        raise ConfigurationError(
            f"{action.task}: `connection: {name}` is not a Snowflake database; views are made "
            "there or in the warehouse itself"
        )


def _is_snowflake(connection: UrlConnection) -> bool:
    return connection.parts.drivername.partition("+")[0] == "snowflake"
