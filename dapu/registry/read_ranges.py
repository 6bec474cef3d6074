"""Which ranges of its sources a task has read, and which are missing between them.

Ranges that overlap or touch are kept as one, so that a task that reads on from run to run has one
row. The order of texts is the source's own: ranges of texts are one where one begins with the very
value with which the other ends, and nothing is said to be missing between others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.registry.ordered_values import from_text, to_text
from dapu.registry.store import Registry


class Range(NamedTuple):
    """Values of a column that were read, both ends included. low: None is from the first one."""

    low: Any
    high: Any


class ReadRange(NamedTuple):
    """A range as it is shown. job: that read of it last."""

    source: str
    column: str
    kind: str
    low: str | None
    high: str
    job: int | None
    read_at: datetime

    @property
    def values(self) -> Range:
        """Its ends as values that compare."""
        low = None if self.low is None else from_text(self.kind, self.low)
        return Range(low, from_text(self.kind, self.high))


class Gap(NamedTuple):
    """What is missing between two ranges: after one value and before the other."""

    source: str
    column: str
    after: str
    before: str


def add(
    cursor: Cursor,
    registry: Registry,
    task: str,
    source: str,
    column: str,
    read: Range,
    job: int,
    *,
    whole: bool,
) -> None:
    """Notes a range in the job's transaction.

    whole: everything was read anew, so that what was read before counts no more.
    """
    kind, _ = to_text(read.high, column)
    rows = registry.rows(cursor, "read_range.of_source", task=task, source=source)
    gone = [number for number, of, its, _, _ in rows if whole or (of, its) != (column, kind)]
    known = {
        number: Range(None if low is None else from_text(kind, low), from_text(kind, high))
        for number, _, _, low, high in rows
        if number not in gone
    }
    merged, replaced = merge(read, known)
    registry.run(cursor, "read_range.forget", numbers=[*gone, *replaced])
    registry.run(
        cursor,
        "read_range.add",
        task=task,
        source=source,
        column=column,
        kind=kind,
        low=None if merged.low is None else to_text(merged.low, column)[1],
        high=to_text(merged.high, column)[1],
        job=job,
    )


def merge(read: Range, known: dict[int, Range]) -> tuple[Range, list[int]]:
    """A range with all that touch it, and the numbers of these."""
    replaced: list[int] = []
    while touching := [n for n in known if n not in replaced and _touch(read, known[n])]:
        for number in touching:
            read = _joined(read, known[number])
        replaced += touching
    return read, replaced


def _touch(one: Range, other: Range) -> bool:
    if isinstance(one.high, str):
        return one == other or one.low == other.high or other.low == one.high
    return _reaches(one, other) and _reaches(other, one)


def _reaches(one: Range, other: Range) -> bool:
    """Whether the first goes up to where the second begins, or further."""
    return other.low is None or bool(one.high >= _before(other.low))


def _joined(one: Range, other: Range) -> Range:
    if isinstance(one.high, str):
        first, last = (other, one) if one.low == other.high else (one, other)
        return Range(first.low, last.high)
    low = None if None in (one.low, other.low) else min(one.low, other.low)
    return Range(low, max(one.high, other.high))


def _before(value: Any) -> Any:
    """The value right before one, where there is such a thing."""
    match value:
        case bool() | float():
            return value
        case datetime():
            return value - timedelta(microseconds=1)
        case date():
            return value - timedelta(days=1)
        case int():
            return value - 1
    return value


def of_task(cursor: Cursor, registry: Registry, task: str) -> list[ReadRange]:
    """What a task has read, in order."""
    found = [ReadRange(*row) for row in registry.rows(cursor, "read_range.of_task", task=task)]
    return sorted(found, key=lambda one: (one.source, one.kind, one.low is not None, *_order(one)))


def _order(one: ReadRange) -> tuple[Any, ...]:
    return () if one.low is None else (one.values.low,)


def gaps(ranges: Sequence[ReadRange]) -> list[Gap]:
    """What is missing between ranges, which stand in their order."""
    found = []
    for (source, column, kind), group in groupby(ranges, lambda r: (r.source, r.column, r.kind)):
        if kind != "text":
            found += [
                Gap(source, column, one.high, other.low or "") for one, other in pairwise(group)
            ]
    return found


def forget_others(cursor: Cursor, registry: Registry, task: str, sources: Collection[str]) -> None:
    """Forgets what a task has read of what it no longer reads. sources: what it reads."""
    registry.run(cursor, "read_range.forget_others", task=task, sources=list(sources))


def reset(cursor: Cursor, registry: Registry, task: str) -> None:
    """The task's next run reads everything."""
    registry.run(cursor, "read_range.reset", task=task)


def take_over(cursor: Cursor, registry: Registry, task: str, old: str) -> None:
    """What a deleted task has read is what another has."""
    registry.run(cursor, "read_range.take_over", task=task, old=old)
