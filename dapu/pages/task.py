"""A task's page: why it does not run, how its runs went, what it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from dapu.pages.failure import Failure, failure_of, files_of
from dapu.pages.frame import Reading
from dapu.pages.strip import Chart, charts_of
from dapu.pages.tables import Table, table_of
from dapu.registry import agenda, control, corrections, read_ranges, schema_changes
from dapu.registry.agenda import PastJob
from dapu.registry.events import Event, events_of_task
from dapu.registry.overview import FAILED, Overview, overview
from dapu.registry.schema_changes import SchemaChange
from dapu.registry.task_record import TaskRecord, record_of
from dapu.registry.why import Why, why
from dapu.warehouse.yamlfile import as_yaml

_RUNS, _EVENTS, _LISTED, _CHANGES = 60, 15, 12, 30


class CheckResult(NamedTuple):
    """What a check found last. fault: None where it passed. has_failed: and so did its run."""

    check: str
    job: int
    at: Any
    fault: str | None
    rows: int | None
    has_failed: bool = False


@dataclass(frozen=True)
class TaskPage:
    """All of it.

    jobs: the newest first. failure: of a step in ver/, which is no job's. has_read: whether it
    knows how far it has read a source.
    """

    overview: Overview
    condition: str
    why: Why
    record: TaskRecord
    definition: str
    jobs: list[PastJob]
    charts: list[Chart]
    events: list[Event]
    checks: list[CheckResult]
    ranges: list[read_ranges.ReadRange]
    gaps: list[read_ranges.Gap]
    missed: list[corrections.Correction]
    table: Table | None
    changes: list[SchemaChange]
    usual: timedelta | None
    files: list[tuple[str, str]]
    failure: Failure | None
    has_read: bool
    is_route_paused: bool

    @property
    def tone(self) -> str:
        """The class of the sentence that says why: red, yellow or calm."""
        if self.condition in FAILED:
            return "bad"
        return "" if self.condition == "late" else "calm"

    @property
    def idle_actions(self) -> frozenset[str]:
        """The actions that would change nothing now."""
        idle = {
            "blacklist" if self.overview.blacklisted else "unblacklist",
            "pause" if self.is_route_paused else "resume",
            *(() if self.overview.now else ("cancel",)),
            *(() if self.has_read else ("clear-watermark",)),
        }
        return frozenset(idle)


def task_page(reading: Reading, task: str) -> TaskPage | None:
    """Reads it; None when there is no such task."""
    cursor, registry, settings = reading.cursor, reading.registry, reading.warehouse.settings
    now = reading.frame.at
    reason = why(cursor, registry, settings, task, now)
    record = record_of(cursor, registry, task)
    if reason is None or record is None:
        return None
    (known,) = overview(cursor, registry, settings, now, task)
    jobs = agenda.history(cursor, registry, task, _RUNS)
    events = events_of_task(cursor, registry, task, _EVENTS)
    condition = known.condition(now)
    ranges = read_ranges.of_task(cursor, registry, task)
    return TaskPage(
        known,
        condition,
        reason,
        record,
        as_yaml(record.registered.definition),
        jobs[:_LISTED],
        charts_of(jobs),
        events,
        _checks(reading, task, events),
        ranges,
        read_ranges.gaps(ranges),
        corrections.open_ones(cursor, registry, task),
        table_of(cursor, task),
        schema_changes.of_task(cursor, registry, task, _CHANGES),
        usual_time(jobs),
        files_of(reading, task),
        _failed_step(reading, task, events) if condition == "faulty" else None,
        bool(registry.rows(cursor, "steering.have_read", tasks=[task])),
        control.routes(cursor, registry).get(known.route) is not None,
    )


def _checks(reading: Reading, task: str, events: list[Event]) -> list[CheckResult]:
    """The results of runs that were done, and the check that a later run failed at.

    That run took back what it had noted, so that only its event tells.
    """
    rows = reading.registry.rows(reading.cursor, "page.checks", tasks=[task])
    found = {one.check: one for one in (CheckResult(*row) for _, *row in rows)}
    newest = next((one for one in events if one.level == "error" and one.job is not None), None)
    label = str(((newest and newest.data) or {}).get("check", "")).strip("`")
    if newest is None or not label or newest.job is None:
        return [*found.values()]
    if label not in found or found[label].job < newest.job:
        fault = newest.message.rpartition(f"`{label}` failed: ")[2]
        found[label] = CheckResult(label, newest.job, newest.at, fault, None, has_failed=True)
    return [*found.values()]


def _failed_step(reading: Reading, task: str, events: list[Event]) -> Failure | None:
    newest = next((one for one in events if one.level == "error" and one.job is None), None)
    return newest and failure_of(reading, task, newest.data, None)


def usual_time(jobs: list[PastJob]) -> timedelta | None:
    """The median of what runs took that were done."""
    took = sorted(
        job.ended_at - job.started_at
        for job in jobs
        if job.status == "done" and job.started_at and job.ended_at
    )
    return took[len(took) // 2] if took else None
