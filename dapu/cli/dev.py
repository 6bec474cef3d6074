"""The commands of dev warehouses."""

from __future__ import annotations

import os
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import AS_JSON, WAREHOUSE, CommandGroup
from dapu.cli.console import say, show_json
from dapu.text import counted

if TYPE_CHECKING:
    from dapu.warehouse.warehouse import Warehouse

_NAME = click.argument("name")
_CONNECTION = click.option(
    "--connection",
    default="main",
    metavar="NAME",
    help="Connect to the warehouse by this one of connections.yaml (main).",
)


@click.group("dev", cls=CommandGroup)
def dev() -> None:
    """A dev warehouse: only what changed is built.

    It is in schemas with a suffix, `mart__anna`; all that did not change are views there, which
    read production.

    Example: dapu dev up finances anna
    """


@dev.command("up")
@WAREHOUSE
@_NAME
@click.option(
    "--since", default="main", metavar="REF", help="Build what differs from this in git (main)."
)
@click.option("--at-once", type=click.IntRange(1, 64), help="Build so many at once; all cores.")
@_CONNECTION
@AS_JSON
def up(
    warehouse: Warehouse,
    name: str,
    since: str,
    at_once: int | None,
    connection: str,
    as_json: bool,
) -> None:
    """Build the tasks that changed in git, and those that depend on them.

    Makes the dev warehouse NAME anew. Production is read and never written. Exit status 1 when a
    task fails.

    Example: dapu dev up finances anna
    """
    from dapu.cli.reporting import Silence, open_reporter
    from dapu.trial import dev

    began = time.monotonic()
    count = at_once or os.cpu_count() or 1
    reporting = nullcontext(Silence()) if as_json else open_reporter(warehouse, by_hand=True)
    with reporting as reporter:
        made = dev.up(dev.as_role_of(warehouse, connection), name, since, reporter, count)
    if as_json:
        show_json(made._asdict())
    elif not made.built:
        say(f"{name}: nothing changed since {since}; there is nothing to build")
    else:
        took = time.monotonic() - began
        done = [task for task, ending in made.built.items() if ending == "done"]
        say(
            f"{name}: {counted(len(done), 'task')} of {len(made.built):,} built and "
            f"{counted(made.views, 'view')} in {', '.join(made.schemas)}, in {took:.1f} s"
        )
    sys.exit(1 if set(made.built.values()) - {"done"} else 0)


@dev.command("diff")
@WAREHOUSE
@_NAME
@click.option("--samples", type=click.IntRange(0, 1000), default=5, help="Rows of each kind (5).")
@_CONNECTION
@AS_JSON
def diff(warehouse: Warehouse, name: str, samples: int, connection: str, as_json: bool) -> None:
    """Compare what was built in NAME with production.

    Example: dapu dev diff finances anna
    """
    from dapu.cli.trial import changes_of, show_differences
    from dapu.trial import dev

    found = dev.diff(dev.as_role_of(warehouse, connection), name, samples)
    if as_json:
        show_json([{"task": one.task, **asdict(one.differences)} for one in found])
        return
    for one in found:
        show_differences(one.differences)
        say(f"{one.task}: {changes_of(one.differences)}")


@dev.command("down")
@WAREHOUSE
@_NAME
@_CONNECTION
@AS_JSON
def down(warehouse: Warehouse, name: str, connection: str, as_json: bool) -> None:
    """Drop the dev warehouse NAME: its schemas, and nothing else.

    Example: dapu dev down finances anna
    """
    from dapu.trial import dev

    schemas = dev.down(dev.as_role_of(warehouse, connection), name)
    if as_json:
        show_json({"schemas": schemas})
    elif schemas:
        say(f"{name}: dropped {', '.join(schemas)}")
    else:
        say(f"there is no dev warehouse `{name}`")


COMMANDS = (dev,)
