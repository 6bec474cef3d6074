"""`dapu connectors`: connectors by hand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import AS_JSON, WAREHOUSE, CommandGroup
from dapu.cli.console import complain, say, show_json, show_table

if TYPE_CHECKING:
    from dapu.sources.connectors.connector import Connector
    from dapu.warehouse.warehouse import Warehouse

_CONNECTION = click.argument("connection")


@click.group("connectors", cls=CommandGroup)
def connectors() -> None:
    """Ask connectors of a warehouse what they need and have.

    A connector is a connection with `driver: connector`. What it needs is installed at the first
    use, below .dapu/connectors.

    \b
    Examples:
      dapu connectors list finances
      dapu connectors spec finances shop
      dapu connectors check finances shop
      dapu connectors discover finances shop
    """  # noqa: D301 - click's mark for lines that stay as they are


@connectors.command("list")
@WAREHOUSE
@AS_JSON
def list_connectors(warehouse: Warehouse, as_json: bool) -> None:
    """List the connections that are connectors, and what is installed for them."""
    from dapu.sources.connectors.installed import installed_connectors

    rows = installed_connectors(warehouse)
    headings = ("connection", "protocol", "program", "installed")
    if as_json:
        show_json([dict(zip(headings, row, strict=True)) for row in rows])
    else:
        show_table(headings, rows)


@connectors.command("spec")
@WAREHOUSE
@_CONNECTION
def spec(warehouse: Warehouse, connection: str) -> None:
    """Print what a CONNECTION wants in `config`, as its JSON Schema."""
    show_json(_open(warehouse, connection).spec())


@connectors.command("check")
@WAREHOUSE
@_CONNECTION
def check(warehouse: Warehouse, connection: str) -> None:
    """Say whether the configuration of a CONNECTION works: exit status 1 when it does not."""
    status = _open(warehouse, connection).check()
    if status.succeeded:
        say(f"{connection}: it works")
    else:
        complain(f"{connection}: it does not work: {status.message or 'no reason given'}")
        sys.exit(1)


@connectors.command("discover")
@WAREHOUSE
@_CONNECTION
def discover(warehouse: Warehouse, connection: str) -> None:
    """Print the catalog of a CONNECTION: its streams with their JSON Schemas."""
    streams = _open(warehouse, connection).discover()
    show_json({"streams": [stream.document for stream in streams.values()]})


def _open(warehouse: Warehouse, connection: str) -> Connector:
    from dapu.sources.connectors.open import open_connector

    return open_connector(warehouse, connection, lambda level, text: complain(f"{level}: {text}"))


COMMANDS = (connectors,)
