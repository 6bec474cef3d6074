"""`dapu views`: the views of `do: views` by hand."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from dapu.cli import completion
from dapu.cli.arguments import WAREHOUSE
from dapu.cli.console import complain, show_json, stamped
from dapu.text import counted

if TYPE_CHECKING:
    from dapu.generate.views.planned import Choice
    from dapu.generate.views.queued_views import Made
    from dapu.generate.views.views_action import ViewsAction
    from dapu.warehouse.warehouse import Warehouse


def _keys(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[str, ...]:
    return tuple(key.strip() for key in (text or "").split(",") if key.strip())


@click.command("views", context_settings={"auto_envvar_prefix": "DAPU_VIEWS"})
@WAREHOUSE
@click.argument("task", required=False, envvar="DAPU_VIEWS_TASK", shell_complete=completion.tasks)
@click.option("--dry-run", is_flag=True, help="Print the SQL; queue and make nothing.")
@click.option("--drop", is_flag=True, help="Drop the views that the task made, and no others.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first so many groups.")
@click.option(
    "--count",
    type=click.IntRange(min=0),
    help="{{ count }} in the query; of ABIs the least logs and calls.",
)
@click.option(
    "--only", callback=_keys, metavar="KEY,KEY", help="Only these groups; --limit does not hold."
)
@click.option("--consumers", type=click.IntRange(1, 64), help="Make so many groups at once (4).")
@click.option(
    "--json", "as_json", is_flag=True, envvar="DAPU_VIEWS_JSON", help="Print data as JSON."
)
def views(warehouse: Warehouse, task: str | None, as_json: bool, **options: Any) -> None:
    """Make the views of tasks with `do: views`.

    Of one TASK, or of all. Makes what is new or changed since the last time. A group that fails is
    reported, kept in the registry, and tried again the next time; the others are made: exit
    status 1.

    Every option can also be set as DAPU_VIEWS_DRY_RUN, DAPU_VIEWS_LIMIT and so on.

    \b
    Examples:
      dapu views finances mart.reports.by_country --dry-run --limit 1
      dapu views finances mart.reports.by_country --only EE,FI
      dapu views finances mart.reports.by_country --drop
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.generate.views.planned import Choice

    choice = Choice(options["only"], options["limit"], options["count"])
    if options["drop"]:
        if task is None:
            raise click.UsageError("--drop needs a TASK")
        _drop(warehouse, task, choice, options["dry_run"], as_json)
        return
    failed = False
    for action in list(_actions(warehouse, task)):
        if options["consumers"]:
            chosen = action.options.model_copy(update={"consumers": options["consumers"]})
            action = replace(action, options=chosen)  # noqa: PLW2901 - the same with an option
        if options["dry_run"]:
            failed |= _print(action, choice)
        else:
            failed |= _make(action, choice, as_json)
    sys.exit(1 if failed else 0)


def _actions(warehouse: Warehouse, task: str | None) -> Iterator[ViewsAction]:
    """The actions, as the files say now. Raises ConfigurationError for a task that has none."""
    from dapu.agents.installed import known_agents
    from dapu.definitions.folders import scan
    from dapu.errors import ConfigurationError, FaultyFile
    from dapu.generate.views.view_options import ViewsOptions
    from dapu.generate.views.views_action import ViewsAction
    from dapu.registry.version import registry_of
    from dapu.statement import TableName
    from dapu.suggest import nearest

    found = scan(warehouse.folder)
    if task is not None and task not in found.tasks:
        if task in found.faulty_tasks:
            raise FaultyFile(found.faulty_tasks[task])
        raise ConfigurationError(f"there is no task `{task}`{nearest(task, found.tasks)}")
    reader = known_agents(warehouse.settings).reader(warehouse.settings)
    any_views = False
    for folder in [found.tasks[task]] if task else found.tasks.values():
        if folder.route not in found.routes or (
            not task and b"views" not in folder.file.read_bytes()
        ):
            continue
        definition = reader.read(folder, found.routes[folder.route])
        for options in definition.task.actions if definition else ():
            if isinstance(options, ViewsOptions) and definition is not None:
                any_views = True
                this = TableName(folder.schema, folder.table)
                names = definition.variables | {"task": folder.id, "this": this}
                registry = registry_of(warehouse)
                yield ViewsAction(warehouse, registry, folder.id, folder.path, names, options)
    if not any_views:
        what = f"the task {task} has no action" if task else "there is no active task with"
        raise ConfigurationError(f"{what} `do: views`")


