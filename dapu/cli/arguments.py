"""Arguments and options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, tzinfo
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from click.shell_completion import CompletionItem

from dapu import durations
from dapu.cli import completion

if TYPE_CHECKING:
    from dapu.warehouse.warehouse import Warehouse


def moment(text: str, zone: tzinfo) -> datetime:
    """See `dapu.durations.moment`. Raises UsageError."""
    try:
        return durations.moment(text, zone)
    except ValueError as error:
        raise click.UsageError(f"--since {error}") from None


_FILE = "warehouse.yaml"  # dapu.warehouse.settings has it too, and takes long to import

COMPONENTS = {
    "versioner",
    "registrar",
    "manager",
    "worker",
    "cleaner",
    "gatekeeper",
    "server",
    "run",
}


def open_logs(warehouse: Warehouse, component: str) -> None:
    """From now on the log goes where warehouse.yaml says."""
    from dapu.errors import ConfigurationError
    from dapu.warehouse import logs

    settings = warehouse.settings
    try:
        logs.open_logs(
            settings.logs, warehouse.name, component, settings.zone, folder=warehouse.folder
        )
    except OSError as error:
        raise ConfigurationError(f"logs: {error.filename}: {error.strerror}") from None


class _WarehouseDirectory(click.ParamType["Warehouse"]):
    """A directory that the command gets as an opened warehouse."""

    name = "directory"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,  # noqa: ARG002 - as click calls it
        ctx: click.Context | None,
    ) -> Warehouse:
        """See `click.ParamType`. Raises ConfigurationError for what is not such a directory."""
        if ctx is not None and ctx.resilient_parsing:  # a shell completes words, and waits
            return cast("Warehouse", value)
        from dapu.warehouse.warehouse import open_warehouse

        warehouse = open_warehouse(Path(value))
        if ctx is not None and ctx.info_name in COMPONENTS:
            open_logs(warehouse, ctx.info_name)
        return warehouse

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - as click calls it
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """See `click.ParamType`: the shell itself completes directories."""
        return [CompletionItem(incomplete, type="dir")]


class CommandGroup(click.Group):
    """Commands whose DIR may be left out within a warehouse directory.

    modules: the names of commands, by their module, which is imported for the first of them.
    """

    def __init__(self, *given: Any, modules: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(*given, **more)
        self._module_of = {
            name: one for one, names in (modules or {}).items() for name in names.split()
        }

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See `click.Group`."""
        return sorted({*super().list_commands(ctx), *self._module_of})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See `click.Group`."""
        if cmd_name not in self.commands and cmd_name in self._module_of:
            for command in import_module(self._module_of[cmd_name]).COMMANDS:
                self.add_command(command)
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See `click.Group`."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            rest = _with_directory(ctx, command, rest)
        return name, command, rest


def _with_directory(ctx: click.Context, command: click.Command, args: list[str]) -> list[str]:
    """The arguments, with the directory that they leave out."""
    if not any(param.name == "warehouse" and param.required for param in command.params):
        return args
    parser = command.make_parser(click.Context(command, parent=ctx, resilient_parsing=True))
    try:
        given, _, _ = parser.parse_args(list(args))
    except click.UsageError:  # said when the command is parsed
        return args
    first = given.get("warehouse")
    if isinstance(first, str) and (Path(first).exists() or os.sep in first):
        return args
    here = Path.cwd()
    folder = next((one for one in (here, *here.parents) if (one / _FILE).is_file()), None)
    return args if folder is None else [os.path.relpath(folder), *args]


WAREHOUSE = click.argument("warehouse", type=_WarehouseDirectory(), metavar="[DIR]")
OPTIONAL_WAREHOUSE = click.argument(
    "warehouse", type=_WarehouseDirectory(), metavar="[DIR]", required=False
)
FOLDER = click.argument(
    "warehouse",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="[DIR]",
)
"""The same for a command that opens none of its connections."""
SINCE = click.option(
    "--since",
    metavar="WHEN",
    help="Only what happened since: `yesterday`, `today`, `2 hours`, `2024-05-01 14:30`.",
)
TASK = click.argument("task", shell_complete=completion.tasks)


def _find_changed(
    ctx: click.Context,
    param: click.Parameter,  # noqa: ARG001 - as click calls it
    given: tuple[str, ...],
) -> tuple[str, ...]:
    """`changed:` is asked of git where the warehouse directory is known."""
    if ctx.resilient_parsing or not any("changed:" in one for one in given):
        return given
    from dapu.lineage.changed_since import changed_since
    from dapu.registry.selectors import CHANGED, ChangedSelector

    folder = ctx.params["warehouse"].folder

    def found(selector: str) -> str:
        body = selector.removeprefix("+").removesuffix("+")
        if not body.startswith(CHANGED):
            return selector
        return ChangedSelector(selector, changed_since(folder, body.removeprefix(CHANGED)))

    return tuple(map(found, given))


SOME_TASKS = click.argument(
    "selectors",
    metavar="TASK…",
    nargs=-1,
    required=True,
    callback=_find_changed,
    shell_complete=completion.selectors,
)
ALL_OR_SOME_TASKS = click.argument(
    "selectors",
    metavar="[TASK]…",
    nargs=-1,
    callback=_find_changed,
    shell_complete=completion.selectors,
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print data as JSON.")
