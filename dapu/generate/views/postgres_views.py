"""Views in the warehouse itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from psycopg2.extensions import cursor as Cursor

from dapu.definitions.templates import read_template
from dapu.errors import ConfigurationError
from dapu.generate.views.abi_contracts import PostgresChain
from dapu.generate.views.abi_functions import decoders
from dapu.generate.views.abi_views import abi_groups
from dapu.generate.views.drop_views import Dropped, drop_own
from dapu.generate.views.make_views import make_group, replacement
from dapu.generate.views.planned import Choice, PlannedView, ViewGroup
from dapu.generate.views.template_views import template_groups
from dapu.generate.views.views_action import ViewsAction
from dapu.loading.table.relation import make_schema
from dapu.named_sql import statement
from dapu.registry import view_queue
from dapu.registry.view_queue import TakenGroup
from dapu.warehouse.postgres_session import Session, given_path


class PostgresViews:
    """See `ViewDatabase`."""

    def __init__(self, action: ViewsAction, session: Session) -> None:
        self._action, self._session = action, session

    def preparation(self) -> str:
        """See `ViewDatabase`."""
        action = self._action
        return decoders(self._session, action.schema) if action.options.abi else ""

    def groups(self, choice: Choice) -> Iterator[ViewGroup]:
        """See `ViewDatabase`."""
        with self._session.cursor() as cursor, given_path(cursor):
            yield from self._groups(choice)

    def _groups(self, choice: Choice) -> Iterator[ViewGroup]:
        action, options, session = self._action, self._action.options, self._session
        if options.abi is not None:
            chain = PostgresChain(session, action.schema, options.abi)
            query = action.query_of_contracts(choice.count)
            return abi_groups(chain, options, choice, query)
        if choice.count is not None:
            _check_has_count(action)
        found = template_groups(session, action.folder, action.names, options, choice.count)
        if choice.only:
            return (group for group in found if group.key in choice.only)
        return islice(found, choice.limit)

    def prepare(self, queue: Cursor) -> None:
        """See `ViewDatabase`. Only one session at a time can replace the decoders."""
        action = self._action
        make_schema(queue, action.schema)
        text = self.preparation()
        if text:
            key = action.registry.lock_key(f"views in {action.schema}")
            queue.execute(statement("server.lock_for_transaction"), {"key": key})
            queue.execute(text)

    def intact(self, queue: Cursor) -> dict[str, str]:
        """See `ViewDatabase`."""
        return view_queue.intact(queue, self._action.registry, self._action.task)

    def make(self, queue: Cursor, group: TakenGroup) -> int:
        """See `ViewDatabase`. All in the queue's own transaction."""
        action = self._action
        return make_group(queue, action.registry, action.task, action.schema, group)

    def drop(self, queue: Cursor, only: Sequence[str] | None, *, dry_run: bool) -> Dropped:
        """See `ViewDatabase`."""
        action = self._action
        return drop_own(queue.connection, action.registry, action.task, only, dry_run=dry_run)

    def replacement(self, key: str, view: PlannedView) -> str:  # noqa: ARG002
        """See `ViewDatabase`."""
        return replacement(self._action.schema, view).as_string(self._session)


def _check_has_count(action: ViewsAction) -> None:
    """Raises ConfigurationError when the query has no use for a least number."""
    path = action.folder / str(action.options.query)
    if not read_template(path).uses("count"):
        raise ConfigurationError(
            f"{action.task}: --count changes nothing, for {path.name} does not use "
            "{{ count }}; write, for example: having count(*) >= {{ count }}"
        )
