"""Tasks that read only what is new, and whose masters' past changed since they read it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from dapu.registry.store import Registry

Reason = Literal["range", "full", "deletes"]
Backfill = dict[str, str | None]
"""The values `from` and `to` of the watermark's column between which rows are read again."""


class PastChange(NamedTuple):
    """What a job changed of its table's past."""

    reason: Reason

    backfill: Backfill | None = None
    """The range that it read again; None: anything may have changed."""

    column: str | None = None
    """The column whose values the range has."""


class Correction(NamedTuple):
    """What a task has not read again since its master's past changed."""

    task: str
    master: str
    reason: Reason

    backfill: Backfill | None
    """The values of the task's own watermark to read again; None: everything."""

    @property
    def why(self) -> str:
        """What happened, for a person."""
        done = {
            "range": f"{self.master} read a range again",
            "full": f"{self.master} read everything again",
            "deletes": f"rows of {self.master} were deleted",
        }
        return f"{done[self.reason]}, and this task reads only what is new"

    @property
    def command(self) -> str:
        """The command that makes it good."""
        options = "--rebuild" if self.reason == "deletes" else options_of(self.backfill)
        return f"dapu run DIR {self.task} {options} --downstream"

    def __str__(self) -> str:
        return f"{self.why}: `{self.command}`"


def options_of(backfill: Backfill | None) -> str:
    """The options of `dapu run` that read a range; of None, everything."""
    if backfill is None:
        return "--full"
    return " ".join(f"--{end} {backfill[end]}" for end in ("from", "to") if backfill.get(end))


class TaskBelow(NamedTuple):
    """A task that depends on another, or that task itself.

    columns: of its watermarks. readers: how many of its actions read a source.
    """

    task: str
    state: str
    fault: str | None
    blacklisted: bool
    columns: list[str]
    readers: int
    masters: list[str]

    def reads_range_of(self, column: str | None) -> bool:
        """Whether a range of this column is a range of all that it reads."""
        return bool(self.columns) and self.columns == [column] * self.readers


def add(
    cursor: Cursor, registry: Registry, task: str, change: PastChange, job: int
) -> list[Correction]:
    """Notes a change at those it concerns; returns those that no waiting job will correct."""
    rows = registry.rows(
        cursor,
        "correction.add",
        task=task,
        reason=change.reason,
        backfill=None if change.backfill is None else Json(change.backfill),
        column=change.column,
        job=job,
    )
    return [Correction(*row) for row in rows]


def settle(cursor: Cursor, registry: Registry, job: int) -> None:
    """Forgets what a job of the dependent has read again."""
    registry.run(cursor, "correction.settle", job=job)


def open_ones(
    cursor: Cursor, registry: Registry, task: str | None = None, job: int | None = None
) -> list[Correction]:
    """What is not corrected yet: of a task, after a job of a master, or all."""
    rows = registry.rows(cursor, "correction.open", task=task, job=job)
    return [Correction(*row) for row in rows]


def below(cursor: Cursor, registry: Registry, task: str) -> list[TaskBelow]:
    """A task and all that depend on it, directly or not."""
    return [TaskBelow(*row) for row in registry.rows(cursor, "correction.below", task=task)]
