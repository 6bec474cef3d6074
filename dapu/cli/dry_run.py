"""`dapu run --dry-run`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dapu.cli.console import say, show_json, show_table
from dapu.text import counted

if TYPE_CHECKING:
    from dapu.components.downstream import CorrectionStep
    from dapu.warehouse.warehouse import Warehouse


def show_plan(
    warehouse: Warehouse,
    selectors: Sequence[str],
    step: CorrectionStep | None,
    as_json: bool,
    *,
    full: bool,
    downstream: bool,
) -> None:
    """Shows what would run.

    step: what one task reads; None for what `selectors` name.
    """
    from dapu.agents.installed import known_agents
    from dapu.components.planned import catalogue_of, plan_selected, plan_step
    from dapu.registry.version import check_registry, registry_of

    registry = registry_of(warehouse)
    reader = known_agents(warehouse.settings).reader(warehouse.settings)
    with warehouse.session("dry run") as session, session.cursor() as cursor:
        check_registry(cursor, registry)
        catalogue = catalogue_of(cursor, registry, warehouse, reader)
        if step is None:
            planned = plan_selected(cursor, registry, catalogue, selectors, full=full)
        else:
            planned = plan_step(cursor, registry, catalogue, step, downstream=downstream)
        session.rollback()
    if as_json:
        show_json([one._asdict() for one in planned])
        return
    show_table(
        ("", "task", "why", "reads", "definition"),
        [(place, *one) for place, one in enumerate(planned, start=1)],
    )
    say(f"{counted(len(planned), 'task')} would run; nothing is queued")
