"""One reading of a connector's streams: messages come, rows and states are kept together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Literal

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dapu.agents.base import Context
from dapu.agents.streams.delivery import Delivery
from dapu.agents.streams.early import is_new
from dapu.agents.streams.log import ConnectorLog
from dapu.agents.streams.options import ConnectorOptions
from dapu.agents.streams.plan import StreamPlan, plan_streams
from dapu.agents.streams.states import States
from dapu.errors import JobError, JobInterrupted, JobTimedOut, WrongBackfill
from dapu.loading.result import LoadResult
from dapu.loading.table.relation import describe
from dapu.registry import source_state
from dapu.sources.connectors.connector import Connector
from dapu.sources.connectors.messages import (
    ConnectorFailure,
    Document,
    Message,
    State,
    StreamName,
    StreamRecord,
    StreamStatus,
)
from dapu.sources.connectors.open import open_connector
from dapu.sources.connectors.process import SilentConnector
from dapu.sources.connectors.records import IN_MEMORY, RecordSpool
from dapu.text import counted

_DESTINATION_MODES = {"replace": "overwrite", "append": "append", "merge": "append_dedup"}


def read_streams(context: Context, options: ConnectorOptions) -> LoadResult:
    """Reads the streams of a connector, and keeps them as far as its states say.

    Raises JobError when a stream failed; what was kept of it and of others stays.
    """
    if context.backfill is not None:
        raise WrongBackfill("--from and --to need an action with a `watermark`")
    name = options.connection or context.action.connection
    connector = open_connector(context.warehouse, name, ConnectorLog(context.note), options.do)
    with context.stoppable(connector.stop), ExitStack() as stack:
        plans = plan_streams(options, context.table, connector.streams())
        return StreamReading(context, plans, connector, stack).run()


class StreamReading:
    """One reading. stack: what is to be closed at its end."""

    def __init__(
        self,
        context: Context,
        plans: Sequence[StreamPlan],
        connector: Connector,
        stack: ExitStack,
    ) -> None:
        self._context, self._plans, self._connector = context, plans, connector
        self._stack = stack
        self._deliveries: dict[StreamName, Delivery] = {}
        self._states = States(context.state_before.entries)
        self._has_statuses = False

    def run(self) -> LoadResult:
        """Reads to the end. Raises JobError when a stream failed."""
        with self._context.session.cursor() as cursor:
            states = self._prepare(cursor)
            error: JobError | None = None
            try:
                with self._connector.read(self._catalog(), states) as messages:
                    for message in messages:
                        self._take(cursor, message)
                self._complete()
                self._end_early_loads()
            except (JobError, psycopg2.Error) as failure:
                error = self._failure(failure)
            self._keep_the_rest(cursor, is_whole=error is None)
        return self._result(error)

    def _prepare(self, cursor: Cursor) -> list[Document]:
        """Returns the states from which the connector goes on."""
        for plan in self._plans:
            self._deliveries[plan.stream.name] = self._delivery(cursor, plan)
        every = list(self._deliveries.values())
        existing = {one.stream.name for one in every if one.exists}
        self._states.begin(every, existing)
        states = self._states.to_send(every, existing)
        for delivery in every:
            if delivery.starts_anew:
                delivery.generation = self._context.job.number
        return states

    def _delivery(self, cursor: Cursor, plan: StreamPlan) -> Delivery:
        stream, table = plan.stream, plan.table
        relation = describe(cursor, table)
        types = {column.name: column.type for column in relation.columns} if relation else {}
        in_memory = IN_MEMORY // len(self._plans)
        spool = RecordSpool(stream.name, plan.columns(), types, in_memory)
        self._stack.callback(spool.close)
        has_steps = self._context.action.has_steps and table == self._context.table
        exists, hash_key = relation is not None, self._context.hash_key
        delivery = Delivery(plan, spool, has_steps, exists, hash_key)
        self._stack.callback(delivery.end_load)
        return delivery

    def _catalog(self) -> Document:
        """The configured catalog: which streams are read, and how."""
        return {"streams": [self._configured(one) for one in self._deliveries.values()]}

    def _configured(self, delivery: Delivery) -> Document:
        stream, is_whole = delivery.stream, delivery.waits_for_end
        # A new generation replaces the rows of those before it.
        least = delivery.generation if delivery.replaces_table else 0
        return {
            "stream": stream.document,
            "sync_mode": "full_refresh" if is_whole else "incremental",
            "destination_sync_mode": _DESTINATION_MODES[delivery.options.load],
            "cursor_field": list(stream.cursor),
            "primary_key": [list(path) for path in stream.key],
            "generation_id": delivery.generation,
            "minimum_generation_id": least,
            "sync_id": self._context.job.number,
        }

    def _take(self, cursor: Cursor, message: Message) -> None:
        match message:
            case StreamRecord():
                delivery = self._of(message.stream)
                delivery.take(message)
                if delivery.overflows:
                    self._keep(cursor, [delivery])
                elif delivery.is_fast and self._has_session(cursor):
                    delivery.begin_load(cursor)
            case State():
                self._take_state(cursor, message)
            case StreamStatus():
                self._take_status(cursor, message)
            case ConnectorFailure() if message.stream is not None:
                delivery = self._of(message.stream)
                delivery.error = delivery.error or message.message

    def _has_session(self, cursor: Cursor) -> bool:
        """Whether nothing but one stream is to be written in the transaction."""
        return len(self._deliveries) == 1 and is_new(cursor)

    def _take_state(self, cursor: Cursor, state: State) -> None:
        if state.stream is not None:
            delivery = self._of(state.stream)
            delivery.take_state(state)
            if delivery.is_due:
                self._keep(cursor, [delivery])
            return
        self._states.of_all = state.message
        shared = self._shared
        for delivery in shared:
            delivery.mark()
        if all(one.is_covered for one in shared) and any(one.is_due for one in shared):
            self._keep(cursor, shared, with_all=True)

    @property
    def _shared(self) -> list[Delivery]:
        """The streams that a state of all streams stands for."""
        return [one for one in self._deliveries.values() if not one.has_own_state]

    def _take_status(self, cursor: Cursor, status: StreamStatus) -> None:
        self._has_statuses = True
        delivery = self._of(status.stream)
        if status.status == "COMPLETE":
            delivery.is_complete = True
            # Rows that only a state of all streams stands for wait for it.
            if delivery.waits_for_end or (delivery.has_own_state and delivery.is_covered):
                self._keep(cursor, [delivery])
        elif status.status == "INCOMPLETE":
            delivery.error = delivery.error or "the connector reports that it is incomplete"

    def _complete(self) -> None:
        """The connector has ended well: where it reports no status, all streams are complete."""
        for delivery in self._deliveries.values():
            if delivery.error is not None:
                continue
            if not self._has_statuses:
                delivery.is_complete = True
            elif not delivery.is_complete:
                delivery.error = "the connector ended without reporting that it is complete"

    def _end_early_loads(self) -> None:
        """The reading has ended: what is not complete is not loaded."""
        for delivery in self._deliveries.values():
            if not delivery.can_load:
                delivery.end_load()

    def _keep_the_rest(self, cursor: Cursor, *, is_whole: bool) -> None:
        """At the end: all rows where all went well, else what the states stand for.

        A state of all streams is kept only when none of its streams has failed: its rows would
        be lost. Where one has, rows that are appended come again with it.
        """
        every = list(self._deliveries.values())
        is_whole = is_whole and all(one.error is None for one in every)
        # What was read as a whole needs no state; what is not complete is not loaded.
        on_states = [one for one in every if not one.waits_for_end and not _is_done(one)]
        if not is_whole:
            for delivery in on_states:
                delivery.let_go_of_uncovered()
            every = [one for one in every if one not in on_states or one.is_marked]
        for delivery in every:
            if delivery.waits_for_end or delivery.has_own_state:
                self._keep(cursor, [delivery])
        shared = [one for one in every if not one.waits_for_end and not one.has_own_state]
        with_all = self._states.of_all is not None
        if with_all and all(one.can_load for one in self._shared):
            self._keep(cursor, shared, with_all=True)
        elif not with_all:
            for delivery in shared:
                self._keep(cursor, [delivery])

    def _keep(self, cursor: Cursor, given: list[Delivery], *, with_all: bool = False) -> None:
        """Commits rows and the states that they lead to, together."""
        ready = [one for one in given if one.can_load]
        for delivery in ready:
            try:
                delivery.load(cursor)
            except JobError as error:
                self._context.job.stops.check()
                self._context.session.rollback()
                delivery.refuse(str(error))
                if with_all:
                    raise  # the state stands for the rows of all
                return
        context, job = self._context, self._context.job
        entries = self._states.entries(ready, with_all=with_all)
        if entries:
            where = (context.action.task, context.action.source)
            source_state.remember(cursor, job.registry, *where, entries, job.number)
        job.keep()
        for delivery in ready:
            delivery.kept()

    def _failure(self, failure: JobError | psycopg2.Error) -> JobError:
        """What ended the reading. Raises it anew where nothing more is to be kept."""
        context = self._context
        self._end_early_loads()
        if context.session.closed:
            raise failure
        context.session.rollback()
        try:
            context.job.stops.check()
        except JobInterrupted as interrupted:
            is_late = isinstance(interrupted, JobTimedOut)
            self._interrupt("TIME_EXCEEDED" if is_late else "CANCELLED")
            context.note(f"the streams when it was stopped: {self._in_a_line()}", self._summaries())
            raise
        if isinstance(failure, psycopg2.Error):
            raise failure
        if isinstance(failure, SilentConnector):
            self._interrupt("TIME_EXCEEDED")
        return failure

    def _interrupt(self, how: Literal["CANCELLED", "TIME_EXCEEDED"]) -> None:
        for delivery in self._deliveries.values():
            delivery.interruption = how

    def _of(self, stream: StreamName) -> Delivery:
        if stream not in self._deliveries:
            raise JobError(f"the connector sent of the stream {stream}, which was not asked for")
        return self._deliveries[stream]

    def _summaries(self) -> dict[str, Any]:
        return {"streams": {str(name): one.summary() for name, one in self._deliveries.items()}}

    def _in_a_line(self) -> str:
        every = self._deliveries.items()
        return "; ".join(f"{name} {one.status}, {counted(one.rows, 'row')}" for name, one in every)

    def _result(self, error: JobError | None) -> LoadResult:
        every = self._deliveries.items()
        bad = [f"{name}: {one.error}" for name, one in every if one.status != "SUCCESS"]
        if error is not None or bad:
            first = str(error) if error else bad[0]
            raise JobError(f"{first} ({self._in_a_line()})", self._summaries()) from error
        notes = [
            f"{name}: keys of records that its schema does not have are left out: {names}"
            for name, one in every
            if (names := ", ".join(one.spool.undeclared))
        ]
        notes += [f"{name}: {note}" for name, one in every for note in one.notes]
        rows = sum(one.rows for one in self._deliveries.values())
        return LoadResult(rows, tuple(notes), data=self._summaries())


def _is_done(delivery: Delivery) -> bool:
    """Whether a stream with states of its own has ended well, whatever the others do."""
    return delivery.has_own_state and delivery.is_complete and delivery.error is None
