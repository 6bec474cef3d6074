"""`dapu status DIR`: all tasks, or some, and what is wrong with them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dapu.cli.arguments import moment
from dapu.cli.console import has_colours, is_terminal, say, show_json
from dapu.cli.psql import address_of, is_embedded
from dapu.text import counted

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from dapu.registry.look import Trouble
    from dapu.registry.overview import Overview
    from dapu.registry.store import Registry
    from dapu.warehouse.settings import Settings
    from dapu.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Chosen:
    """Which tasks are asked for, and whether only for what is wrong with them."""

    selectors: Sequence[str] = ()
    failed: bool = False
    late: bool = False
    route: str | None = None
    since: str | None = None
    limit: int | None = None
    check: bool = False

    @property
    def text(self) -> str:
        """The tasks as they stand on the command line."""
        return " ".join(
            [*sorted(self.selectors), *([f"--route {self.route}"] if self.route else [])]
        )


def show_tasks(
    cursor: Cursor, registry: Registry, warehouse: Warehouse, chosen: Chosen, as_json: bool
) -> None:
    """Prints them, with what else an operator is to know."""
    from dapu.cli.task_table import task_table
    from dapu.registry import agenda, control, tasks

    now = datetime.now(UTC)
    rows = _rows(cursor, registry, warehouse, chosen, now)
    settings = warehouse.settings
    faults = tasks.faulty_overrides(cursor, registry, settings.day_parts)
    pause = control.paused(cursor, registry)
    routes = {route: by for route, by in control.routes(cursor, registry).items() if by}
    counts = agenda.counts(cursor, registry)
    address = address_of(warehouse)[0] if is_embedded(warehouse) else None
    if as_json:
        show_json(
            {
                "warehouse": warehouse.name,
                "embedded_database": address,
                "paused_by": pause and pause.get("by"),
                "paused_routes": routes,
                "jobs": counts,
                "override_faults": faults,
                "tasks": [_as_json(row, settings, now) for row in rows],
            }
        )
        return
    width = shutil.get_terminal_size().columns if is_terminal() else None
    lines = task_table(rows, settings, now, width=width, colours=has_colours())
    listed = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    lines.append(
        f"{warehouse.name}: {counted(len(rows), 'task')}; jobs now and of the last day: "
        f"{listed or 'none'}"
    )
    if address is not None:
        lines.append(f"embedded database, while a command of dapu runs: {address}")
    lines += [f"warning: {fault}" for fault in faults]
    if pause is not None:
        lines.append(f"The warehouse is paused (by {pause.get('by')}).")
    lines += [f"The route {route} is paused (by {by})." for route, by in routes.items()]
    say("\n".join(lines))


def _as_json(row: Overview, settings: Settings, now: datetime) -> dict[str, Any]:
    known = row._asdict()
    del known["run_endings"], known["run_seconds"]  # `last_runs` has both
    return known | {
        "condition": row.condition(now),
        "last_runs": row.runs(),
        "late": row.is_late(now),
        "next_run_at": row.next_run(settings, now),
    }


def check_tasks(
    cursor: Cursor, registry: Registry, warehouse: Warehouse, chosen: Chosen, as_json: bool
) -> Trouble:
    """Prints what went wrong since the last look, and remembers that it did."""
    from dapu.registry.look import new_trouble

    now = datetime.now(UTC)
    rows = _rows(cursor, registry, warehouse, Chosen(chosen.selectors, route=chosen.route), now)
    found = new_trouble(cursor, registry, chosen.text, rows, now)
    if as_json:
        show_json({name: dict(of) for name, of in found._asdict().items()})
    else:
        how = f"{len(found.failed)} failed, {len(found.late)} late" if found else "all is well"
        say(f"{warehouse.name}: {how} since the last look")
        for what, of in found._asdict().items():
            for task, text in of:
                say(f"{task}: {what}: {text}")
    cursor.connection.commit()
    return found


def _rows(
    cursor: Cursor, registry: Registry, warehouse: Warehouse, chosen: Chosen, now: datetime
) -> list[Overview]:
    from dapu.registry.overview import FAILED, overview, sorted_tasks
    from dapu.registry.selectors import select, selectable

    settings = warehouse.settings
    rows = overview(cursor, registry, settings, now)
    selectors = [*chosen.selectors]
    if selectors:
        names = set(select(selectors, selectable(cursor, registry)))
        rows = [row for row in rows if row.task in names]
    if chosen.route:
        of_route = set(select([f"route:{chosen.route}"], selectable(cursor, registry)))
        rows = [row for row in rows if row.task in of_route]
    if chosen.failed or chosen.late:
        rows = [
            row
            for row in rows
            if (chosen.failed and row.condition(now) in FAILED)
            or (chosen.late and row.is_late(now))
        ]
    if chosen.since is not None:
        since = moment(chosen.since, settings.zone)
        rows = [row for row in rows if row.last_ended_at is not None and row.last_ended_at >= since]
    return sorted_tasks(rows, now)[: chosen.limit]
