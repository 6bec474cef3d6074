"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from dapu.warehouse.warehouse import Warehouse


class _WarehouseDirectory(click.ParamType["Warehouse"]):
    """A directory that the command gets as an opened warehouse."""

    name = "directory"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,  # noqa: ARG002 - as click calls it
        ctx: click.Context | None,  # noqa: ARG002
    ) -> Warehouse:
        """See `click.ParamType`. Raises ConfigurationError for what is not such a directory."""
        from dapu.warehouse.warehouse import open_warehouse

        return open_warehouse(Path(value))

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - as click calls it
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """See `click.ParamType`: the shell itself completes directories."""
        return [CompletionItem(incomplete, type="dir")]


WAREHOUSE = click.argument("warehouse", type=_WarehouseDirectory(), metavar="DIR")
OPTIONAL_WAREHOUSE = click.argument(
    "warehouse", type=_WarehouseDirectory(), metavar="[DIR]", required=False
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print data as JSON.")
