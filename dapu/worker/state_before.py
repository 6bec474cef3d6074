"""What an action is given of what earlier runs of its task left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.agents.base import SourceState
from dapu.definitions.models import ActionOptions
from dapu.errors import JobError
from dapu.loading.options import LoadOptions
from dapu.named_sql import statement
from dapu.registry.watermarks import Watermark
from dapu.statement import TableName


class Memory(NamedTuple):
    """What the registry keeps of a task's sources, by what is read."""

    watermarks: dict[str, Watermark]
    source_state: dict[str, dict[str, Any]]


def state_before(
    cursor: Cursor,
    table: TableName,
    memory: Memory,
    sources: Sequence[str],
    source: str,
    options: ActionOptions,
) -> SourceState:
    """The state that earlier runs left; none where the table that they loaded was dropped.

    sources: all that the task reads. source: what this action reads.
    Raises JobError when the watermark is that of something else.
    """
    state = SourceState(memory.watermarks.get(source), memory.source_state.get(source, {}))
    if isinstance(options, LoadOptions):
        stale = memory.watermarks.keys() - set(sources)
        stale = stale if options.watermark and state.watermark is None else set()
        if (state.watermark or state.entries or stale) and _is_dropped(cursor, table):
            return SourceState()
        if stale:
            raise JobError(
                f"the watermark is that of `{min(stale)}`, and the action reads "
                f"`{source}`: read everything once with `dapu run --full`; empty the "
                "table before if its rows are to go"
            )
    return state


def _is_dropped(cursor: Cursor, table: TableName) -> bool:
    name = table.identifier.as_string(cursor)
    cursor.execute(statement("server.relation_exists"), {"name": name})
    return cursor.fetchone() != (True,)
