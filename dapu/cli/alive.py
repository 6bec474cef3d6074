"""`dapu alive`: whether a worker lives here, for who restarts it."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import WAREHOUSE
from dapu.cli.console import complain, say
from dapu.text import counted

if TYPE_CHECKING:
    from dapu.warehouse.warehouse import Warehouse


@click.command("alive")
@WAREHOUSE
def alive(warehouse: Warehouse) -> None:
    """Say whether workers of this machine, or container, are alive.

    A live worker holds a lock in the warehouse's database; no file and no port is asked.
    Exit status 0 when there is one, 1 when there is none. A database that does not answer is no
    fault of the worker, which waits for it: exit status 0 too.

    Example: dapu alive finances
    """
    from dapu.errors import DatabaseUnreachable
    from dapu.registry import workers
    from dapu.registry.version import registry_of

    try:
        with warehouse.session("alive") as session, session.cursor() as cursor:
            found = workers.alive_here(cursor, registry_of(warehouse))
    except DatabaseUnreachable as error:
        complain(f"dapu: {error}")
        return
    say(f"{counted(found, 'worker')} on {platform.node()}")
    if not found:
        sys.exit(1)


COMMANDS = (alive,)
