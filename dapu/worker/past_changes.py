"""What a job changed of its table's past, for the tasks that read only its news."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2.extensions import cursor as Cursor

from dapu.definitions.models import Task
from dapu.loading.options import LoadOptions
from dapu.loading.result import LoadResult
from dapu.registry import corrections
from dapu.registry.agenda import Job
from dapu.registry.corrections import PastChange
from dapu.registry.events import storable_event
from dapu.registry.store import Registry


def note_past_change(
    cursor: Cursor, registry: Registry, job: Job, task: Task, results: Sequence[LoadResult]
) -> None:
    """Warns those that do not see the change, and ends the warnings that this job has answered.

    In the job's transaction. results: one for each action.
    """
    if job.full_load or job.backfill is not None:
        corrections.settle(cursor, registry, job.number)
    change = _past_change(job, task, results) if job.is_master else None
    if change is None:
        return
    for missed in corrections.add(cursor, registry, job.task, change, job.number):
        event = storable_event(None, str(missed), None)
        registry.run(
            cursor, "event.add", job=None, task=missed.task, level="warning", **event._asdict()
        )


def _past_change(job: Job, task: Task, results: Sequence[LoadResult]) -> PastChange | None:
    incremental = [
        (action.watermark.column, result)
        for action, result in zip(task.actions, results, strict=True)
        if isinstance(action, LoadOptions) and action.watermark is not None
    ]
    if any(result.deleted for result in results):
        return PastChange("deletes")
    if job.backfill is not None and incremental:
        return PastChange("range", job.backfill, incremental[0][0])
    if any(result.read_anew for _, result in incremental):
        return PastChange("full")
    return None


def still_missing(cursor: Cursor, registry: Registry, job: Job, task: Task) -> list[str]:
    """What the job's outcome says of changes that it did not see; nothing of one that reads all."""
    if job.full_load or not task.depends:
        return []
    return [
        f"not read again: {missed}" for missed in corrections.open_ones(cursor, registry, job.task)
    ]
