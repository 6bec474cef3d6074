"""The command that shows what a source has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dapu.cli.arguments import AS_JSON, WAREHOUSE
from dapu.cli.console import counted, say, show_json, show_table

if TYPE_CHECKING:
    from dapu.warehouse.warehouse import Warehouse


@click.command("discover")
@WAREHOUSE
@click.argument("route")
@AS_JSON
def discover(warehouse: Warehouse, route: str, as_json: bool) -> None:
    """List what the source of a ROUTE has.

    It only looks. For a web service, which does not say what it has, there is a hint.

    \b
    Examples:
      dapu discover finances erp
      dapu discover finances erp --json
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.sources.discovery import discover

    offer = discover(warehouse, route)
    if as_json:
        items = [dict(zip(offer.headings, row, strict=True)) for row in offer.rows]
        found = {"connection": offer.connection, "kind": offer.kind, "items": items}
        show_json(found | {"hint": offer.hint})
        return
    if offer.headings:
        show_table(offer.headings, [[_shown(value) for value in row] for row in offer.rows])
        say(f"{counted(len(offer.rows), offer.kind)} of the connection `{offer.connection}`")
    if offer.hint is not None:
        say(offer.hint)


def _shown(value: Any) -> Any:
    """Lists as people read them: `id bigint, name text`."""
    if isinstance(value, dict):
        return ", ".join(map(" ".join, value.items()))
    return ", ".join(map(str, value)) if isinstance(value, tuple) else value


COMMANDS = (discover,)
