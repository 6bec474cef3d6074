"""A `do: views` of a task, and the database in which it makes its views."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from psycopg2.extensions import cursor as Cursor

from dapu.definitions.sql_placeholders import settled
from dapu.definitions.templates import read_template
from dapu.errors import ConfigurationError
from dapu.generate.views.drop_views import Dropped
from dapu.generate.views.planned import Choice, PlannedView, ViewGroup
from dapu.generate.views.view_options import ViewsOptions
from dapu.registry.store import Registry
from dapu.registry.view_queue import TakenGroup
from dapu.statement import Statement
from dapu.warehouse.connection_kinds import UrlConnection
from dapu.warehouse.connections import MAIN
from dapu.warehouse.postgres_session import Session
from dapu.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class ViewsAction:
    """One `do: views` of a task. names: what its templates know."""

    warehouse: Warehouse
    registry: Registry
    task: str
    folder: Path
    names: Mapping[str, Any]
    options: ViewsOptions

    @property
    def schema(self) -> str:
        """Where its views are made."""
        return self.options.schema_name or self.task.split(".")[1]

    @property
    def is_elsewhere(self) -> bool:
        """Whether its views are in another database than the warehouse's own."""
        return self.options.connection not in (None, MAIN)

    def key_of(self, wanted: str) -> str:
        """The key of a group as a person may write it: an address in any case, without 0x."""
        if self.options.abi is None:
            return wanted
        return f"0x{wanted.lower().removeprefix('0x')}"

    def query_of_contracts(self, count: int | None) -> tuple[Path, Statement] | None:
        """The task's own query of contracts, with its file."""
        if self.options.query is None:
            return None
        path = self.folder / self.options.query
        template = read_template(path)
        rendered = template.render(dict(self.names) | {"count": count})
        return path, settled(path, template.text, rendered)

    @contextmanager
    def database(self, session: Session) -> Iterator[ViewDatabase]:
        """The database of its views. session: of the warehouse, to read with.

        Raises ConfigurationError when its connection cannot have views.
        """
        name = self.options.connection or MAIN
        connection = self.warehouse.connections.named(name)
        if name == MAIN:
            from dapu.generate.views.postgres_views import PostgresViews

            yield PostgresViews(self, session)
        elif isinstance(connection, UrlConnection) and _is_snowflake(connection):
            from dapu.generate.views.snowflake.views import snowflake_views

            with snowflake_views(self, session, connection) as found:
                yield found
        else:
            raise ConfigurationError(
                f"{self.task}: `connection: {name}` is not a Snowflake database; views are made "
                "there or in the warehouse itself"
            )


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


def _is_snowflake(connection: UrlConnection) -> bool:
    return connection.parts.drivername.partition("+")[0] == "snowflake"
