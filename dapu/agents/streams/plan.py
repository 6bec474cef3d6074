"""Which streams are read into which tables, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from dapu.agents.streams.options import ConnectorLoad, ConnectorOptions
from dapu.errors import JobError
from dapu.loading.options import LoadOptions
from dapu.rows.rows import Column
from dapu.sources.connectors.messages import StreamName
from dapu.sources.connectors.streams import Stream, find_stream
from dapu.statement import TableName
from dapu.suggest import nearest

_WITH_PLAIN_TEXT = ("bigint", "numeric", "boolean")  # which is hashed as it is written


@dataclass(frozen=True)
class StreamPlan:
    """What becomes of one stream.

    stamp: a column that gets the time at which each record came.
    """

    stream: Stream
    table: TableName
    options: LoadOptions
    stamp: str | None = None

    def columns(self) -> dict[str, Column]:
        """The columns by the key of a record."""
        stamp = {self.stamp: Column(self.stamp, "timestamp with time zone")} if self.stamp else {}
        columns = self.stream.columns()
        for key, column in columns.items():
            if column.name in self.options.hash and column.type in _WITH_PLAIN_TEXT:
                columns[key] = Column(column.name, "text")
        return columns | stamp


def plan_streams(
    options: ConnectorOptions, of_task: TableName, streams: Mapping[StreamName, Stream]
) -> list[StreamPlan]:
    """The plan of a task. of_task: its table. streams: all that the connector has.

    Raises JobError for a stream that it does not have, or that cannot be read so.
    """
    plans = []
    for name, wanted in options.wanted(of_task.table).items():
        stream = find_stream(streams, name).named(options.casing)
        table = wanted.table or options.prefix + (stream.table_name or "stream")
        key = list(wanted.key or stream.key_columns() or ())
        mode = wanted.load or _usual_load(stream, key)
        if mode != "replace" and not stream.is_incremental:
            raise JobError(f"the stream {stream.name} can only be read as a whole: `load: replace`")
        if mode == "merge" and not key:
            raise JobError(f"the stream {stream.name} has no key: name its columns with `key`")
        _check_hidden(stream, [*wanted.hash, *wanted.mask])
        try:
            loading = options.loading(wanted, mode, key)
        except ValidationError as error:
            raise JobError(f"the stream {stream.name}: {error.errors()[0]['msg']}") from None
        plans.append(StreamPlan(stream, TableName(of_task.schema, table), loading))
    check_tables(plans)
    return plans


def check_tables(plans: Sequence[StreamPlan]) -> None:
    """Raises JobError where two streams would go into one table."""
    tables = [plan.table for plan in plans]
    for table in tables:
        if tables.count(table) > 1:
            raise JobError(f"two streams would go into {table}: give one another `table`")


def _check_hidden(stream: Stream, names: Sequence[str]) -> None:
    """Raises JobError for columns to hash or mask that are not there, or stand in the state."""
    columns = stream.columns()
    known = [column.name for column in columns.values()]
    for name in names:
        if name not in known:
            raise JobError(f"the stream {stream.name} has no column {name}{nearest(name, known)}")
    for key in stream.cursor[:1]:
        if key in columns and columns[key].name in names:
            raise JobError(
                f"{columns[key].name} says how far the stream {stream.name} was read, and the "
                "connector's state has its values: it cannot be hidden"
            )


def _usual_load(stream: Stream, key: list[str]) -> ConnectorLoad:
    return "merge" if stream.is_incremental and key else "replace"
