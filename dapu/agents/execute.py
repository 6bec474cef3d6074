"""`do: execute`: documents of the Execute API become rows of the task's table, with helper views.

The libraries that it needs are imported when it runs: all agents are known to every command.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from psycopg2.extensions import cursor as Cursor
from pydantic import Field

from dapu.agents.base import Agent, Context
from dapu.agents.incremental.days import last_day
from dapu.definitions.models import ActionOptions
from dapu.errors import ConfigurationError, WrongBackfill
from dapu.loading.result import LoadResult
from dapu.registry.watermarks import Watermark
from dapu.rows.masked_columns import PART_KEPT, Mask
from dapu.text import counted
from dapu.warehouse.connection_kinds import ExecuteConnection

if TYPE_CHECKING:
    from dapu.execute.client import ExecuteAnswer, ExecuteClient
    from dapu.execute.documents import Change, Incoming
    from dapu.execute.postgres import PostgresDocuments
    from dapu.execute.read_all import RoundTally
    from dapu.execute.schema import Schema

_MARK = "mark"  # the watermark is of no column: it is what Execute says
_READ, _VIEWS = "read", "views"  # what the task remembers: what it asked for, which views it made


class ExecuteOptions(ActionOptions):
    """Reads documents of the Execute API into the task's table, and keeps helper views."""

    do: Literal["execute"]
    connection: str | None = Field(None, description="Default: the route's")
    types: list[str] | None = Field(
        None, min_length=1, description="Document types to keep; default all"
    )
    calculated: bool = Field(False, description="With calculated fields")
    limit: int = Field(10_000, ge=1, description="The most documents in one answer")
    chunk_size: int = Field(10_000, ge=1, description="The most items of a list in one row")
    full: bool = Field(
        False, description="Read everything at each run, for calculated fields as they are now"
    )
    hide_inactive: bool = Field(
        False, description="Helper views without the fields that are out of use"
    )
    hash: list[str] = Field(
        [],
        description="Fields, as `CONTACT.EMAIL`, of which only a keyed hash is kept (HMAC-SHA256 "
        "with `hash_key` of warehouse.yaml)",
    )
    mask: dict[str, Mask] = Field({}, description=f"Fields {PART_KEPT}")


class ExecuteAgent(Agent[ExecuteOptions]):
    """Reads documents."""

    name = "execute"
    options = ExecuteOptions

    def run(self, context: Context, options: ExecuteOptions) -> LoadResult:
        """Reads what is new, answer after answer, and brings the views up to date."""
        from dapu.execute.client import ExecuteClient

        name = options.connection or context.action.connection
        connection = context.warehouse.connections.named(name)
        if not isinstance(connection, ExecuteConnection):
            raise ConfigurationError(f"the connection `{name}` has no `driver: execute`")
        secret = connection.key_secret.get_secret_value()
        with (
            closing(ExecuteClient(connection.url, connection.key_id, secret)) as client,
            context.stoppable(client.stop),
            context.session.cursor() as cursor,
        ):
            return _ExecuteReading(context, options, client, cursor).run()


