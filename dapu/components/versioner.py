"""The Versioner: brings the registry, and the warehouse's own schemas and roles, up to date.

Each step is applied once, in order, in a transaction of its own together with its record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dapu.definitions.script import ScriptStatement, fault_in_statement, split
from dapu.definitions.steps import MigrationStep, read_steps
from dapu.errors import ConfigurationError, Fault, FaultyFile, StepFault
from dapu.loading.table.relation import make_schema
from dapu.named_sql import Script, registry_scripts, statement
from dapu.registry import dapu_0_8, migrations
from dapu.registry.migrations import Applied
from dapu.registry.store import Registry
from dapu.registry.version import REGISTRY, WAREHOUSE, check_registry, exists, registry_of
from dapu.warehouse.postgres_session import Session, given_path, reset
from dapu.warehouse.warehouse import Warehouse


@dataclass
class Versions:
    """What the Versioner applied, by file name."""

    registry: list[str] = field(default_factory=list)
    warehouse: list[str] = field(default_factory=list)


TakeOver = Callable[[Cursor, Registry, Sequence[MigrationStep]], None]


def bring_up_to_date(
    warehouse: Warehouse, note: Callable[[str], None], take_over: TakeOver | None = None
) -> Versions:
    """Applies the registry's own migrations, then the steps in the warehouse's ver/.

    note: gets a line about each step before it is applied.
    take_over: records which of the warehouse's steps were applied before dapu kept record of them.
    Raises StepFault when a step fails (those before it stay), or one was changed after it was
    applied; ConfigurationError when the registry is newer than this dapu, or is one of dapu 0.8.
    """
    registry = registry_of(warehouse)
    steps = read_steps(warehouse.folder / "ver")
    applied = Versions()
    with warehouse.session("versioner") as session:
        with session.cursor() as cursor:
            cursor.execute(statement("server.lock"), {"key": registry.lock_key("versioner")})
        session.commit()
        applied.registry = _migrate_registry(session, registry, note)
        with session.cursor() as cursor:
            if take_over is not None:
                take_over(cursor, registry, steps)
            pending = pending_steps(steps, migrations.applied(cursor, registry, WAREHOUSE))
        session.commit()
        names = warehouse.settings.variables
        applied.warehouse = apply_steps(session, registry, WAREHOUSE, pending, names, note)
    return applied


def _migrate_registry(
    session: Session, registry: Registry, note: Callable[[str], None]
) -> list[str]:
    with session.cursor() as cursor:
        done = {}
        if exists(cursor, registry):
            done = migrations.applied(cursor, registry, REGISTRY)
            if max(done, default=0) > max(script.number for script in registry_scripts()):
                check_registry(cursor, registry)
        else:
            _check_room(cursor, registry)
            make_schema(cursor, registry.schema)
        session.commit()
        names = []
        for script in registry_scripts():
            if script.number not in done:
                note(f"registry: {script.name}")
                cursor.execute(registry.fill(script.text, cursor))
                migrations.record(cursor, registry, REGISTRY, _as_applied(script))
                session.commit()
                names.append(script.name)
    return names


def _check_room(cursor: Cursor, registry: Registry) -> None:
    """Raises ConfigurationError where dapu 0.8 has its registry, whose tables have these names."""
    if dapu_0_8.is_there(cursor, registry):
        other = "dapu" if registry.schema != "dapu" else "dapu_registry"
        raise ConfigurationError(
            f"the schema `{registry.schema}` has the registry of dapu 0.8; nothing was changed. "
            f"Give this dapu a schema of its own, with `registry: {{schema: {other}}}` in "
            "warehouse.yaml. `dapu convert` writes a warehouse directory from the project of 0.8, "
            f"and `dapu baseline` takes up its tables: {dapu_0_8.GUIDE}"
        )


def _as_applied(script: Script) -> Applied:
    checksum = hashlib.sha256(script.text.encode()).hexdigest()
    return Applied(script.number, script.name, checksum)


def apply_steps(
    session: Session,
    registry: Registry,
    scope: str,
    steps: Iterable[MigrationStep],
    names: Mapping[str, Any],
    note: Callable[[str], None],
    along: Callable[[Cursor, MigrationStep], bool] | None = None,
) -> list[str]:
    """Applies steps of a ver/ folder; returns their file names.

    names: what their templates may use.
    along: what else belongs into the transaction of a step; False keeps it open for the next.
    Raises StepFault that names the file and line of what is wrong; what was not committed then
    is undone.
    """
    applied_files = []
    for step in steps:
        note(f"{scope}: {step.path.name}")
        applied = Applied(step.number, step.path.name, step.checksum)
        with session.cursor() as cursor, _translated_faults(session, step):
            _execute(cursor, step, names)
            migrations.record(cursor, registry, scope, applied)
            if along is None or along(cursor, step):
                session.commit()
        applied_files.append(step.path.name)
    return applied_files


def _execute(cursor: Cursor, step: MigrationStep, names: Mapping[str, Any]) -> None:
    """Runs a step statement by statement, for the server does not say which one failed."""
    with given_path(cursor):
        for part in parts_of(cursor, step, names):
            try:
                cursor.execute(part.text)
            except psycopg2.Error as error:
                if cursor.connection.closed:
                    raise
                fault = fault_in_statement(step.path, part, error)
                raise StepFault(fault, (part.text, fault.line - part.line + 1)) from error
    # Who a step became, and what it set, is not for the next one, nor for dapu.
    reset(cursor)


def parts_of(
    cursor: Cursor, step: MigrationStep, names: Mapping[str, Any]
) -> list[ScriptStatement]:
    """The statements of a step. Raises StepFault when its template cannot be rendered."""
    try:
        return split(step.statement(names).composed().as_string(cursor))
    except FaultyFile as error:
        raise StepFault(error.faults[0]) from error


@contextmanager
def _translated_faults(session: Session, step: MigrationStep) -> Iterator[None]:
    """Undoes a step that fails, at the commit too: a constraint may be deferred until then."""
    try:
        yield
    except StepFault:
        session.rollback()
        raise
    except psycopg2.Error as error:
        if session.closed:
            raise
        session.rollback()
        raise StepFault(fault_in_statement(step.path, ScriptStatement(1, ""), error)) from error


def pending_steps(
    steps: Iterable[MigrationStep], done: Mapping[int, Applied]
) -> list[MigrationStep]:
    """The steps that were not applied yet.

    done: those that were, by number.
    Raises StepFault when one was changed after it was applied, or a new one has a number below
    the last that was applied.
    """
    last = max(done, default=0)
    pending = []
    for step in steps:
        if step.number in done:
            _check_unchanged(step, done[step.number])
        elif step.number < last:
            message = f"number {step.number} comes before {last}, which was applied already; "
            raise StepFault(Fault(step.path, 1, message + "give the new step the next free number"))
        else:
            pending.append(step)
    return pending


def _check_unchanged(step: MigrationStep, applied: Applied) -> None:
    if step.checksum != applied.checksum:
        message = (
            f"was changed after it was applied (as {applied.name}); "
            "put it back as it was, and write the change as a new step"
        )
        raise StepFault(Fault(step.path, 1, message))
