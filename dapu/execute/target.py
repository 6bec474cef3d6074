"""What a warehouse for Execute's documents is, whichever database it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dapu.errors import JobError
from dapu.execute.client import ExecuteAnswer
from dapu.execute.documents import Incoming
from dapu.execute.schema import Schema

DOCUMENTS, MARKS = "EXECUTE_DOCUMENTS", "EXECUTE_SYNC"
LATEST, ALL_VERSIONS = f"{DOCUMENTS}_LATEST", f"{DOCUMENTS}_LATEST_ALL_VERSIONS"


@dataclass(frozen=True)
class MarkStep:
    """How a mark moves with a batch.

    source: the Execute server's address. before: the mark that is stored now; None when none is.
    """

    source: str
    before: str | None
    after: str


class ExecuteTarget(Protocol):
    """A warehouse. Each method commits what it did, or leaves everything as it was."""

    def prepare(self) -> None:
        """Makes the tables that are missing."""
        ...

    def mark(self, source: str) -> str | None:
        """How far a server was read; None when it was not."""
        ...

    def has_marks(self) -> bool:
        """Whether any server was read."""
        ...

    def is_empty(self) -> bool:
        """Whether there is no document."""
        ...

    def load(self, answer: ExecuteAnswer, incoming: Incoming, step: MarkStep) -> None:
        """Stores the documents of an answer, and the mark, as one.

        Raises JobError, and stores nothing, when a document is faulty, the answer ends too
        early, or the mark is not `step.before` any more.
        """
        ...

    def create_views(self, schema: Schema) -> list[str]:
        """Makes the helper views, or makes them anew; returns what could not be done."""
        ...

    def prune(self) -> int | None:
        """Deletes superseded batches; returns the number of rows, if the target reports it."""
        ...

    def stop(self) -> None:
        """Ends the statement that runs, where the driver can; called from another thread."""
        ...

    def close(self) -> None:
        """Lets the connection go."""
        ...


def moved_meanwhile(step: MarkStep) -> JobError:
    """The error for a mark that another process moved."""
    return JobError(
        f"another process has moved the mark of {step.source} on from {step.before or 'nothing'}; "
        "nothing of this answer was kept. Let only one process sync into a warehouse"
    )
