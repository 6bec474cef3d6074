"""The command that brings a project of dapu 0.8 over."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from dapu.cli.console import complain, say
from dapu.text import counted


@click.command("convert")
@click.argument("old", type=click.Path(path_type=Path, file_okay=False), metavar="OLD")
@click.argument("new", type=click.Path(path_type=Path), metavar="NEW")
@click.option("--timezone", metavar="ZONE", help="Do not ask the old database for its zone.")
def convert(old: Path, new: Path, timezone: str | None) -> None:
    """Bring a project of dapu 0.8 over: NEW from OLD.

    NEW becomes a warehouse directory; OLD is not changed. What has no match is listed with file,
    line and key; a task that needs it is a draft, with the list in its task.yaml: exit status 1.
    The old database is asked for its time zone, and for what operators changed of routes.

    \b
    Examples:
      dapu convert old/finances finances
      dapu convert old/finances finances --timezone Europe/Tallinn
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.agents.installed import known_agents
    from dapu.convert.project import convert

    done = convert(old, new, timezone, lambda settings: known_agents(settings).reader(settings))
    for fault in done.left:
        complain(str(fault))
    for name in done.missing:
        say(f"set {name} in the environment, or in {done.folder / '.env'}")
    ready = len(done.tasks) - len(done.drafts)
    say(
        f"convert: {counted(ready, 'task')} ready, {counted(len(done.drafts), 'draft')}, "
        f"{counted(len(done.left), 'thing')} without a match"
    )
    sys.exit(1 if done.drafts else 0)


COMMANDS = (convert,)
