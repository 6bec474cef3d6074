"""`dapu run`: runs tasks now, here."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import AS_JSON, SOME_TASKS, WAREHOUSE
from dapu.cli.console import complain, is_terminal, stamped
from dapu.cli.worker import show_counts
from dapu.errors import ConfigurationError, DapuError, Fault
from dapu.text import counted

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from dapu.components.downstream import CorrectionStep
    from dapu.registry.store import Registry
    from dapu.warehouse.postgres_session import Session
    from dapu.warehouse.warehouse import Warehouse

_ONE_DAY = 24 * 60  # minutes


@click.command("run")
@WAREHOUSE
@SOME_TASKS
@click.option("--full", is_flag=True, help="Read everything, whatever the watermark.")
@click.option("--from", "low", metavar="V", help="Read from this value of the watermark's column.")
@click.option(
    "--to",
    "high",
    metavar="V",
    help="Read up to this value, which belongs to it; a day, month or year to its end.",
)
@click.option("--rebuild", is_flag=True, help="Drop the table, make it anew, read everything.")
@click.option(
    "--downstream", is_flag=True, help="Then correct all that depend on it: see the manual."
)
@click.option("--dry-run", is_flag=True, help="Say what would run, in which order, and why.")
@AS_JSON
def run(
    warehouse: Warehouse,
    selectors: tuple[str, ...],
    full: bool,
    low: str | None,
    high: str | None,
    rebuild: bool,
    downstream: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run tasks now, here, whether they are due or not.

    TASK is a name, a pattern, or a selector: `staging.*`, `tag:daily`, `route:erp`, `failed:`,
    `changed:main` (what is not as git's main has it). `+mart.sales` takes in what it depends on,
    `staging.sale+` what depends on it. Several run in the order of what depends on what; what
    depends on one that fails is not run.

    Takes up changed definitions first, so that an analyst can edit and run. --from and --to fill
    a gap: they are a backfill, which leaves the watermark where it is. With --downstream
    the tasks that depend on it read the range again too, each after its masters. --rebuild is
    for a table that was made from something else, as from the wrong sheet of a workbook.

    With --dry-run nothing is queued and no definition taken up; --json goes with it.

    Exit status 0 when each job is done, 1 when one is not: failed, cancelled, or stopped.

    \b
    Examples:
      dapu run finances erp.staging.invoice --full
      dapu run finances erp.staging.invoice --from 2024-01-01 --to 2024-01-31
      dapu run finances erp.staging.invoice --from 2024-01-01 --to 2024-01-31 --downstream
      dapu run finances 'staging.*' +mart.sales
    """  # noqa: D301 - click's mark for lines that stay as they are
    step = _step_of(selectors, full, low, high, rebuild, downstream)
    if as_json and not dry_run:
        raise click.UsageError("--json goes with --dry-run")
    if dry_run:
        from dapu.cli.dry_run import show_plan

        show_plan(warehouse, selectors, step, as_json, full=full, downstream=downstream)
        return
    with warehouse.session("run") as session:
        faults = _register(warehouse, session)
        if step is None:
            jobs = _queue_selected(warehouse, session, selectors, faults, full=full)
        else:
            step = step._replace(task=_one_task(warehouse, session, step.task))
            _check_faults(warehouse, [step.task], faults)
            if rebuild:
                _check_rebuild(warehouse, step.task)
            queue = _queue_downstream if downstream else _queue
            jobs = queue(warehouse, session, step)
    _run_jobs(warehouse, jobs)
    if step is not None and not downstream:
        _show_missed(warehouse, next(iter(jobs)))


def _step_of(
    selectors: Sequence[str],
    full: bool,
    low: str | None,
    high: str | None,
    rebuild: bool,
    downstream: bool,
) -> CorrectionStep | None:
    """What one task reads; None for several. Raises UsageError for options that do not fit."""
    from dapu.components.downstream import CorrectionStep
    from dapu.registry.selectors import is_one_task

    of_one_task = bool(rebuild or downstream or low or high)
    if "" in (low, high):  # of a script's empty variable
        raise click.UsageError("--from and --to need a value; leave out the one without")
    if (full or rebuild) and (low or high):
        which = "--rebuild" if rebuild else "--full"
        raise click.UsageError(f"{which} reads everything: give it, or --from and --to, not both")
    if downstream and not (full or rebuild or low or high):
        raise click.UsageError(
            "--downstream needs --full, --rebuild, or --from and --to: what to correct"
        )
    if len(selectors) > 1 and of_one_task:
        raise click.UsageError("--from, --to, --rebuild and --downstream are for one task")
    if not (of_one_task or is_one_task(selectors)):
        return None
    backfill = {"from": low, "to": high} if low or high else None
    return CorrectionStep(selectors[0], full or rebuild, backfill, rebuild)


def _one_task(warehouse: Warehouse, session: Session, selector: str) -> str:
    from dapu.registry.selectors import one_task, selectable
    from dapu.registry.version import registry_of

    with session, session.cursor() as cursor:
        return one_task(selector, selectable(cursor, registry_of(warehouse)))


def _check_rebuild(warehouse: Warehouse, task: str) -> None:
    """Raises ConfigurationError where the table is not one that dapu makes."""
    folder = warehouse.folder.joinpath("routes", *task.split("."))
    if (folder / "ver").is_dir():
        table = task.partition(".")[2]
        raise ConfigurationError(
            f"{folder / 'ver'} makes the table of {task}, so that dapu does not drop it; empty it "
            f"by hand (truncate {table}) and read everything with --full"
        )


