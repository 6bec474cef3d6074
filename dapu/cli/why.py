"""`dapu why`: what keeps a task from running."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import AS_JSON, SOME_TASKS, WAREHOUSE
from dapu.cli.console import say, show_json

if TYPE_CHECKING:
    from dapu.warehouse.warehouse import Warehouse


@click.command("why")
@WAREHOUSE
@SOME_TASKS
@AS_JSON
def why(warehouse: Warehouse, selectors: tuple[str, ...], as_json: bool) -> None:
    """Say why TASK does not run now, and when it will.

    With patterns and selectors, as `dapu run` takes them, a line a task.

    \b
    Examples:
      dapu why finances erp.staging.invoice
      dapu why finances 'staging.*' +mart.sales
      dapu why finances erp.staging.invoice --json
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.registry.selectors import is_one_task, select, selectable
    from dapu.registry.version import check_registry, registry_of
    from dapu.registry.why import reasons

    registry = registry_of(warehouse)
    with warehouse.session("why") as session, session.cursor() as cursor:
        check_registry(cursor, registry)
        chosen = select(selectors, selectable(cursor, registry))
        found = reasons(cursor, registry, warehouse.settings, chosen, datetime.now(UTC))
    answers = [found[task]._asdict() for task in chosen if task in found]
    if as_json:
        show_json(next(iter(answers), None) if is_one_task(selectors) else answers)
        return
    for one in answers:
        say(f"{one['task']}: {one['sentence']}")


COMMANDS = (why,)
