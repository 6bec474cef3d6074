"""The Cleaner: prunes the history of the agenda, events and workers past their age."""

from __future__ import annotations

from typing import NamedTuple

from dapu.registry import agenda, checked, events, notices, requests, schema_changes, workers
from dapu.registry.version import check_registry, registry_of
from dapu.warehouse.warehouse import Warehouse


class Pruned(NamedTuple):
    """How many rows went."""

    events: int
    jobs: int
    workers: int


def clean(warehouse: Warehouse) -> Pruned:
    """Deletes what ended longer ago than `keep:` of warehouse.yaml says; never a live job."""
    registry, keep = registry_of(warehouse), warehouse.settings.keep
    with warehouse.session("cleaner") as session, session, session.cursor() as cursor:
        check_registry(cursor, registry)
        requests.prune(cursor, registry, keep.agenda)
        notices.prune(cursor, registry, keep.events)
        checked.prune(cursor, registry, keep.events)
        schema_changes.prune(cursor, registry, keep.events)
        return Pruned(
            events=events.prune(cursor, registry, keep.events),
            jobs=agenda.prune(cursor, registry, keep.agenda),
            workers=workers.prune(cursor, registry, keep.workers),
        )
