"""`dapu why`: what keeps a task from running."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import AS_JSON, WAREHOUSE
from dapu.cli.console import say, show_json
from dapu.errors import ConfigurationError

if TYPE_CHECKING:
    from dapu.warehouse.warehouse import Warehouse


@click.command("why")
@WAREHOUSE
@click.argument("task")
@AS_JSON
def why(warehouse: Warehouse, task: str, as_json: bool) -> None:
    """Say why TASK does not run now, and when it will.

    \b
    Examples:
      dapu why finances erp.staging.invoice
      dapu why finances erp.staging.invoice --json
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.registry import tasks
    from dapu.registry import why as reasons
    from dapu.registry.version import check_registry, registry_of
    from dapu.suggest import nearest

    registry = registry_of(warehouse)
    with warehouse.session("why") as session, session.cursor() as cursor:
        check_registry(cursor, registry)
        found = reasons.why(cursor, registry, warehouse.settings, task, datetime.now(UTC))
        if found is None:
            known = tasks.names(cursor, registry)
            raise ConfigurationError(f"there is no task `{task}`{nearest(task, known)}")
    if as_json:
        show_json(found._asdict())
    else:
        say(f"{task}: {found.sentence}")


COMMANDS = (why,)
