"""One stream of a connector on its way into its table: what has come, and what is kept.

Rows and the state that they lead to are one commit. A stream that is read as a whole (`replace`) is
kept when it is complete; one that goes on from the last run is kept at its states.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from psycopg2.extensions import cursor as Cursor

from dapu.agents.streams import early
from dapu.agents.streams.plan import StreamPlan
from dapu.errors import JobError
from dapu.loading.load import Scope, load
from dapu.loading.options import LoadOptions
from dapu.loading.result import LoadResult
from dapu.rows.rows import CopyRows
from dapu.sources.connectors.messages import Document, State, StreamRecord
from dapu.sources.connectors.records import RecordSpool
from dapu.sources.connectors.streams import Stream
from dapu.statement import TableName

ROWS, SECONDS = 100_000, 30.0  # since the last commit, after which a state is worth one
_MOST_ROWS = 500_000  # without a state: to merge them again does no harm
Status = Literal["SUCCESS", "PARTIAL", "FAILED", "CANCELLED", "TIME_EXCEEDED"]


@dataclass(eq=False)
class Delivery:
    """A stream on its way. exists: whether its table is there."""

    plan: StreamPlan
    spool: RecordSpool
    has_steps: bool
    exists: bool

    hash_key: bytes | None = None
    """The secret for hashed columns."""

    generation: int = 0
    """The job that read the stream from its beginning: a connector is given it."""

    starts_anew: bool = True
    """Whether the stream is read from its beginning."""

    has_own_state: bool = False
    """Whether its states are of itself alone, and not of all streams together."""

    state: Document | None = None
    """The last state of its own, kept or not."""

    is_complete: bool = False
    error: str | None = None
    interruption: Literal["CANCELLED", "TIME_EXCEEDED"] | None = None
    """How the job was ended from outside, if it was."""

    rows: int = 0
    """Committed in this run."""

    notes: list[str] = field(default_factory=list)
    is_marked: bool = False
    """Whether a state that stands for its rows came in this run."""

    bytes: int = 0
    """Of the rows that were committed, as COPY's text."""

    _early: early.EarlyLoad | None = None
    _is_refused: bool = False
    _since_state: int = 0
    _kept_at: float = field(default_factory=time.monotonic)
    _has_begun: bool = False

    @property
    def stream(self) -> Stream:
        """The stream that is read."""
        return self.plan.stream

    @property
    def table(self) -> TableName:
        """Where its rows go."""
        return self.plan.table

    @property
    def options(self) -> LoadOptions:
        """How they get into the table."""
        return self.plan.options

    @property
    def waits_for_end(self) -> bool:
        """Whether its rows replace the table as a whole, once they are complete."""
        return self.options.load == "replace"

    def go_on(self, state: Document | None) -> None:
        """The stream is read from where the last run ended. state: of its own, if there is one."""
        self.state = state
        self.has_own_state = state is not None
        self.starts_anew = False

    def take(self, record: StreamRecord) -> None:
        """One more record."""
        if self.is_complete:
            raise JobError(f"the stream {self.stream.name} goes on after it was complete")
        if self._is_refused:
            return
        if self.plan.stamp is not None:
            record.data[self.plan.stamp] = datetime.now(UTC).isoformat()
        self.spool.add(record.data)
        self._since_state += 1

    def take_state(self, state: State) -> None:
        """The records so far lead to this state. Raises JobError when some did not arrive."""
        if state.message == self.state and not self._since_state:
            return  # a status that was reported before
        count = state.record_count
        if count is not None and count != self._since_state and not self._is_refused:
            raise JobError(
                f"the connector counts {count:,} records of the stream {self.stream.name} before "
                f"this state, and {self._since_state:,} came"
            )
        self.state, self.has_own_state = state.message, True
        self.mark()

    def mark(self) -> None:
        """A state stands for the records so far."""
        self._since_state, self.is_marked = 0, True
        self.spool.mark()

    @property
    def is_due(self) -> bool:
        """Whether what has come is worth a commit."""
        is_old = time.monotonic() - self._kept_at > SECONDS
        return not self.waits_for_end and (self.spool.count >= ROWS or is_old)

    @property
    def is_covered(self) -> bool:
        """Whether its rows can be kept now: none of them would come a second time."""
        if self.waits_for_end:
            return self.is_complete
        return self.options.load == "merge" or (self.is_marked and not self._since_state)

    @property
    def overflows(self) -> bool:
        """Whether rows are to be kept though no state came: they may be read again."""
        return self.options.load == "merge" and self.spool.count >= _MOST_ROWS

    @property
    def can_load(self) -> bool:
        """Whether its rows may go into the table now."""
        return not self._is_refused and (self.is_complete or not self.waits_for_end)

    def let_go_of_uncovered(self) -> None:
        """The connector goes on from its last state: what came after it will come again."""
        self.spool.back_to_mark()
        self._since_state = 0

    def refuse(self, error: str) -> None:
        """Its rows do not fit its table: it fails, and what else comes of it is passed over."""
        self.error, self._is_refused = self.error or error, True
        self.spool.clear()

    @property
    def is_refused(self) -> bool:
        """Whether its rows did not fit its table."""
        return self._is_refused

    def load(self, cursor: Cursor) -> None:
        """Puts the rows that came into the table, in the job's transaction."""
        replaces = not self._has_begun and self.replaces_table
        if not self.spool.count and not replaces and (self.exists or self._has_begun):
            return
        begun, self._early = self._early, None
        result = begun.finish() if begun else None
        if result is None:
            result = self._load(cursor, self.spool.rows())
        self._has_begun = True
        self.notes += [note for note in result.notes if note not in self.notes]

    def _load(self, cursor: Cursor, rows: CopyRows) -> LoadResult:
        replaces = not self._has_begun and self.replaces_table
        options = self.options.model_copy(update={"load": "replace"}) if replaces else self.options
        scope: Scope = "full" if self.starts_anew else "incremental"
        where, steps = (cursor, self.table, rows, options), self.has_steps
        return load(*where, has_steps=steps, scope=scope, hash_key=self.hash_key)

    @property
    def is_fast(self) -> bool:
        """Whether just now so many records came that a load is worth beginning before the end."""
        return (
            self.spool.count == early.RECORDS
            and self.waits_for_end
            and time.monotonic() - self._kept_at < early.SOON
        )

    def begin_load(self, cursor: Cursor) -> None:
        """Loads beside what else comes. The session is in use until `load` or `end_load`."""
        self._early = early.EarlyLoad(cursor, self.spool, self._load)
        self._early.start()

    def end_load(self) -> None:
        """Takes back a load that began early, if there is one: the stream is not complete."""
        if self._early is not None:
            self._early.abandon()
            self._early = None

    @property
    def replaces_table(self) -> bool:
        """Whether the first rows of this run replace those of the table.

        Appended rows do so too when the stream is read from its beginning: the table has them.
        """
        return self.waits_for_end or (self.options.load == "append" and self.starts_anew)

    def kept(self) -> None:
        """What was loaded is committed."""
        self.rows += self.spool.count
        self.bytes += self.spool.size
        self.spool.clear()
        self._kept_at = time.monotonic()

    @property
    def status(self) -> Status:
        """How it went, once the connector has ended."""
        if self.error is None and self.is_complete:
            return "SUCCESS"
        if self.interruption is not None:
            return self.interruption
        return "PARTIAL" if self.rows else "FAILED"

    def summary(self) -> Document:
        """For the event and the agenda."""
        found = {"table": str(self.table), "rows": self.rows, "status": self.status}
        found |= {"bytes": self.bytes} if self.bytes else {}
        return found | ({"error": self.error} if self.error else {})
