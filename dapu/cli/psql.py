"""`dapu psql`: the warehouse's database by hand, an embedded one too."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import WAREHOUSE
from dapu.cli.console import say

if TYPE_CHECKING:
    from dapu.warehouse.warehouse import Warehouse


@click.command("psql", context_settings={"ignore_unknown_options": True})
@WAREHOUSE
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(warehouse: Warehouse, arguments: tuple[str, ...]) -> None:
    """Open psql on the warehouse's database.

    Further ARGUMENTS are psql's own. Where psql is not installed, prints the database's address
    for another program. An embedded PostgreSQL runs for as long: until psql ends, or Ctrl-C.

    \b
    Examples:
      dapu psql finances
      dapu psql finances -c '\\dt staging.*'
    """  # noqa: D301 - click's mark for lines that stay as they are
    address, password = address_of(warehouse)
    program = shutil.which("psql")
    if program is not None:
        environment = os.environ | ({"PGPASSWORD": password} if password else {})
        sys.exit(_status_of([program, "-d", address, *arguments], environment))
    say(f"psql is not installed; the address, without the password: {address}")
    if is_embedded(warehouse):
        say("The server runs until Ctrl-C.")
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        signal.pause()


def _status_of(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs a program that has the terminal; its exit status, as a shell gives it.

    It does not outlive this process, whose embedded server it may use.
    """
    # A handler rather than SIG_IGN, which the program would inherit.
    signal.signal(signal.SIGINT, lambda *_: None)  # psql ends a query with it
    process = subprocess.Popen(command, env=environment)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: process.send_signal(number))
    status = process.wait()
    return status if status >= 0 else 128 - status


def address_of(warehouse: Warehouse) -> tuple[str, str | None]:
    """How libpq finds the warehouse's database, and the password, which is not in it."""
    from psycopg2.extensions import make_dsn

    keywords = warehouse.libpq()
    password = keywords.pop("password", None)
    return make_dsn(**keywords), None if password is None else str(password)


def is_embedded(warehouse: Warehouse) -> bool:
    """Whether the database is one that dapu starts itself."""
    from dapu.warehouse.connection_kinds import EmbeddedConnection
    from dapu.warehouse.connections import MAIN

    return isinstance(warehouse.connections[MAIN], EmbeddedConnection)


COMMANDS = (psql,)
