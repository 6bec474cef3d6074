"""`dapu status DIR TASK`: all that is known of one task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any

from dapu.cli.console import say, show_json, show_table

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from dapu.registry.read_ranges import ReadRange
    from dapu.registry.store import Registry
    from dapu.registry.task_record import Mark, Registered, Relative, TaskRecord
    from dapu.registry.why import Why
    from dapu.warehouse.warehouse import Warehouse

_JOBS, _EVENTS, _CHANGES = 10, 30, 10
_SHORT_HASH = 8  # characters, as git shows them
_CLOCK = ("due", "day_part", "cron", "pause", "not_before")  # reasons that end by themselves


def show_task(
    cursor: Cursor, registry: Registry, warehouse: Warehouse, task: str, as_json: bool
) -> None:
    """Prints the page. Raises ConfigurationError for a task that does not exist."""
    from dapu.registry import agenda, corrections, read_ranges, schema_changes, tasks
    from dapu.registry.events import events_of_task
    from dapu.registry.overview import overview as overview_of
    from dapu.registry.task_record import record_of
    from dapu.registry.why import why
    from dapu.suggest import unknown_task

    settings = warehouse.settings
    now = datetime.now(UTC)
    reason = why(cursor, registry, settings, task, now)
    record = record_of(cursor, registry, task)
    if record is None or reason is None:
        raise unknown_task(task, tasks.names(cursor, registry))
    overview = overview_of(cursor, registry, settings, now, task)[0]
    ranges = read_ranges.of_task(cursor, registry, task)
    missed = corrections.open_ones(cursor, registry, task)
    changes = schema_changes.of_task(cursor, registry, task, _CHANGES)
    jobs = agenda.history(cursor, registry, task, _JOBS)
    events = events_of_task(cursor, registry, task, _EVENTS)
    if as_json:
        show_json(
            {
                "task": overview._asdict() | {"condition": overview.condition(now)},
                "why": reason._asdict(),
                "next_run_at": _next_run(reason),
                **_as_data(record),
                "ranges_read": [one._asdict() for one in ranges],
                "ranges_missing": [gap._asdict() for gap in read_ranges.gaps(ranges)],
                "corrections": [{**one._asdict(), "command": one.command} for one in missed],
                "schema_changes": [change._asdict() for change in changes],
                "jobs": [job._asdict() for job in jobs],
                "events": [event._asdict() for event in events],
            }
        )
        return
    say(f"{task}: {overview.description or ''}".rstrip(": "))
    for name, text in _facts(record, reason, settings.zone):
        say(f"{name}: {text}")
    for name, text in _ranges(ranges, settings.zone):
        say(f"{name}: {text}")
    for one in missed:
        say(f"not read again: {one}")
    for change in changes:
        if change.job is not None:
            say(f"changed: {change.change} (job {change.job}, {_at(change.at, settings.zone)})")
    _show_definition(record.registered)
    show_table(
        ("job", "status", "cause", "try", "started", "ended", "rows", "definition", "message"),
        [
            (
                *(j.number, j.status, j.cause, j.tries, j.started_at, j.ended_at, j.rows),
                (j.hash or "")[:_SHORT_HASH],
                j.message,
            )
            for j in jobs
        ],
    )
    show_table(
        ("at", "job", "level", "event"),
        [(e.at, e.job, e.level, e.message) for e in reversed(events)],
    )
    _show_details([e.data or {} for e in events if jobs and e.job == jobs[0].number])


def _next_run(reason: Why) -> datetime | None:
    return reason.at if reason.reason in _CLOCK else None


def _as_data(record: TaskRecord) -> dict[str, Any]:
    return {
        "registered": record.registered._asdict(),
        "masters": [one._asdict() for one in record.masters],
        "dependents": [one._asdict() for one in record.dependents],
        "watermarks": [one._asdict() for one in record.watermarks],
        "steps": [one._asdict() for one in record.steps],
    }


def _facts(record: TaskRecord, reason: Why, zone: tzinfo) -> Iterator[tuple[str, str]]:
    """What fits into a line each: its name, and what there is to say."""
    registered = record.registered
    yield "now", reason.sentence
    yield from _times(registered, reason, zone)
    if record.masters:
        yield "depends on", _relatives(record.masters, zone)
    if record.dependents:
        yield "wakes", _relatives(record.dependents, zone)
    for mark in record.watermarks:
        yield "watermark", _mark(mark, zone)
    if registered.override:
        yield "override", _override(registered.override)
    if record.steps:
        steps = (f"{step.name} ({_at(step.applied_at, zone)})" for step in record.steps)
        yield "steps applied", ", ".join(steps)
    yield "registered", _registered(registered, zone)


def _times(registered: Registered, reason: Why, zone: tzinfo) -> Iterator[tuple[str, str]]:
    if (at := _next_run(reason)) is not None:
        yield "next run", f"{_at(at, zone)}"
    if registered.last_ended_at is not None:
        yield (
            "last run",
            f"{registered.last_status or 'elsewhere'} {_at(registered.last_ended_at, zone)}",
        )
    if registered.last_done_at not in (None, registered.last_ended_at):
        yield "last done", _at(registered.last_done_at, zone)


def _at(at: datetime | None, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}" if at is not None else "never"


def _relatives(tasks: Sequence[Relative], zone: tzinfo) -> str:
    return ", ".join(
        f"{one.task} ({one.last_status} {_at(one.last_ended_at, zone)})"
        if one.last_status
        else f"{one.task} (never ran)"
        for one in tasks
    )


def _mark(mark: Mark, zone: tzinfo) -> str:
    by = f"job {mark.job}" if mark.job is not None else "`dapu baseline`"
    return f"{mark.column} {mark.value} in `{mark.source}` (by {by}, {_at(mark.moved_at, zone)})"


def _ranges(ranges: Sequence[ReadRange], zone: tzinfo) -> Iterator[tuple[str, str]]:
    from dapu.registry.read_ranges import gaps

    for one in ranges:
        low = "the first" if one.low is None else one.low
        last = f"job {one.job}, " if one.job is not None else ""
        at = f"({last}{_at(one.read_at, zone)})"
        yield "read", f"{one.column} from {low} to {one.high} in `{one.source}` {at}"
    for gap in gaps(ranges):
        between = f"{gap.column} after {gap.after} and before {gap.before}"
        yield "missing", f"{between} in `{gap.source}`: read it with `dapu run --from --to`"


def _override(override: Mapping[str, Any]) -> str:
    """`pause 00:10:00, blacklisted: until the migration is over`."""
    parts = [
        name if value is True else f"{name} {value}"
        for name, value in override.items()
        if name != "note"
    ]
    return ": ".join(part for part in (", ".join(parts), override.get("note")) if part)


def _registered(registered: Registered, zone: tzinfo) -> str:
    said = f"{_at(registered.at, zone)}"
    said += f" by {registered.by}" if registered.by else ""
    said += f", commit {registered.git_commit}" if registered.git_commit else ""
    return f"{said}, definition {registered.hash[:_SHORT_HASH]}"


def _show_definition(registered: Registered) -> None:
    from dapu.warehouse.yamlfile import as_yaml

    say("definition:")
    for line in as_yaml(registered.definition).splitlines():
        say(f"  {line}")


def _show_details(data: list[dict[str, Any]]) -> None:
    """What a check found, or where a fault is, as the newest job's events have it."""
    from dapu.cli.failed_sql import show_failed_at
    from dapu.registry.failed_at import failed_at

    offending = next((one["rows"] for one in data if "rows" in one), None)
    if offending:
        say("Offending rows:")
        show_table(list(offending[0]), [list(row.values()) for row in offending])
    show_failed_at(next((one for one in data if failed_at(one)), None))
    trace = next((one["traceback"] for one in data if "traceback" in one), None)
    if trace:
        say(trace)
