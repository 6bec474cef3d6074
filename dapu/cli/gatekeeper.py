"""The command that shows and changes who may read what."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import AS_JSON, WAREHOUSE
from dapu.cli.console import say, show_json
from dapu.text import counted

if TYPE_CHECKING:
    from dapu.components.gatekeeper import Plan
    from dapu.warehouse.warehouse import Warehouse


@click.command("gatekeeper")
@WAREHOUSE
@click.option("--plan/--apply", "only_plan", default=True, help="Show the changes, or make them.")
@AS_JSON
def gatekeeper(warehouse: Warehouse, only_plan: bool, as_json: bool) -> None:
    """Bring what groups may read in line with DIR/grants.yaml.

    Groups are roles without login. Shows what would change; --apply changes it in one transaction.
    Only groups that it made itself are touched. Run it after the Registrar, so that tables that are
    new and meant by a pattern are granted too.

    \b
    Examples:
      dapu gatekeeper finances
      dapu gatekeeper finances --apply
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.components.gatekeeper import apply_grants, plan_grants

    plan = plan_grants(warehouse) if only_plan else apply_grants(warehouse)
    if as_json:
        show_json({"applied": not only_plan, **_as_data(plan)})
        return
    for sign, lines in _lines(plan).items():
        for line in lines:
            say(f"{sign} {line}")
    if plan.is_empty:
        say("gatekeeper: everything is as grants.yaml says")
        return
    done = "to make with --apply" if only_plan else "made"
    changes = (plan.new, plan.old, plan.views, plan.old_views, plan.granted, plan.revoked)
    count = counted(sum(map(len, changes)), "change")
    say(f"gatekeeper: {count} {done}")


def _lines(plan: Plan) -> dict[str, list[str]]:
    return {
        "?": list(plan.missing),
        "-": [
            *map(str, plan.revoked),
            *(f"the view {name}" for name in plan.old_views),
            *(f"{name}: the group itself" for name in plan.old),
        ],
        "+": [
            *(f"{name}: the group itself" for name in plan.new),
            *map(str, plan.views),
            *map(str, plan.granted),
        ],
    }


def _as_data(plan: Plan) -> dict[str, object]:
    return {
        "new_groups": list(plan.new),
        "dropped_groups": list(plan.old),
        "new_views": [str(one.name) for one in plan.views],
        "dropped_views": [str(name) for name in plan.old_views],
        "granted": [dataclasses.asdict(one) for one in plan.granted],
        "revoked": [dataclasses.asdict(one) for one in plan.revoked],
        "missing": list(plan.missing),
    }


COMMANDS = (gatekeeper,)
