"""Asks Execute for all that is new, answer after answer, until there is no more."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from dapu.errors import JobError
from dapu.execute.client import BEGINNING, ExecuteAnswer, ExecuteClient
from dapu.execute.documents import Change, Incoming


@dataclass(frozen=True)
class WantedDocuments:
    """What is asked for.

    limit: the most documents in an answer. chunk_size: the most items of a list in a row.
    calculated: calculated fields too. types: the document types to keep; None keeps all.
    change: what becomes of each document's text before it is stored.
    """

    limit: int = 10_000
    chunk_size: int = 10_000
    calculated: bool = False
    types: Collection[str] | None = None
    change: Change | None = None


@dataclass
class RoundTally:
    """What a round brought. repeated: documents that came again in the answer they were in."""

    answers: int = 0
    documents: int = 0
    repeated: int = 0
    left_out: int = 0

    def add(self, incoming: Incoming) -> None:
        """Counts an answer that was taken."""
        self.answers += 1
        self.documents += incoming.documents
        self.repeated += incoming.repeated
        self.left_out += incoming.left_out


def read_all(
    client: ExecuteClient,
    wanted: WantedDocuments,
    since: str | None,
    take: Callable[[ExecuteAnswer, Incoming], None],
    until: datetime | None = None,
) -> RoundTally:
    """Takes all answers from a mark on.

    since: None reads from the beginning. take: stores the documents of an answer.
    until: the answer whose mark reaches it is the last; None reads all that is there.
    Raises JobError when an answer is faulty; those before it were taken.
    """
    tally, asked = RoundTally(), since or BEGINNING
    while True:
        with client.fetch(asked, wanted.limit, wanted.calculated) as answer:
            check_mark(answer)
            kept = (wanted.types, wanted.change)
            incoming = Incoming(answer.blocks, asked, wanted.chunk_size, *kept)
            take(answer, incoming)
        tally.add(incoming)
        if not answer.truncated or _reaches(answer.mark, until):
            return tally
        asked = answer.mark


def check_mark(answer: ExecuteAnswer) -> None:
    """Raises JobError when an answer's mark cannot be followed."""
    if answer.truncated and answer.mark == answer.since:
        raise JobError(
            f"Execute's answer to since={answer.since} is truncated, and its mark has not moved: "
            "more documents changed at that moment than one answer may have. Raise the limit"
        )
    before, after = as_moment(answer.since), as_moment(answer.mark)
    if before and after and after < before:
        raise JobError(
            f"Execute's mark goes back, from {answer.since} to {answer.mark}; nothing was taken. "
            "If its database was restored to an earlier state, read everything once again"
        )


def as_moment(mark: str) -> datetime | None:
    """A mark as a time, in UTC where it has no zone; None when it is not a time."""
    try:
        moment = datetime.fromisoformat(mark)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _reaches(mark: str, until: datetime | None) -> bool:
    moment = as_moment(mark)
    return until is not None and moment is not None and moment >= until
