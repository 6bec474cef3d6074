"""The outbox: what people are to be told of, and the messages that do.

A notice is written in the commit of what it tells. A sender collects those that a recipient was not
told yet into a message, says that it begins, sends it, and says that it was taken, each in a commit
of its own. A sender that is killed before it begins has sent nothing; one that is killed after that
leaves a message of which nobody knows whether it arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.registry.storable import storable
from dapu.registry.store import Registry

_LEAST_RUNS = 5  # before it is known how many rows are usual
_TIMES = 3  # more than usual, or less, is unusual
_FEW = 10  # rows, by which any number may differ


class Notice(NamedTuple):
    """What somebody is told of."""

    kind: str
    task: str
    job: int | None
    at: datetime
    message: str


class OpenMessage(NamedTuple):
    """A message that was not taken. is_doubtful: a sender was killed while it was on its way."""

    number: int
    is_doubtful: bool
    is_due: bool
    tries: int


class Unsent(NamedTuple):
    """Messages that a recipient did not take."""

    recipient: str
    messages: int
    since: datetime
    error: str | None


def add(
    cursor: Cursor,
    registry: Registry,
    kind: str,
    task: str,
    job: int | None,
    message: str,
    occasion: str | None = None,
) -> None:
    """Writes a notice in the caller's transaction, once for each occasion; default the job."""
    registry.run(
        cursor,
        "notice.add",
        kind=kind,
        task=task,
        job=job,
        occasion=occasion or str(job),
        message=storable(message),
    )


def unusual(cursor: Cursor, registry: Registry, task: str, rows: int) -> str | None:
    """Says so when a run brought many more rows than the ones before, or far fewer."""
    usual = [row[0] for row in registry.rows(cursor, "notice.usual_rows", task=task)]
    if len(usual) < _LEAST_RUNS:
        return None
    from statistics import median

    middle = median(usual)
    if abs(rows - middle) < _FEW or middle / _TIMES <= rows <= middle * _TIMES:
        return None
    return f"{rows:,} rows, where {middle:,.0f} are usual"


def collect(
    cursor: Cursor,
    registry: Registry,
    recipient: str,
    kinds: Sequence[str],
    tasks: Sequence[str] | None,
    wait: timedelta,
) -> None:
    """Makes a message of what a recipient was not told yet.

    wait: how old the oldest must be. tasks: those it wants to hear of; None: all.
    """
    registry.run(
        cursor,
        "notice.collect",
        recipient=recipient,
        kinds=list(kinds),
        tasks=None if tasks is None else list(tasks),
        wait=wait,
    )


def open_message(cursor: Cursor, registry: Registry, recipient: str) -> OpenMessage | None:
    """The oldest message that a recipient has not taken."""
    row = registry.row(cursor, "notice.open_message", recipient=recipient)
    return None if row is None else OpenMessage(*row)


def of_message(cursor: Cursor, registry: Registry, message: int) -> list[Notice]:
    """What a message tells."""
    rows = registry.rows(cursor, "notice.of_message", message=message)
    return [Notice(*row) for row in rows]


def unsent(cursor: Cursor, registry: Registry) -> list[Unsent]:
    """Whom messages could not be sent."""
    return [Unsent(*row) for row in registry.rows(cursor, "notice.unsent")]


def prune(cursor: Cursor, registry: Registry, age: timedelta) -> None:
    """Deletes notices past their age, and the messages of them."""
    registry.run(cursor, "notice.prune", age=age)
    registry.run(cursor, "notice.prune_messages", age=age)
