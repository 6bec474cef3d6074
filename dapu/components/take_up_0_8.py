"""Takes up the tables of dapu 0.8 as its registry has them, while it stands beside this one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from psycopg2.extensions import cursor as Cursor

from dapu.components.baseline import Baselined, Sample, TakesUp, open_baseline, record_steps
from dapu.components.registrar import Registration, register
from dapu.components.versioner import bring_up_to_date
from dapu.definitions.reader import DefinitionReader
from dapu.definitions.steps import MigrationStep
from dapu.errors import ConfigurationError, DapuError
from dapu.loading.options import LoadOptions
from dapu.loading.table.relation import describe
from dapu.registry import dapu_0_8, migrations, tasks, watermarks
from dapu.registry.dapu_0_8 import OldOverride, OldTask
from dapu.registry.store import Registry
from dapu.registry.version import WAREHOUSE, registry_of
from dapu.statement import TableName
from dapu.warehouse.warehouse import Warehouse

_NUMBER = re.compile(r"v?\d+_")
_NOTE = "from dapu 0.8"


@dataclass
class TakenUp:
    """What was taken from the registry of dapu 0.8.

    left: ids of its tasks that have no folder here. faults: tasks that cannot be taken up, and why.
    """

    registration: Registration
    tasks: list[Baselined] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def take_up(
    warehouse: Warehouse,
    reader: DefinitionReader,
    sample: Sample,
    place: Registry,
    note: Callable[[str], None],
) -> TakenUp:
    """Takes over which steps were applied, watermarks, overrides and last runs, and registers.

    place: the schema and prefix of the registry of dapu 0.8, which is not changed.
    Raises ConfigurationError when there is none, or it is not stopped.
    """
    _check_stopped(warehouse, place)
    bring_up_to_date(warehouse, note, lambda *of: _take_steps(place, *of))
    found = TakenUp(Registration())
    with open_baseline(warehouse, reader, sample) as takes_up:
        old = dapu_0_8.tasks(takes_up.cursor, place)
        for one in old:
            _take_task(takes_up, one, found)
        _take_overrides(takes_up, place, found)
    found.registration = register(warehouse, reader, note, wait=True)
    runs = [
        (one.task, one.last_started_at, one.last_ended_at)
        for one in old
        if one.last_started_at and one.last_ended_at
    ]
    with warehouse.session("baseline") as session, session, session.cursor() as cursor:
        tasks.take_last_runs(cursor, registry_of(warehouse), runs)
    return found


def _check_stopped(warehouse: Warehouse, place: Registry) -> None:
    with warehouse.session("baseline") as session, session, session.cursor() as cursor:
        if not dapu_0_8.is_there(cursor, place):
            raise ConfigurationError(
                f"the schema `{place.schema}` has no registry of dapu 0.8; write its schema, and "
                "a prefix of its tables behind a point: `--from-0.8 meta.bis_`"
            )
        if not dapu_0_8.is_stopped(cursor, place):
            raise ConfigurationError(
                "dapu 0.8 is not stopped and would load the same tables; stop it by `set "
                f"allowed_version = 99` in the table {place.schema}.{place.prefix}stopper"
            )
        running = dapu_0_8.running(cursor, place)
        if running:
            raise ConfigurationError(
                f"jobs of dapu 0.8 are running ({', '.join(running)}); wait until they have ended"
            )


def _take_steps(
    place: Registry, cursor: Cursor, registry: Registry, steps: Sequence[MigrationStep]
) -> None:
    """Of the project's own steps, those that dapu 0.8 applied: 001_roles.sql was v001_roles.sql."""
    done = migrations.applied(cursor, registry, WAREHOUSE)
    files = dapu_0_8.applied_files(cursor, place)
    names = files | {_NUMBER.sub("", name, count=1) for name in files}
    taken = [
        step
        for step in steps
        if step.number not in done and _NUMBER.sub("", step.path.name, count=1) in names
    ]
    record_steps(cursor, registry, WAREHOUSE, taken)


def _take_task(takes_up: TakesUp, old: OldTask, found: TakenUp) -> None:
    """One that is wrong is reported, and stops no other."""
    cursor, catalogue = takes_up.cursor, takes_up.catalogue
    if old.task not in catalogue.definitions and old.task not in catalogue.faulty:
        found.left.append(old.task)
        return
    _, schema, table = old.task.split(".")
    if describe(cursor, TableName(schema, table)) is None and not old.table_version:
        return  # it never loaded anything
    cursor.execute("savepoint dapu_task")
    try:
        watermark = old.synced_until if _needs_watermark(takes_up, old.task) else None
        found.tasks.append(takes_up.task(old.task, watermark, old.table_version))
    except DapuError as error:
        cursor.execute("rollback to savepoint dapu_task")
        found.faults.append(str(error))


def _needs_watermark(takes_up: TakesUp, task: str) -> bool:
    """Whether it has none yet: one that has been running here knows better."""
    if watermarks.is_set(takes_up.cursor, takes_up.registry, task):
        return False
    actions = takes_up.definition(task).task.actions
    return any(isinstance(action, LoadOptions) and action.watermark for action in actions)


def _take_overrides(takes_up: TakesUp, place: Registry, found: TakenUp) -> None:
    fit: list[OldOverride] = []
    for one in dapu_0_8.overrides(takes_up.cursor, place):
        if one.day_parts == []:
            found.faults.append(
                f"{one.task}: its rows in {place.schema}.{place.prefix}reconf leave no part of the "
                "day; say it by `blacklisted` in the table `override`, or in task.yaml"
            )
        else:
            fit.append(one)
    tasks.put_overrides(takes_up.cursor, takes_up.registry, [(*one, _NOTE) for one in fit])
