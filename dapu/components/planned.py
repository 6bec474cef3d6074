"""`dapu run --dry-run`: what would run, in which order, and why; nothing is queued."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.components.downstream import CorrectionStep, queue_downstream
from dapu.definitions.catalogue import Catalogue, check_dependencies, read_catalogue
from dapu.definitions.folders import scan
from dapu.definitions.reader import DefinitionReader
from dapu.errors import ConfigurationError
from dapu.lineage.depends_auto import fill_in_depends
from dapu.registry import tasks
from dapu.registry.selectors import Selectable, one_task, select_with_reasons, selectable
from dapu.registry.store import Registry
from dapu.suggest import nearest
from dapu.warehouse.warehouse import Warehouse


class PlannedTask(NamedTuple):
    """A task that would run.

    why: which selector, or what it depends on. reads: everything, a range, or what it reads anyway.
    definition: whether the run would take up a new or changed one, or meets a faulty one.
    """

    task: str
    why: str
    reads: str
    definition: str


def catalogue_of(
    cursor: Cursor, registry: Registry, warehouse: Warehouse, reader: DefinitionReader
) -> Catalogue:
    """The definitions as a Registrar would find them now; it writes nothing."""
    names = (warehouse.settings.day_parts, warehouse.connections)
    registered = tasks.hashes(cursor, registry, *names)
    found = read_catalogue(scan(warehouse.folder), reader, warehouse.connections, registered)
    masters = tasks.masters(cursor, registry)
    fill_in_depends(found, warehouse.connections, masters)
    check_dependencies(found, masters)
    return found


def plan_selected(
    cursor: Cursor,
    registry: Registry,
    catalogue: Catalogue,
    selectors: Sequence[str],
    *,
    full: bool,
) -> list[PlannedTask]:
    """The tasks that selectors name. Raises ConfigurationError for one that names none."""
    known = _known(cursor, registry, catalogue)
    reads = "everything" if full else "as always"
    return [
        PlannedTask(task, why, reads, _definition(catalogue, task))
        for task, why in select_with_reasons(selectors, known).items()
    ]


def _known(cursor: Cursor, registry: Registry, catalogue: Catalogue) -> list[Selectable]:
    """All tasks as they would be after the definitions were taken up."""
    known = {one.task: one for one in selectable(cursor, registry)}
    for task in catalogue.gone:
        known.pop(task, None)
    for task, one in catalogue.definitions.items():
        failed = task in known and known[task].has_failed
        route = one.folder.route
        known[task] = Selectable(task, route, one.task.tags, failed, one.task.depends)
    for task in catalogue.faulty:
        known.setdefault(task, Selectable(task, task.partition(".")[0], [], False, []))
    return [*known.values()]


def plan_step(
    cursor: Cursor,
    registry: Registry,
    catalogue: Catalogue,
    first: CorrectionStep,
    *,
    downstream: bool,
) -> list[PlannedTask]:
    """One task, and with `downstream` all that depend on it.

    Queues them, and leaves it to the caller to roll that back: so the order is that of a run.
    """
    first = first._replace(task=one_task(first.task, _known(cursor, registry, catalogue)))
    if first.task not in tasks.names(cursor, registry):
        if first.task not in {*catalogue.definitions, *catalogue.faulty}:
            known = {*catalogue.unchanged, *catalogue.definitions, *catalogue.faulty}
            raise ConfigurationError(f"there is no task `{first.task}`{nearest(first.task, known)}")
        return [_planned(catalogue, first, "named")]
    if not downstream:
        return [_planned(catalogue, first, "named")]
    return [
        _planned(catalogue, step, "named" if step.task == first.task else _below(first))
        for step, _ in queue_downstream(cursor, registry, first)
    ]


def _below(first: CorrectionStep) -> str:
    return f"it depends on {first.task}"


def _planned(catalogue: Catalogue, step: CorrectionStep, why: str) -> PlannedTask:
    reads = step.what if step.full or step.backfill or why != "named" else "as always"
    return PlannedTask(step.task, why, reads, _definition(catalogue, step.task))


def _definition(catalogue: Catalogue, task: str) -> str:
    if task in catalogue.faulty:
        return f"faulty: {catalogue.faulty[task][0]}"
    if task in catalogue.definitions:
        return "changed" if task in catalogue.registered else "new"
    return "unchanged"
