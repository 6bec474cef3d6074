"""`Catalogue`: the tables of a warehouse for those who use them; on the server and as a site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.definitions.checks import Check
from dapu.lineage.graph import LineageGraph, table_of
from dapu.pages.all_tasks import AllTasks
from dapu.pages.lineage import MadeOf, Node, Walk, made_of, walk_from
from dapu.pages.tables import Table, TableColumn, tables_of
from dapu.registry.overview import Overview
from dapu.registry.store import Registry

_LISTED = 200  # tables on a page
_AT_ONCE = 500  # tables that are read together, for a site
_SIZES = ("bytes", "kB", "MB", "GB", "TB")


class Entry(NamedTuple):
    """A table in the list."""

    task: str
    table: str
    description: str
    condition: str
    owner: str
    fresh_at: datetime | None


@dataclass(frozen=True)
class CataloguePage:
    """The list. after: the last one shown, where there are more. fault: of the search."""

    entries: list[Entry]
    total: int
    search: str
    after: str | None
    fault: str = ""


class CheckResult(NamedTuple):
    """A check, and what it found last. at: when it ran; None where it never did."""

    label: str
    severity: str
    at: datetime | None
    fault: str | None


class Column(NamedTuple):
    """A column of the table, and what it is made of, as far as the SQL says."""

    column: TableColumn
    made_of: MadeOf | None


@dataclass(frozen=True)
class CatalogueTable:
    """A table's page. table: as the database has it; None where it does not exist yet.

    walk: its lineage; None while that is being read.
    """

    overview: Overview
    condition: str
    late: tuple[str, datetime] | None
    table: Table | None
    columns: list[Column]
    definition: dict[str, Any]
    checks: list[CheckResult]
    walk: Walk | None

    @property
    def name(self) -> str:
        """`schema.table`."""
        return table_of(self.overview.task)

    @property
    def next_above(self) -> list[Node]:
        """The tables that it reads itself."""
        return [one for one in self.walk.above if one.steps == 1] if self.walk else []

    @property
    def next_below(self) -> list[Node]:
        """The tables that are made of it themselves."""
        return [one for one in self.walk.below if one.steps == 1] if self.walk else []

    @property
    def size(self) -> str:
        """On disk, with its indexes."""
        return shown_size(self.table.size) if self.table else ""


def catalogue_page(
    cursor: Cursor, known: AllTasks, search: str, after: str, most: int = _LISTED
) -> CataloguePage:
    """A page of the list, by the names of the tables.

    Raises ConfigurationError for a selector that names none.
    """
    found = sorted(known.chosen(search, ""), key=lambda one: (table_of(one.task), one.task))
    rest = [one for one in found if (table_of(one.task), one.task) > (table_of(after), after)]
    shown = rest[:most]
    tables = tables_of(cursor, [table_of(one.task) for one in shown], with_columns=False)
    entries = [
        Entry(
            one.task,
            table_of(one.task),
            one.description or "",
            known.conditions[one.task],
            tables[table_of(one.task)].owner if table_of(one.task) in tables else "",
            one.last_done_at,
        )
        for one in shown
    ]
    return CataloguePage(entries, len(found), search, shown[-1].task if rest[most:] else None)


def catalogue_tables(
    cursor: Cursor,
    registry: Registry,
    known: AllTasks,
    graph: LineageGraph | None,
    tasks: Sequence[str],
) -> Iterator[CatalogueTable]:
    """The pages of tasks; without those that are not registered."""
    for start in range(0, len(tasks), _AT_ONCE):
        some = [task for task in tasks[start : start + _AT_ONCE] if task in known.by_name]
        tables = tables_of(cursor, [table_of(task) for task in some])
        definitions = dict(registry.rows(cursor, "page.definitions", tasks=some))
        results: dict[str, dict[str, CheckResult]] = {}
        for task, label, _, at, fault, _ in registry.rows(cursor, "page.checks", tasks=some):
            results.setdefault(task, {})[label] = CheckResult(label, "fail", at, fault)
        for task in some:
            table = tables.get(table_of(task))
            overview, definition = known.by_name[task], definitions.get(task, {})
            yield CatalogueTable(
                overview,
                known.conditions[task],
                overview.late_since(known.at),
                table,
                _columns(table, graph, task),
                definition,
                _checks(definition, results.get(task, {})),
                walk_from(graph, known, task) if graph else None,
            )


def shown_size(size: int) -> str:
    """A number of bytes as a person reads it: `14 MB`."""
    value, unit = float(size), 0
    while value >= 1000 and unit < len(_SIZES) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_SIZES[unit]}" if value >= 10 else f"{value:.3g} {_SIZES[unit]}"


def _columns(table: Table | None, graph: LineageGraph | None, task: str) -> list[Column]:
    known = {one.name: one for one in made_of(graph, task)} if graph else {}
    return [Column(one, known.get(one.name)) for one in (table.columns if table else ())]


def _checks(definition: dict[str, Any], results: dict[str, CheckResult]) -> list[CheckResult]:
    found = []
    for one in definition.get("checks") or ():
        check = Check.model_validate(one)
        result = results.get(check.label, CheckResult(check.label, "", None, None))
        found.append(result._replace(severity=check.severity))
    return found
