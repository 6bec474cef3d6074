"""`do: airbyte`: streams of a connector that speaks the Airbyte protocol become tables."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import ClassVar, Literal

from psycopg2.extensions import cursor as Cursor

from dapu.agents.base import Agent, Context
from dapu.agents.connector_delivery import Delivery
from dapu.agents.connector_options import ConnectorLoad, ConnectorOptions, StreamOptions
from dapu.errors import ConfigurationError, JobError
from dapu.loading.result import LoadResult
from dapu.loading.table.relation import describe
from dapu.registry import source_state
from dapu.rows.column_names import column_name
from dapu.sources.connectors.connector import Connector
from dapu.sources.connectors.messages import (
    Document,
    Failure,
    Level,
    Message,
    Record,
    State,
    StreamName,
    StreamStatus,
)
from dapu.sources.connectors.records import RecordSpool
from dapu.sources.connectors.runners import config_of, runner_of
from dapu.sources.connectors.streams import Stream, find_stream
from dapu.sources.documents.exact_json import dump, parse
from dapu.statement import TableName
from dapu.warehouse.connection_kinds import ConnectorConnection

_ALL = "all streams"  # under which a state of all streams together is kept


class AirbyteOptions(ConnectorOptions):
    """Reads streams of an Airbyte connector into tables."""

    do: Literal["airbyte"]


class AirbyteAgent(Agent[AirbyteOptions]):
    """Reads streams of a connector that speaks the Airbyte protocol."""

    name: ClassVar[str] = "airbyte"
    options = AirbyteOptions

    def run(self, context: Context, options: AirbyteOptions) -> LoadResult:
        """Reads the streams, and keeps them as far as the connector says that they are read.

        Raises JobError when a stream failed; what was kept of it and of others stays.
        """
        if context.backfill is not None:
            raise JobError("--from and --to need an action with a `watermark`")
        connection = _connection(context, options.connection or context.action.connection)
        folder = context.warehouse.folder
        connector = Connector(
            connection,
            runner_of(connection, folder),
            config_of(connection, folder),
            lambda level, text: _log(context, level, text),
        )
        with context.stoppable(connector.stop), ExitStack() as stack:
            reading = _AirbyteReading(context, options, connector, stack)
            return reading.run()


class _AirbyteReading:
    """One reading of a connector's streams."""

    def __init__(
        self,
        context: Context,
        options: ConnectorOptions,
        connector: Connector,
        stack: ExitStack,
    ) -> None:
        self._context, self._options, self._connector = context, options, connector
        self._stack = stack
        self._deliveries: dict[StreamName, Delivery] = {}
        self._state_of_all: Document | None = None
        self._says_status = False

    def run(self) -> LoadResult:
        """Reads to the end. Raises JobError when a stream failed."""
        streams = self._connector.discover()
        with self._context.session.cursor() as cursor:
            for name, wanted in self._options.wanted(self._context.table.table).items():
                delivery = self._delivery(cursor, find_stream(streams, name), wanted)
                self._deliveries[delivery.stream.name] = delivery
            self._check_tables()
            states = self._states(cursor)
            error: JobError | None = None
            try:
                with self._connector.read(self._catalog(), states) as messages:
                    for message in messages:
                        self._take(cursor, message)
                self._end(cursor)
            except JobError as failure:
                self._context.session.rollback()
                error = failure
                self._end_early(cursor)
        return self._result(error)

    def _delivery(self, cursor: Cursor, stream: Stream, wanted: StreamOptions) -> Delivery:
        name = wanted.table or self._options.prefix + (column_name(stream.name.name) or "stream")
        table = TableName(self._context.table.schema, name)
        key = list(wanted.key or stream.key_columns() or ())
        mode = wanted.load or _usual_load(stream, key)
        if mode != "replace" and not stream.is_incremental:
            raise JobError(f"the stream {stream.name} can only be read as a whole: `load: replace`")
        if mode == "merge" and not key:
            raise JobError(f"the stream {stream.name} has no key: name its columns with `key`")
        relation = describe(cursor, table)
        types = {column.name: column.type for column in relation.columns} if relation else {}
        spool = RecordSpool(stream.name, stream.columns(), types)
        self._stack.callback(spool.close)
        has_steps = self._context.action.has_steps and table == self._context.table
        return Delivery(stream, table, self._options.loading(mode, key), spool, has_steps)

    def _check_tables(self) -> None:
        tables = [delivery.table for delivery in self._deliveries.values()]
        for table in tables:
            if tables.count(table) > 1:
                raise JobError(f"two streams would go into {table}: give one another `table`")

    def _catalog(self) -> Document:
        """The configured catalog: which streams are read, and how."""
        return {"streams": [self._configured(one) for one in self._deliveries.values()]}

    def _configured(self, delivery: Delivery) -> Document:
        stream, is_whole = delivery.stream, delivery.waits_for_end
        job = self._context.job.number
        return {
            "stream": stream.document,
            "sync_mode": "full_refresh" if is_whole else "incremental",
            "destination_sync_mode": _DESTINATION_MODES[delivery.options.load],
            "cursor_field": list(stream.cursor),
            "primary_key": [list(path) for path in stream.key],
            # A new generation replaces the rows of those before it.
            "generation_id": job if is_whole else 0,
            "minimum_generation_id": job if is_whole else 0,
            "sync_id": job,
        }

    def _states(self, cursor: Cursor) -> list[Document]:
        """What the last reading left, of the streams that go on from there."""
        kept = self._context.state_before.entries
        going_on = [one for one in self._deliveries.values() if not one.waits_for_end]
        if not all(describe(cursor, one.table) for one in going_on):
            kept = {k: v for k, v in kept.items() if k != _ALL}
        if _ALL in kept:
            return [_unpacked(kept[_ALL])]
        return [
            _unpacked(kept[str(one.stream.name)])
            for one in going_on
            if str(one.stream.name) in kept and describe(cursor, one.table) is not None
        ]

    def _take(self, cursor: Cursor, message: Message) -> None:
        match message:
            case Record():
                delivery = self._of(message.stream)
                delivery.take(message)
                if delivery.overflows:
                    self._keep(cursor, [delivery])
            case State():
                self._take_state(cursor, message)
            case StreamStatus():
                self._take_status(cursor, message)
            case Failure() if message.stream is not None:
                delivery = self._of(message.stream)
                delivery.error = delivery.error or message.message

    def _take_state(self, cursor: Cursor, state: State) -> None:
        if state.stream is None:
            self._state_of_all = state.message
            every = list(self._deliveries.values())
            for delivery in every:
                delivery.take_state(replace(state, record_count=None))
            if all(one.is_covered for one in every) and any(one.is_due for one in every):
                self._keep(cursor, every)
            return
        delivery = self._of(state.stream)
        delivery.take_state(state)
        if delivery.is_due:
            self._keep(cursor, [delivery])

    def _take_status(self, cursor: Cursor, status: StreamStatus) -> None:
        self._says_status = True
        delivery = self._of(status.stream)
        if status.status == "COMPLETE":
            delivery.is_complete = True
            # Rows that only a state of all streams stands for wait for it.
            if delivery.is_covered and self._state_of_all is None:
                self._keep(cursor, [delivery])
        elif status.status == "INCOMPLETE":
            delivery.error = delivery.error or "the connector says that it is incomplete"

    def _end(self, cursor: Cursor) -> None:
        """The connector has ended well: streams of which it said no status are complete."""
        for delivery in self._deliveries.values():
            if not self._says_status and delivery.error is None:
                delivery.is_complete = True
            elif not delivery.is_complete and delivery.error is None:
                delivery.error = "the connector ended without saying that it is complete"
        for delivery in self._deliveries.values():
            if delivery.error is not None:
                delivery.spool.back_to_mark()
        self._keep(cursor, list(self._deliveries.values()))

    def _end_early(self, cursor: Cursor) -> None:
        """The connector failed: what its states stand for is kept, the rest will come again."""
        every = list(self._deliveries.values())
        for delivery in every:
            delivery.spool.back_to_mark()
        is_whole = all(one.is_complete or not one.waits_for_end for one in every)
        if self._state_of_all is None or is_whole:
            self._keep(cursor, every)

    def _keep(self, cursor: Cursor, deliveries: list[Delivery]) -> None:
        """Commits rows and the states that they lead to, together."""
        ready = [one for one in deliveries if one.is_complete or not one.waits_for_end]
        for delivery in ready:
            delivery.load(cursor)
        entries = {str(one.stream.name): _packed(one.state) for one in ready if one.state}
        if self._state_of_all is not None:
            is_of_all = len(ready) == len(self._deliveries)
            entries = {_ALL: _packed(self._state_of_all)} if is_of_all else {}
        context, job = self._context, self._context.job
        where = (context.action.task, context.action.source)
        if entries:
            source_state.remember(cursor, job.registry, *where, entries, job.number)
        job.keep()
        for delivery in ready:
            delivery.kept()

    def _of(self, stream: StreamName) -> Delivery:
        if stream not in self._deliveries:
            raise JobError(f"the connector sent of the stream {stream}, which was not asked for")
        return self._deliveries[stream]

    def _result(self, error: JobError | None) -> LoadResult:
        told = {str(name): one.summary() for name, one in self._deliveries.items()}
        bad = [name for name, one in told.items() if one["status"] != "SUCCESS"]
        if error is not None or bad:
            first = str(error) if error else f"{bad[0]}: {told[bad[0]].get('error')}"
            streams = (
                f"{name} {one['status']}, {one['rows']:,} rows" for name, one in told.items()
            )
            raise JobError(f"{first} ({'; '.join(streams)})", {"streams": told}) from error
        notes = [
            f"{name}: keys of records that its schema does not have are left out: {names}"
            for name, one in self._deliveries.items()
            if (names := ", ".join(one.spool.undeclared))
        ]
        rows = sum(one.rows for one in self._deliveries.values())
        return LoadResult(rows, tuple(notes), data={"streams": told})


def _packed(state: Document) -> Document:
    """A state as it is stored: as text, which keeps its digits and the order of its keys."""
    return {"state": dump(state)}


def _unpacked(entry: Document) -> Document:
    state: Document = parse(entry["state"].encode())
    return state


_DESTINATION_MODES = {"replace": "overwrite", "append": "append", "merge": "append_dedup"}


def _usual_load(stream: Stream, key: list[str]) -> ConnectorLoad:
    return "merge" if stream.is_incremental and key else "replace"


def _connection(context: Context, name: str) -> ConnectorConnection:
    connection = context.warehouse.connections.named(name)
    if not isinstance(connection, ConnectorConnection):
        raise ConfigurationError(
            f"the connection `{name}` is not a connector (`driver: connector`)"
        )
    return connection


def _log(context: Context, level: Level, text: str) -> None:
    if level != "info":
        context.note(f"{level}: {text}")
