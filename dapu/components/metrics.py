"""Figures for Prometheus, in a file that its node exporter reads."""

from __future__ import annotations

from datetime import UTC, datetime

from dapu.errors import ConfigurationError
from dapu.registry import agenda
from dapu.registry.activity import activity
from dapu.registry.overview import FAILED, Overview, overview
from dapu.registry.version import registry_of
from dapu.warehouse.warehouse import Warehouse

_OF_TASKS = {
    "dapu_task_last_done_timestamp_seconds": "When a run of the task was last done",
    "dapu_task_last_duration_seconds": "How long its last run took",
    "dapu_task_last_rows": "How many rows its last run brought",
    "dapu_task_failed": "1 when it has a fault, failed, or will be tried again",
    "dapu_task_late": "1 when it should have run",
}


def write_metrics(warehouse: Warehouse) -> None:
    """Writes the file that `metrics_file:` of warehouse.yaml names, if it does: whole, or not.

    Raises ConfigurationError without the library, OSError when the file cannot be written.
    """
    path = warehouse.settings.metrics_file
    if path is None:
        return
    try:
        from prometheus_client import CollectorRegistry, Gauge, write_to_textfile
    except ImportError:
        raise ConfigurationError("metrics_file: needs `pip install 'dapu[metrics]'`") from None
    registry, now = registry_of(warehouse), datetime.now(UTC)
    with warehouse.session("metrics") as session, session.cursor() as cursor:
        tasks = overview(cursor, registry, warehouse.settings, now)
        counts = agenda.counts(cursor, registry)
        workers = activity(cursor, registry).workers
    figures, of = CollectorRegistry(), {"warehouse": warehouse.name}
    gauges = {
        name: Gauge(name, text, ["warehouse", "task"], registry=figures)
        for name, text in _OF_TASKS.items()
    }
    for task in tasks:
        for name, value in zip(gauges, _figures_of(task, now), strict=True):
            if value is not None:
                gauges[name].labels(task=task.task, **of).set(value)
    text = "Jobs that wait and run, and that ended in the last day"
    jobs = Gauge("dapu_jobs", text, ["warehouse", "status"], registry=figures)
    for status, count in counts.items():
        jobs.labels(status=status, **of).set(count)
    text = "Workers that run"
    Gauge("dapu_workers", text, ["warehouse"], registry=figures).labels(**of).set(workers)
    text = "When these figures were read"
    written = Gauge("dapu_metrics_timestamp_seconds", text, ["warehouse"], registry=figures)
    written.labels(**of).set(now.timestamp())
    write_to_textfile(str(warehouse.folder / path), figures)


def _figures_of(task: Overview, now: datetime) -> tuple[float | None, ...]:
    """In the order of _OF_TASKS."""
    return (
        task.last_done_at.timestamp() if task.last_done_at is not None else None,
        task.took.total_seconds() if task.took is not None else None,
        task.rows,
        task.condition(now) in FAILED,
        task.is_late(now),
    )
