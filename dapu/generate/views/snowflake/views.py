"""Views in Snowflake. Which of them are a task's own stands in their text, as a mark.

There a statement that makes a view is a transaction of its own: of a group that fails the views
made before stay, and the next try goes on from them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.errors import ConfigurationError
from dapu.generate.views.abi_views import abi_groups
from dapu.generate.views.abi_words import fill
from dapu.generate.views.drop_views import Dropped
from dapu.generate.views.make_views import CannotMake
from dapu.generate.views.planned import Choice, PlannedView, ViewGroup
from dapu.generate.views.snowflake import decoder
from dapu.generate.views.snowflake.chain import SnowflakeChain
from dapu.generate.views.snowflake.tables import literal, quoted, stored
from dapu.generate.views.views_action import ViewsAction
from dapu.registry import view_queue
from dapu.registry.view_queue import TakenGroup
from dapu.warehouse.connection_kinds import UrlConnection
from dapu.warehouse.postgres_session import Session
from dapu.warehouse.snowflake_login import driver, read_dsn

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


class Mark(NamedTuple):
    """What a view says of itself. registry: database and schema of the registry that knows it."""

    registry: str
    task: str
    key: str
    hash: str

    def text(self) -> str:
        """As it stands in the view."""
        return f"dapu views {json.dumps(self._asdict(), ensure_ascii=False)}"


def _mark(text: str | None) -> Mark | None:
    """The mark in a view's text; None where there is none."""
    if not text:
        return None
    try:
        return Mark(**json.loads(text.removeprefix("dapu views ").replace("''", "'")))
    except (ValueError, TypeError):
        return None


@contextmanager
def snowflake_views(
    action: ViewsAction, session: Session, connection: UrlConnection
) -> Iterator[SnowflakeViews]:
    """Connects, and closes it afterwards. Raises ConfigurationError."""
    connector = driver()
    keywords = read_dsn(connection.url.get_secret_value()) | connection.extra
    try:
        snowflake = connector.connect(**keywords)
    except connector.errors.Error as error:
        raise ConfigurationError(f"{connection.name}: {error.raw_msg or error}") from None
    with closing(snowflake):
        yield SnowflakeViews(action, snowflake, _registry_place(action, session))


def _registry_place(action: ViewsAction, session: Session) -> str:
    registry = action.registry
    return f"{session.info.dbname}.{registry.schema}.{registry.prefix}".rstrip(".")


