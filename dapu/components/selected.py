"""Several tasks that an operator wants to run now, each after those of them that it depends on."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2.extensions import cursor as Cursor

from dapu.errors import ConfigurationError
from dapu.registry import agenda
from dapu.registry.selectors import select, selectable
from dapu.registry.store import Registry


def queue_selected(
    cursor: Cursor, registry: Registry, selectors: Sequence[str], *, full: bool
) -> dict[int, str]:
    """Queues the tasks that selectors name; returns them by job, in the order to run them.

    full: whether they read everything again. Raises ConfigurationError for a selector that names
    no task.
    """
    known = {one.task: one for one in selectable(cursor, registry)}
    queued: dict[str, int] = {}
    for task in select(selectors, known.values()):
        after = sorted(queued[master] for master in known[task].masters if master in queued)
        job = agenda.add(cursor, registry, task, "run", full, None, after)
        if job is None:
            raise ConfigurationError(f"{task} was unregistered this very moment")
        queued[task] = job
    return {job: task for task, job in queued.items()}
