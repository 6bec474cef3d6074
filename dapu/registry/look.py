"""What went wrong since somebody looked last, each thing once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.registry.overview import Overview
from dapu.registry.store import Registry

_MARGIN = timedelta(minutes=10)  # a job may be committed later than it says that it ended


class Trouble(NamedTuple):
    """What is wrong. Each has a task, and what there is to say of it."""

    failed: list[tuple[str, str]]
    late: list[tuple[str, str]]

    def __bool__(self) -> bool:
        return bool(self.failed or self.late)


def new_trouble(
    cursor: Cursor, registry: Registry, selection: str, tasks: Sequence[Overview], at: datetime
) -> Trouble:
    """What failed or became late among tasks since the last look at the same selection.

    It is remembered when the caller commits. The first look reports all that is wrong now.
    """
    row = registry.row(cursor, "look.last", selection=selection)
    seen_at, seen_jobs, seen_late, seen_faulty = row or (None, [], [], [])
    names = {one.task for one in tasks}
    since = (seen_at or at) - _MARGIN
    jobs = [
        one
        for one in registry.rows(cursor, "look.failed_jobs", since=since)
        if one[1] in names and one[0] not in seen_jobs
    ]
    failed = [(task, message or "") for _, task, message in jobs]
    if seen_at is None:
        failed = [(t.task, t.message or "") for t in tasks if t.last_status in ("failed", "lost")]
    faulty = {one.task: one.fault for one in tasks if one.fault is not None}
    failed += [(task, fault) for task, fault in faulty.items() if task not in seen_faulty]
    late = {
        one.task: f"{why[0]} {why[1]:%Y-%m-%d %H:%M}"
        for one in tasks
        if (why := one.late_since(at)) is not None
    }
    registry.run(
        cursor,
        "look.remember",
        selection=selection,
        at=at,
        jobs=[job for job, _, _ in registry.rows(cursor, "look.failed_jobs", since=at - _MARGIN)],
        late=list(late),
        faulty=list(faulty),
    )
    return Trouble(failed, [(task, text) for task, text in late.items() if task not in seen_late])
