"""The Manager: queues every task that is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg2.extensions import cursor as Cursor

from dapu.components.notifier import note_late
from dapu.registry import agenda, control, tasks, workers
from dapu.registry.overview import overview
from dapu.registry.store import Registry
from dapu.registry.version import check_registry, registry_of
from dapu.warehouse.clock import day_parts_at, next_cron_time
from dapu.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class ManagerRound:
    """What the Manager did. Each pair is (job, task)."""

    queued: list[tuple[int, str]]
    failed: list[tuple[int, str]]
    freed: list[tuple[int, str, str]]
    paused_by: str | None = None
    override_faults: Sequence[str] = ()

    @property
    def has_failures(self) -> bool:
        """Whether a job has failed for good."""
        return bool(self.failed) or any(status == "failed" for _, _, status in self.freed)


def queue_due_tasks(warehouse: Warehouse, now: datetime | None = None) -> ManagerRound:
    """Frees the jobs of dead workers, fails those without tries left, and queues what is due.

    now: the time to go by, with a zone; default the machine's.
    """
    registry = registry_of(warehouse)
    at = now or datetime.now(UTC)
    with warehouse.session("manager") as session, session, session.cursor() as cursor:
        check_registry(cursor, registry)
        freed = workers.free_jobs_of_the_dead(cursor, registry)
        failed = agenda.fail_exhausted(cursor, registry)
        agenda.cancel_followers(cursor, registry)
        pause = control.paused(cursor, registry)
        if pause is not None:
            return ManagerRound([], failed, freed, paused_by=pause.get("by"))
        crons = tasks.due_crons(cursor, registry, at)
        parts = day_parts_at(warehouse.settings, at)
        queued = agenda.queue_due(cursor, registry, at, parts)
        _set_next_crons(cursor, registry, crons, {task for _, task in queued}, at, warehouse)
        if any("late" in recipient.on for recipient in warehouse.settings.notify):
            note_late(cursor, registry, overview(cursor, registry, warehouse.settings, at), at)
        faults = tasks.faulty_overrides(cursor, registry, warehouse.settings.day_parts)
        return ManagerRound(queued, failed, freed, override_faults=faults)


def _set_next_crons(
    cursor: Cursor,
    registry: Registry,
    due: list[tuple[str, str]],
    queued: set[str],
    at: datetime,
    warehouse: Warehouse,
) -> None:
    """A cron task that was queued waits for its next time; one that was held back stays due."""
    settings = warehouse.settings
    times = {task: next_cron_time(cron, at, settings) for task, cron in due if task in queued}
    tasks.set_next_crons(cursor, registry, times)
