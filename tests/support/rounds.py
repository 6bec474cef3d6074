"""Whole rounds over a small warehouse directory, in the test's own process."""

from __future__ import annotations

from pathlib import Path

from dapu.components.registrar import Registration
from dapu.registry import agenda
from dapu.registry.agenda import Job
from dapu.registry.events import Level
from dapu.registry.version import registry_of
from dapu.warehouse.warehouse import open_warehouse
from dapu.worker.job import Outcome
from dapu.worker.worker import Worker
from tests.support.components import manager, registrar, versioner


class Seen:
    """A reporter that keeps what it was told: how each task's last job came out, and notes."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.outcomes: dict[str, Outcome] = {}
        self.notes: list[str] = []

    def started(self, job: Job) -> None:
        self.order.append(job.task)

    def progress(self, job: Job, rows: int) -> None:
        pass

    def ended(self, job: Job, outcome: Outcome) -> None:
        self.outcomes[job.task] = outcome

    def note(self, level: Level, task: str, message: str) -> None:
        self.notes.append(message)


def prepare(folder: Path) -> Registration:
    """Versioner and registrar."""
    versioner(folder)
    return registrar(folder)


def run_due(folder: Path) -> Seen:
    """Manager and worker."""
    manager(folder)
    seen = Seen()
    Worker(open_warehouse(folder), seen, minutes=1).run()
    return seen


def run_task(
    folder: Path, task: str, *, full: bool = False, backfill: dict[str, str | None] | None = None
) -> Outcome:
    """Registrar, and one task, due or not."""
    prepare(folder)
    warehouse = open_warehouse(folder)
    with warehouse.session("test") as session, session, session.cursor() as cursor:
        job = agenda.add(cursor, registry_of(warehouse), task, "run", full, backfill)
    assert job is not None, f"{task} is not registered"
    seen = Seen()
    Worker(warehouse, seen, minutes=1).run(only=[job])
    return seen.outcomes[task]