class _ExecuteReading:
    """One run."""

    def __init__(
        self, context: Context, options: ExecuteOptions, client: ExecuteClient, cursor: Cursor
    ) -> None:
        from dapu.execute.postgres import PostgresDocuments

        self._context, self._options, self._client = context, options, client
        self._cursor = cursor
        self._documents: PostgresDocuments = PostgresDocuments(cursor, context.table)

    def run(self) -> LoadResult:
        from dapu.execute.hidden_fields import hidden_fields
        from dapu.execute.schema import read_schema

        options = self._options
        text = self._client.schema(options.calculated)
        whole = read_schema(text, options.types)
        schema = read_schema(text, options.types, hide_inactive=options.hide_inactive)
        since = self._since()
        self._documents.prepare()
        again = since is None and not self._documents.is_empty()
        self._context.note(f"reads {self._client.url} since {since or 'the beginning'}")
        changes = hidden_fields(options.hash, options.mask, self._context.hash_key, whole)
        tally = self._read(since, changes)
        if again:  # the views are to be right then, whatever somebody did to the table
            self._documents.take_up_all()
        return LoadResult(
            tally.documents,
            (*_notes(tally), *self._keep_views(schema)),
            changed=bool(tally.documents),
        )

    def _read(self, since: str | None, change: Change | None) -> RoundTally:
        from dapu.execute.read_all import WantedDocuments, read_all

        options, context = self._options, self._context
        wanted = WantedDocuments(
            options.limit, options.chunk_size, options.calculated, options.types, change
        )
        tally = read_all(self._client, wanted, since, self._take, self._until())
        if context.backfill is None:
            context.state_after.entries[_READ] = self._asks_for()
        return tally

    def _take(self, answer: ExecuteAnswer, incoming: Incoming) -> None:
        self._documents.load(incoming, answer.stop, replace=True)
        if self._context.backfill is None:
            self._context.state_after.watermark = Watermark(_MARK, answer.mark)

    def _since(self) -> str | None:
        """The mark to go on from; None when everything is to be read."""
        context = self._context
        if context.backfill is not None:
            return context.backfill.get("from")
        low = context.state_before.watermark
        if self._options.full or low is None or low.column != _MARK or self._documents.is_empty():
            return None
        why = _asks_for_more(context.state_before.entries.get(_READ), self._asks_for())
        if why is not None:
            context.note(f"reads everything once, since {why}")
            return None
        return str(low.value)

    def _until(self) -> datetime | None:
        """The end of the backfill."""
        from dapu.execute.read_all import as_moment

        text = (self._context.backfill or {}).get("to")
        if text is None:
            return None
        day = last_day(text)
        until = as_moment(text if day is None else f"{day + timedelta(days=1)}")
        if until is None:
            raise WrongBackfill(
                f"--to {text} is not a time; Execute's marks are like 2024-05-06T07:08:09Z"
            )
        return until

    def _asks_for(self) -> dict[str, Any]:
        options = self._options
        types = None if options.types is None else sorted(options.types)
        hidden = sorted(
            [*options.hash, *(f"{field}: {how}" for field, how in options.mask.items())]
        )
        asked = {"url": self._client.url, "types": types, "calculated": options.calculated}
        return asked | ({"hidden": hidden} if hidden else {})

    def _keep_views(self, schema: Schema) -> tuple[str, ...]:
        """Brings the views up to date, when the schema is not the one of the last run."""
        from dapu.execute.postgres_views import PostgresViews
        from dapu.execute.schema import as_json

        views = PostgresViews(self._cursor, self._documents)
        text = json.dumps(as_json(schema), sort_keys=True)
        state = hashlib.sha256(text.encode()).hexdigest()
        if self._context.state_before.entries.get(_VIEWS) == state and not views.missing(schema):
            return ()
        problems = views.put(schema)
        for problem in problems.values():
            self._context.note(problem)
        if problems:
            return (f"views that keep old columns, as others need them: {', '.join(problems)}",)
        self._context.state_after.entries[_VIEWS] = state
        return ("views brought up to date",)


def _asks_for_more(before: dict[str, Any] | None, now: dict[str, Any]) -> str | None:
    """Why what was read before is not enough, or None when it is."""
    if before is None:
        return None
    if before["url"] != now["url"]:
        return "the connection leads to another server"
    if now["calculated"] and not before["calculated"]:
        return "calculated fields are wanted now"
    if before.get("hidden") != now.get("hidden"):
        return "other fields are hidden now"
    had, wanted = before["types"], now["types"]
    if had is not None and (wanted is None or not set(wanted) <= set(had)):
        return "more document types are wanted now"
    return None


def _notes(tally: RoundTally) -> list[str]:
    notes = []
    if tally.repeated:
        notes.append(f"{tally.repeated:,} of them again")
    if tally.left_out:
        notes.append(f"{counted(tally.left_out, 'document')} of other types left out")
    return notes
