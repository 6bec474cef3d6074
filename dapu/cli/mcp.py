"""`dapu mcp`: questions of an assistant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import WAREHOUSE
from dapu.errors import ConfigurationError

if TYPE_CHECKING:
    from dapu.warehouse.warehouse import Warehouse


@click.command("mcp")
@WAREHOUSE
@click.option(
    "--connection",
    metavar="NAME",
    help="Connection of a role that may only read; with it SQL can be asked for.",
)
def mcp(warehouse: Warehouse, connection: str | None) -> None:
    """Answer an assistant's questions, by MCP over standard input.

    It sees status, reasons, lineage, definitions and previews, as the commands give them with
    --json, and changes nothing.

    \b
    Examples:
      dapu mcp finances
      dapu mcp finances --connection reader
    """  # noqa: D301 - click's mark for lines that stay as they are
    if connection is not None:
        _check_reader(warehouse, connection)
    try:
        from dapu.mcp.server import make_server
    except ImportError:
        raise ConfigurationError(
            "`dapu mcp` needs another package; install it with: pip install 'dapu[mcp]'"
        ) from None
    make_server(warehouse.folder, connection).run()


def _check_reader(warehouse: Warehouse, connection: str) -> None:
    """Raises ConfigurationError for a connection whose role may do more than read."""
    from dapu.named_sql import statement
    from dapu.warehouse.connections import MAIN

    if connection == MAIN:
        raise ConfigurationError(
            f"--connection {MAIN}: that role writes; name a connection with one that may only read"
        )
    with warehouse.entered_by(connection).session("mcp") as session, session.cursor() as cursor:
        cursor.execute(statement("session.more_than_reading"))
        found = cursor.fetchone()
    if found is not None:
        role, why = found
        raise ConfigurationError(
            f"--connection {connection}: its role {role} {why}; name a connection with a role that "
            "may only read"
        )


COMMANDS = (mcp,)
