"""`Catalogue`: the tables of a warehouse for those who use them; on the server and as a site."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.pages.all_tasks import AllTasks
from dapu.pages.tables import Table, table_of
from dapu.pages.task import CheckResult
from dapu.registry.overview import Overview
from dapu.registry.store import Registry
from dapu.registry.task_record import Relative, record_of

PAGE = 200  # tables


class Entry(NamedTuple):
    """A table in the list."""

    task: str
    table: str
    description: str
    condition: str
    fresh_at: datetime | None


@dataclass(frozen=True)
class CataloguePage:
    """The list. after: the last one shown, where there are more."""

    entries: list[Entry]
    found: int
    search: str
    after: str | None
    fault: str = ""


@dataclass(frozen=True)
class CatalogueTable:
    """A table's page. checks: what must hold, with what was found last; None where it never ran."""

    overview: Overview
    condition: str
    table: Table | None
    definition: dict[str, Any]
    checks: list[CheckResult]
    masters: list[Relative]
    dependents: list[Relative]

    @property
    def name(self) -> str:
        """`schema.table`."""
        return self.overview.task.partition(".")[2]

    @property
    def tags(self) -> str:
        """The tags of the task."""
        return ", ".join(self.definition.get("tags") or ())


def catalogue_page(known: AllTasks, search: str, after: str, most: int = PAGE) -> CataloguePage:
    """A page of the list. Raises ConfigurationError for a selector that names nothing."""
    found = sorted(known.chosen(search, ""), key=lambda one: one.task.partition(".")[2])
    place = next((i + 1 for i, one in enumerate(found) if one.task == after), 0)
    shown = found[place : place + most]
    entries = [
        Entry(one.task, one.task.partition(".")[2], one.description or "",
              known.conditions[one.task], one.last_done_at)
        for one in shown
    ]  # fmt: skip
    more = shown[-1].task if place + most < len(found) else None
    return CataloguePage(entries, len(found), search, more)


def catalogue_table(
    cursor: Cursor, registry: Registry, known: AllTasks, task: str
) -> CatalogueTable | None:
    """A table's page; None when no task makes it."""
    record = record_of(cursor, registry, task)
    if record is None or task not in known.by_name:
        return None
    return CatalogueTable(
        known.by_name[task],
        known.conditions[task],
        table_of(cursor, task),
        record.registered.definition,
        [CheckResult(*row) for row in registry.rows(cursor, "page.checks", task=task)],
        record.masters,
        record.dependents,
    )
