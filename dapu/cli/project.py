"""The commands that make files."""

from __future__ import annotations

from pathlib import Path

import click

from dapu.cli.console import say
from dapu.errors import ConfigurationError


@click.command("init")
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
def init(directory: Path) -> None:
    """Make a warehouse directory that runs as it is.

    It has an embedded PostgreSQL, one route and one example task, with comments that teach.

    Example: dapu init finances
    """
    import shutil

    from dapu.agents.installed import known_agents
    from dapu.components.schemas import write_schemas
    from dapu.shipped import shipped_folder
    from dapu.warehouse.settings import Settings

    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigurationError(f"{directory} already exists and is not empty")
    shutil.copytree(shipped_folder("starter"), directory, dirs_exist_ok=True)
    write_schemas(directory, known_agents(Settings()).options(()))
    say(f"{directory} is made. Now:")
    for command in ("versioner", "registrar", "manager", "worker", "status"):
        say(f"  dapu {command} {directory}")
    say(f"And all of it as pages: dapu server {directory}")


@click.command("conf-prep")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write here instead of over FILE; `-` is standard output.",
)
def conf_prep(file: Path, output: Path | None) -> None:
    """Replace every ${NAME} in FILE.

    The values come from the environment, or from the .env beside FILE. For deploys that want
    plain files. Nothing is written when a name is missing.

    Example: dapu conf-prep finances/connections.yaml
    """
    import tempfile

    from dapu.warehouse.environment import fill_in_text, read_environment
    from dapu.warehouse.yamlfile import read_text

    text = fill_in_text(read_text(file), read_environment(file.parent), file)
    if str(output) == "-":
        click.echo(text, nl=False)
        return
    target = output or file
    # It may hold secrets: nobody else may read it, and nobody may find half of it.
    with tempfile.NamedTemporaryFile("w", dir=target.parent, encoding="utf-8", delete=False) as new:
        new.write(text)
    Path(new.name).replace(target)
    say(f"{target} is written")


COMMANDS = (init, conf_prep)
