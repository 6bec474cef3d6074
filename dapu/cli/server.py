"""`dapu server`: pages of the warehouse, and others have connectors run over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from dapu.cli.arguments import WAREHOUSE
from dapu.cli.console import stamped
from dapu.errors import ConfigurationError

if TYPE_CHECKING:
    from dapu.warehouse.warehouse import Warehouse


@click.command("server")
@WAREHOUSE
@click.option("--host", help="Listen here (127.0.0.1; 0.0.0.0 when there are tokens).")
@click.option("--port", type=click.IntRange(1, 65535), help="And on this port (3043).")
@click.option("--schema", default="staging", help="For streams without a namespace (staging).")
@click.option(
    "--runner",
    type=click.Choice(["package", "docker", "kubernetes"]),
    default="package",
    help="Run connectors as Python packages, or as images: by docker, or as pods (package).",
)
@click.option(
    "--processes",
    type=click.IntRange(0, 64),
    default=2,
    help="Start up to so many workers when requests wait (2); 0: leave them to others.",
)
def server(
    warehouse: Warehouse,
    host: str | None,
    port: int | None,
    schema: str,
    runner: Literal["package", "docker", "kubernetes"],
    processes: int,
) -> None:
    """Show the warehouse as pages, and run connectors for others.

    The pages say how tasks are, why one does not run, what a table is made of. Beside them it
    takes /spec, /check, /discover, /read and /cancel as the sync controller of Jitsu does: each
    becomes a job of the agenda, which any worker runs. Needs dapu[server].

    \b
    Examples:
      dapu server finances          then open http://127.0.0.1:3043
      SYNCCTL_AUTH_TOKENS=... dapu server finances --port 8080
    """  # noqa: D301 - click's mark for lines that stay as they are
    try:
        from dapu.server.run import serve
    except ImportError as error:
        raise ConfigurationError(
            f"`dapu server` needs more packages ({error.name}): pip install 'dapu[server]'"
        ) from None
    from dapu.server.settings import is_enabled, read_server_settings
    from dapu.warehouse.environment import read_environment

    say = stamped(warehouse.settings.zone)
    environment = read_environment(warehouse.folder)
    if not is_enabled(environment):
        say("server: SYNCCTL_SYNCS_ENABLED says that it is not to run")
        return
    settings = read_server_settings(
        environment, host, port, schema, runner, has_logins=warehouse.settings.server.has_logins
    )
    if not (settings.tokens or warehouse.settings.server.has_logins):
        say("server: no logins are set up: whoever reaches it on this machine may do everything")
    serve(warehouse, settings, processes, say)


COMMANDS = (server,)