def _print(action: ViewsAction, choice: Choice) -> bool:
    """Prints the statements of the chosen groups; whether one of them has a fault."""
    from dapu.generate.views.view_database import database_of

    failed = False
    with (
        action.warehouse.session("views") as session,
        database_of(action, session) as database,
    ):
        click.echo(database.preparation(), nl=False)
        for group in database.groups(choice):
            click.echo(f"-- {group.key}")
            if group.fault:
                complain(f"{group.key}: {group.fault}")
                failed = True
            for view in group.views:
                click.echo(f"{database.replacement(group.key, view)};\n")
    return failed


def _make(action: ViewsAction, choice: Choice, as_json: bool) -> bool:
    """Makes the views; whether a group failed, or one that was asked for does not exist."""
    from dapu.cli.interrupts import run_until_signal
    from dapu.generate.views.queued_views import ViewsRun
    from dapu.registry.version import check_registry

    with action.warehouse.session("views") as session, session.cursor() as cursor:
        check_registry(cursor, action.registry)
    run = ViewsRun(action, choice)
    run_until_signal(run.run, run.stop)
    if as_json:
        failures = [failure._asdict() for failure in run.made.failures]
        show_json({"task": action.task, **vars(run.made), "failures": failures})
    else:
        _show(action, run.made)
    return bool(run.made.failures or run.made.missing)


def _show(action: ViewsAction, made: Made) -> None:
    zone = action.warehouse.settings.zone
    line = stamped(zone)
    for note in made.notes:
        line(note)
    for failure in made.failures:
        stamped(zone, complain)(f"{failure.key}: {failure.message}")
    if made.missing:
        stamped(zone, complain)(f"the query gives no group {', '.join(made.missing)}")
    line(
        f"{action.task}: {counted(made.views, 'view')} made in {counted(made.groups, 'group')}, "
        f"{counted(made.unchanged, 'group')} unchanged, {len(made.failures):,} failed"
    )


def _drop(warehouse: Warehouse, task: str, choice: Choice, dry_run: bool, as_json: bool) -> None:
    """Drops the views that the task made; ends with status 1 when some stay."""
    from dapu.generate.views.drop_views import Dropped, drop_own
    from dapu.generate.views.view_database import database_of
    from dapu.registry.version import check_registry, registry_of

    line = stamped(warehouse.settings.zone)
    registry = registry_of(warehouse)
    with warehouse.session("views") as session:
        with session.cursor() as cursor:
            check_registry(cursor, registry)
        # A task that was deleted no longer says whether its keys are addresses, in any case.
        addresses = (f"0x{key.lower().removeprefix('0x')}" for key in choice.only)
        only = [*choice.only, *addresses] or None
        done = drop_own(session, registry, task, only, dry_run=dry_run)
        for action in _elsewhere(warehouse, task):
            with database_of(action, session) as database, session.cursor() as cursor:
                more = database.drop(cursor, only, dry_run=dry_run)
                session.commit()
            done = Dropped(done.views + more.views, done.failures | more.failures)
    if as_json:
        names = [".".join(name) for name in done.views]
        show_json({"task": task, "dropped": names, "failures": done.failures})
    else:
        for name in done.views:
            line(f"{'would drop' if dry_run else 'dropped'} {'.'.join(name)}")
        line(f"{task}: {counted(len(done.views), 'view')} {'to drop' if dry_run else 'dropped'}")
    for key, why in done.failures.items():
        stamped(warehouse.settings.zone, complain)(f"{key} stays: {why}")
    sys.exit(1 if done.failures else 0)


def _elsewhere(warehouse: Warehouse, task: str) -> Iterator[ViewsAction]:
    """The actions of a task that make views in another database than the warehouse's own.

    Where those views are stands in the definition alone: of a deleted task they stay.
    """
    from dapu.definitions.folders import scan

    if task in scan(warehouse.folder).tasks:
        for action in _actions(warehouse, task):
            if action.is_elsewhere:
                yield action


COMMANDS = (views,)