def _run_jobs(warehouse: Warehouse, jobs: dict[int, str]) -> None:
    """Runs queued jobs, in this order. Ends with status 1 when one of them is not done.

    jobs: their tasks, by number.
    """
    from dapu.cli.reporting import open_reporter
    from dapu.components.notifier import meet
    from dapu.worker.worker import Worker, stop_on_signals

    meet(warehouse)
    with open_reporter(warehouse, by_hand=True) as reporter:
        one = Worker(warehouse, reporter, minutes=_ONE_DAY)
        stop_on_signals(one)
        counts = one.run(only=list(jobs))
    if counts.failing or (counts.jobs and not is_terminal()):
        show_counts(warehouse, counts)
    if counts.endings["done"] == len(jobs):
        return
    left = _not_done(warehouse, list(jobs))
    if left and not counts.jobs - counts.endings["done"]:
        task, others = jobs[left[0]], len(left) - 1
        more = f", and {counted(others, 'job')} after it" if others else ""
        raise DapuError(f"{task} cannot start now: {_hindrance(warehouse, left[0])}{more}")
    if left:  # failed, or stopped: a script must not go on as if it were loaded
        sys.exit(1)


def _not_done(warehouse: Warehouse, jobs: list[int]) -> list[int]:
    from dapu.registry import agenda
    from dapu.registry.version import registry_of

    registry = registry_of(warehouse)
    with warehouse.session("run") as session, session.cursor() as cursor:
        found = {job: agenda.find(cursor, registry, job) for job in jobs}
    return [job for job, now in found.items() if now is None or now.status != "done"]


def _show_missed(warehouse: Warehouse, job: int) -> None:
    """Names the tasks that read only what is new, and do not see what the job changed before it."""
    from dapu.registry import corrections
    from dapu.registry.version import registry_of

    with warehouse.session("run") as session, session.cursor() as cursor:
        missed = corrections.open_ones(cursor, registry_of(warehouse), job=job)
    for one in missed:
        stamped(warehouse.settings.zone, complain)(f"warning: {one.task}: {one}")


def _queue_downstream(
    warehouse: Warehouse, session: Session, first: CorrectionStep
) -> dict[int, str]:
    from dapu.components.downstream import queue_downstream
    from dapu.registry.tasks import check_known
    from dapu.registry.version import registry_of

    registry = registry_of(warehouse)
    with session, session.cursor() as cursor:
        check_known(cursor, registry, first.task)
        queued = queue_downstream(cursor, registry, first)
        _note_who(cursor, registry, [job for _, job in queued])
    line = stamped(warehouse.settings.zone)
    for step, job in queued:
        line(f"{step.task}: queued as job {job}: {step.what}")
    return {job: step.task for step, job in queued}


def _register(warehouse: Warehouse, session: Session) -> list[Fault]:
    """Takes up the definitions; returns the faults that they have."""
    from dapu.agents.installed import known_agents
    from dapu.cli.components import show_changes
    from dapu.components.registrar import register

    reader = known_agents(warehouse.settings).reader(warehouse.settings)
    line = stamped(warehouse.settings.zone)
    done = register(warehouse, reader, line, wait=True, within=session)
    show_changes(done, line)
    return done.faults


def _check_faults(warehouse: Warehouse, tasks: Iterable[str], faults: list[Fault]) -> None:
    """Raises ConfigurationError when the definition of one of the tasks has a fault."""
    folders = [warehouse.folder.joinpath("routes", *task.split(".")) for task in tasks]
    own = [one for one in faults if any(one.file.is_relative_to(folder) for folder in folders)]
    if own:
        raise ConfigurationError("\n".join(map(str, own)))


def _queue_selected(
    warehouse: Warehouse,
    session: Session,
    selectors: Sequence[str],
    faults: list[Fault],
    *,
    full: bool,
) -> dict[int, str]:
    from dapu.components.selected import queue_selected
    from dapu.registry.version import registry_of

    registry = registry_of(warehouse)
    with session, session.cursor() as cursor:
        try:
            jobs = queue_selected(cursor, registry, selectors, full=full)
        except ConfigurationError as error:  # one that names a task which was not taken up
            raise ConfigurationError("\n".join(map(str, [error, *faults]))) from None
        _check_faults(warehouse, jobs.values(), faults)
        _note_who(cursor, registry, list(jobs))
    line = stamped(warehouse.settings.zone)
    if not jobs:
        line("run: no task is as the selectors say")
    for job, task in jobs.items():
        line(f"{task}: queued as job {job}")
    return jobs


def _queue(warehouse: Warehouse, session: Session, step: CorrectionStep) -> dict[int, str]:
    from dapu.registry import agenda
    from dapu.registry.tasks import check_known
    from dapu.registry.version import registry_of

    registry = registry_of(warehouse)
    with session, session.cursor() as cursor:
        check_known(cursor, registry, step.task)
        job = agenda.add(
            cursor, registry, step.task, "run", step.full, step.backfill, rebuild=step.rebuild
        )
        if job is None:
            raise ConfigurationError(f"{step.task} was unregistered this very moment")
        _note_who(cursor, registry, [job])
    return {job: step.task}


def _note_who(cursor: Cursor, registry: Registry, jobs: list[int]) -> None:
    from dapu.components import steering

    steering.note_queued(cursor, registry, jobs, steering.at_the_shell())


def _hindrance(warehouse: Warehouse, job: int) -> str:
    from dapu.registry import agenda
    from dapu.registry.version import registry_of

    with warehouse.session("run") as session, session.cursor() as cursor:
        why = agenda.hindrance(cursor, registry_of(warehouse), job)
    return f"{why}; it is queued as job {job}"


COMMANDS = (run,)
