"""What a job found that people may want to be told of: see `notify:` of warehouse.yaml."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2.extensions import cursor as Cursor

from dapu.definitions.models import Task
from dapu.loading.options import LoadOptions
from dapu.loading.result import LoadResult
from dapu.registry import notices, schema_changes
from dapu.registry.agenda import Job
from dapu.registry.store import Registry
from dapu.warehouse.settings import Settings


def note_findings(
    cursor: Cursor,
    registry: Registry,
    job: Job,
    task: Task,
    settings: Settings,
    results: Sequence[LoadResult],
) -> None:
    """Notes how the table changed, and writes notices of what somebody wants to be told.

    All is in the job's transaction.

    results: one for each action. That a job failed, or that its task recovered, is no finding of
    its own: whoever ends it notes that.
    """
    changes = [change for result in results for change in result.schema_changes]
    schema_changes.add(cursor, registry, job.task, job.number, changes)
    wanted = {kind for recipient in settings.notify for kind in recipient.on}
    found = {
        "schema changed": changes,
        "rows rejected": _rejected(task, results) if "rows rejected" in wanted else [],
        "row count unusual": [],
    }
    if "row count unusual" in wanted and not job.full_load and job.backfill is None:
        rows = sum(result.rows for result in results)
        found["row count unusual"] = [notices.unusual(cursor, registry, job.task, rows) or ""]
    for kind, texts in found.items():
        text = "; ".join(filter(None, texts))
        if text and kind in wanted:
            notices.add(cursor, registry, kind, job.task, job.number, text)


def _rejected(task: Task, results: Sequence[LoadResult]) -> list[str]:
    return [
        str(result)
        for action, result in zip(task.actions, results, strict=False)
        if isinstance(action, LoadOptions)
        and action.on_bad_value == "reject"
        and result.data.get("bad rows")
    ]
