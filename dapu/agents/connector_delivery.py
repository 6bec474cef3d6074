"""One stream of a connector on its way into its table: what has come, and what is kept.

Rows and the state that they lead to are one commit. A stream that is read anew (`replace`) is kept
when it is complete; one that goes on from the last reading is kept at its states.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.loading.load import load
from dapu.loading.options import LoadOptions
from dapu.sources.connectors.messages import Document, Record, State
from dapu.sources.connectors.records import RecordSpool
from dapu.sources.connectors.streams import Stream
from dapu.statement import TableName

ROWS, SECONDS = 100_000, 30.0  # since the last commit, after which a state is worth one
_MOST_ROWS = 500_000  # without a state: a merge of them again does no harm
Outcome = Literal["SUCCESS", "PARTIAL", "FAILED"]


@dataclass
class Delivery:
    """A stream on its way."""

    stream: Stream
    table: TableName
    options: LoadOptions
    spool: RecordSpool
    has_steps: bool

    state: Document | None = None
    """The last state that came, which is not kept yet."""

    is_complete: bool = False
    error: str | None = None
    rows: int = 0
    """Committed in this run."""

    notes: list[str] = field(default_factory=list)
    _since_state: int = 0
    _kept_at: float = field(default_factory=time.monotonic)
    _has_begun: bool = False

    @property
    def waits_for_end(self) -> bool:
        """Whether its rows replace the table as a whole."""
        return self.options.load == "replace"

    def take(self, record: Record) -> None:
        """One more record."""
        if self.is_complete:
            raise JobError(f"the stream {self.stream.name} goes on after it was complete")
        self.spool.add(record.data)
        self._since_state += 1

    def take_state(self, state: State) -> None:
        """The records so far lead to this state. Raises JobError when some did not arrive."""
        if state.record_count is not None and state.record_count != self._since_state:
            raise JobError(
                f"the connector says that it sent {state.record_count:,} records of the stream "
                f"{self.stream.name} before this state, and {self._since_state:,} came"
            )
        self._since_state = 0
        self.state = state.message
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
        return self.options.load == "merge" or (self.state is not None and not self._since_state)

    @property
    def overflows(self) -> bool:
        """Whether rows are to be kept though no state came: they may be read again."""
        return self.options.load == "merge" and self.spool.count >= _MOST_ROWS

    def load(self, cursor: Cursor) -> None:
        """Puts the rows that came into the table, in the job's transaction."""
        if not self.spool.count and (self._has_begun or not self.waits_for_end):
            return
        result = load(
            cursor,
            self.table,
            self.spool.rows(),
            self.options,
            has_steps=self.has_steps,
            scope="full" if self.waits_for_end else "incremental",
        )
        self._has_begun = True
        self.notes += result.notes if self.waits_for_end else ()

    def kept(self) -> None:
        """What was loaded is committed."""
        self.rows += self.spool.count
        self.spool.clear()
        self.state = None
        self._kept_at = time.monotonic()

    @property
    def outcome(self) -> Outcome:
        """How it went, once the connector has ended."""
        if self.error is None and self.is_complete:
            return "SUCCESS"
        return "PARTIAL" if self.rows else "FAILED"

    def summary(self) -> Document:
        """For the event and the agenda."""
        told = {"table": str(self.table), "rows": self.rows, "status": self.outcome}
        return told | ({"error": self.error} if self.error else {})
