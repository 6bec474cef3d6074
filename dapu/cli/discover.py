"""The command that shows what a source has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from dapu.cli import completion
from dapu.cli.arguments import AS_JSON, WAREHOUSE
from dapu.cli.console import say, show_json, show_table
from dapu.text import counted

if TYPE_CHECKING:
    from dapu.sources.discovery import Offer
    from dapu.warehouse.warehouse import Warehouse


@click.command("discover")
@WAREHOUSE
@click.argument("source", shell_complete=completion.routes)
@AS_JSON
def discover(warehouse: Warehouse, source: str, as_json: bool) -> None:
    """List what a SOURCE has: a route's, or a connection's.

    It only looks. One line is a column of a table or sheet, a file, or a layer. For a web service,
    which does not say what it has, there is a hint.

    \b
    Examples:
      dapu discover finances erp
      dapu discover finances erp --json
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.sources.discovery import discover

    offer = discover(warehouse, source)
    if as_json:
        items = [dict(zip(offer.headings, row, strict=True)) for row in offer.rows]
        found = {"connection": offer.connection, "kind": offer.kind, "items": items}
        show_json(found | {"hint": offer.hint})
        return
    if offer.headings:
        show_table(_headings(offer.headings), _lines(offer))
        say(f"{counted(len(offer.rows), offer.kind)} of the connection `{offer.connection}`")
    if offer.hint is not None:
        say(offer.hint)


def _headings(names: Sequence[str]) -> list[str]:
    return [
        part for name in names for part in (("column", "type") if name == "columns" else [name])
    ]


def _lines(offer: Offer) -> Iterator[list[Any]]:
    """One a column where there are columns, so that they can be searched and cut out."""
    if "columns" not in offer.headings:
        yield from ([_shown(value) for value in row] for row in offer.rows)
        return
    at = offer.headings.index("columns")
    for row in offer.rows:
        for column in row[at].items() or [("", "")]:
            yield [_shown(value) for value in (*row[:at], *column, *row[at + 1 :])]


def _shown(value: Any) -> Any:
    """Lists as people read them: `3301, 4326`; nothing as nothing."""
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else value


COMMANDS = (discover,)