class SnowflakeViews:
    """See `ViewDatabase`."""

    def __init__(self, action: ViewsAction, session: SnowflakeConnection, registry: str) -> None:
        self._action, self._session, self._registry = action, session, registry
        self._schema = stored(action.schema)

    def preparation(self) -> str:
        """See `ViewDatabase`."""
        return "".join(f"{text};\n\n" for text in self._preparation())

    def groups(self, choice: Choice) -> Iterator[ViewGroup]:
        """See `ViewDatabase`."""
        options = self._action.options
        assert options.abi is not None  # as was checked when the definition was read
        chain = SnowflakeChain(self._session, quoted(self._schema), options.abi)
        return abi_groups(chain, options, choice, self._action.query_of_contracts(choice.count))

    def prepare(self, queue: Cursor) -> None:  # noqa: ARG002 - nothing in the warehouse
        """See `ViewDatabase`."""
        for text in self._preparation():
            self._run(self._schema, text)

    def intact(self, queue: Cursor) -> dict[str, str]:
        """See `ViewDatabase`."""
        text = fill("abi_snowflake.present")
        marks = (mark for _, mark in self._present(text, {"schema": self._schema}))
        count = Counter(mark.key for mark in marks if mark is not None and self._is_own(mark))
        done = view_queue.made_elsewhere(queue, self._action.registry, self._action.task)
        return {key: digest for key, digest, views in done if count[key] == views}

    def make(self, queue: Cursor, group: TakenGroup) -> int:
        """See `ViewDatabase`."""
        action = self._action
        wanted = {view[0]: (PlannedView(*view[:3]), str(view[3])) for view in group.views}
        there = self._there(group.key, list(wanted))
        for name in wanted:
            if name in there:
                self._check_is_own(name, there[name], group.key)
        for name in there:
            if name not in wanted:
                self._run(name, fill("abi_snowflake.drop_view", view=self._quoted(name)))
        made = {name: mark.hash for name, mark in there.items() if mark is not None}
        changed = [view for view, digest in wanted.values() if made.get(view.name) != digest]
        for view in changed:
            self._run(view.name, self.replacement(group.key, view))
        view_queue.done_elsewhere(queue, action.registry, action.task, group.key)
        return len(changed)

    def replacement(self, key: str, view: PlannedView) -> str:
        """See `ViewDatabase`."""
        mark = Mark(self._registry, self._action.task, key, view.hash)
        return fill(
            "abi_snowflake.create_view",
            view=self._quoted(view.name),
            comment=literal(view.comment or ""),
            mark=fill("abi_snowflake.mark", mark=literal(mark.text())),
            query=view.query,
        )

    def drop(self, queue: Cursor, only: Sequence[str] | None, *, dry_run: bool) -> Dropped:
        """Drops the task's views, of some groups or all, and no others."""
        action = self._action
        found = self._present(fill("abi_snowflake.present"), {"schema": self._schema})
        names = sorted(
            name
            for name, mark in found
            if mark and self._is_own(mark) and (only is None or mark.key in only)
        )
        dropped = Dropped([(self._schema, name) for name in names])
        if not dry_run:
            for name in names:
                self._run(name, fill("abi_snowflake.drop_view", view=self._quoted(name)))
            view_queue.forget(queue, action.registry, action.task, only)
        return dropped

    def _preparation(self) -> list[str]:
        body = Path(decoder.__file__).read_text("utf-8")
        schema = quoted(self._schema)
        return [
            fill("abi_snowflake.create_schema", schema=schema),
            fill("abi_snowflake.create_decoder", schema=schema, body=body),
        ]

    def _there(self, key: str, names: Sequence[str]) -> dict[str, Mark | None]:
        """What there is of these names, and the views that the group has beside them."""
        text = fill("abi_snowflake.present_of_group", names=", ".join(map(literal, names)) or "''")
        values = {"schema": self._schema, "key": json.dumps(key)}
        return {
            name: mark
            for name, mark in self._present(text, values)
            if name in names or (mark and self._is_own(mark) and mark.key == key)
        }

    def _present(self, text: str, values: dict[str, Any]) -> Iterator[tuple[str, Mark | None]]:
        for name, mark in self._run(self._schema, text, values):
            yield name, _mark(mark)

    def _is_own(self, mark: Mark) -> bool:
        return (mark.registry, mark.task) == (self._registry, self._action.task)

    def _check_is_own(self, name: str, mark: Mark | None, key: str) -> None:
        if mark is None:
            raise CannotMake(
                f"there is a table or view {self._schema}.{name} that `do: views` did not make: "
                "rename or drop it, or give these views another name"
            )
        if not self._is_own(mark) or mark.key != key:
            whose = f"the group {mark.key} of the task {mark.task}"
            raise CannotMake(
                f"the view {self._schema}.{name} is that of {whose}: give it another name"
            )

    def _quoted(self, name: str) -> str:
        return f"{quoted(self._schema)}.{quoted(name)}"

    def _run(self, what: str, text: str, values: dict[str, Any] | None = None) -> list[Any]:
        """Runs a statement. Raises CannotMake with what Snowflake says."""
        from snowflake.connector.errors import Error

        with self._session.cursor() as cursor:
            try:
                cursor.execute(text, values)
                return cursor.fetchall()
            except Error as error:
                raise CannotMake(f"{what}: {error.raw_msg or error}", text) from error
