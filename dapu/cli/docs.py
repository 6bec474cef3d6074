"""`dapu docs build`: the catalogue as a static site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import WAREHOUSE
from dapu.cli.console import say

if TYPE_CHECKING:
    from dapu.warehouse.warehouse import Warehouse


@click.group("docs")
def docs() -> None:
    """Write the catalogue of tables as a web site.

    Example: dapu docs build finances /var/www/finances
    """


@docs.command("build")
@WAREHOUSE
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
def build(warehouse: Warehouse, out: Path) -> None:
    """Write the catalogue into the folder OUT.

    Tables, columns, comments, owners, freshness, checks and lineage, as they are now: HTML files
    without scripts, for any web server, or to be opened in place. What it wrote before is replaced.

    \b
    Examples:
      dapu docs build finances /var/www/finances
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.agents.installed import definition_reader
    from dapu.pages.site import build as build_site

    number = build_site(warehouse, definition_reader, out)
    say(f"{out / 'index.html'}: {number:,} tables")


COMMANDS = (docs,)
