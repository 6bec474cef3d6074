"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

DIRECTORY = click.argument(
    "directory", type=click.Path(file_okay=False, path_type=Path), metavar="DIR"
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print data as JSON.")
