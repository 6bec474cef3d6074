"""The Versioner: brings the registry, and the warehouse's own schemas and roles, up to date.

Each step is applied once, in order, in a transaction of its own together with its record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as PgSession
from psycopg2.extensions import cursor as Cursor

from dapu.definitions.steps import Step, read_steps
from dapu.errors import ConfigurationError, DapuError, Fault
from dapu.named_sql import Script, compose, registry_scripts, statement
from dapu.registry import migrations
from dapu.registry.migrations import Applied
from dapu.registry.store import Registry
from dapu.warehouse import Warehouse

REGISTRY, WAREHOUSE = "registry", "warehouse"


class StepFault(DapuError):
    """A step that cannot be applied."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass
class Versions:
    """What the Versioner applied, by file name."""

    registry: list[str] = field(default_factory=list)
    warehouse: list[str] = field(default_factory=list)


def bring_up_to_date(warehouse: Warehouse, note: Callable[[str], None]) -> Versions:
    """Applies the registry's own migrations, then the steps in the warehouse's ver/.

    note: told of each step before it is applied.
    Raises StepFault when a step fails (those before it stay), or one was changed after it was
    applied; ConfigurationError when the registry is newer than this dapu.
    """
    registry = registry_of(warehouse)
    steps = read_steps(warehouse.folder / "ver")
    applied = Versions()
    with warehouse.session("versioner") as session:
        with session.cursor() as cursor:
            cursor.execute(statement("server.lock"), {"key": registry.lock_key("versioner")})
        session.commit()
        applied.registry = _migrate_registry(session, registry, note)
        applied.warehouse = apply_steps(session, registry, WAREHOUSE, steps, note)
    return applied


def registry_of(warehouse: Warehouse) -> Registry:
    """The registry that warehouse.yaml names."""
    place = warehouse.settings.registry
    return Registry(place.schema_name, place.prefix)


def check_registry(cursor: Cursor, registry: Registry) -> None:
    """Raises ConfigurationError unless the registry is there and of this dapu's version."""
    if not _is_there(cursor, registry):
        raise ConfigurationError(
            f"there is no registry in schema `{registry.schema}` of the warehouse's database; "
            "run `dapu versioner` on this warehouse first"
        )
    known = max(script.number for script in registry_scripts())
    newest = max(migrations.applied(cursor, registry, REGISTRY), default=0)
    if newest > known:
        raise ConfigurationError(
            f"the registry is at version {newest}, and this dapu knows {known}: "
            "a newer dapu was here; install it on this machine too"
        )
    if newest < known:
        raise ConfigurationError(
            f"the registry is at version {newest}, and this dapu needs {known}; "
            "run `dapu versioner` on this warehouse"
        )


def _is_there(cursor: Cursor, registry: Registry) -> bool:
    name = registry.table("migration").as_string(cursor)
    cursor.execute(statement("server.relation_exists"), {"name": name})
    row = cursor.fetchone()
    return bool(row and row[0])


def _migrate_registry(
    session: PgSession, registry: Registry, note: Callable[[str], None]
) -> list[str]:
    with session.cursor() as cursor:
        schema = sql.Identifier(registry.schema)
        cursor.execute(compose("server.create_schema", schema=schema))
        done = {}
        if _is_there(cursor, registry):
            done = migrations.applied(cursor, registry, REGISTRY)
            if max(done, default=0) > max(script.number for script in registry_scripts()):
                check_registry(cursor, registry)
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


def _as_applied(script: Script) -> Applied:
    checksum = hashlib.sha256(script.text.encode()).hexdigest()
    return Applied(script.number, script.name, checksum)


def apply_steps(
    session: PgSession,
    registry: Registry,
    scope: str,
    steps: Iterable[Step],
    note: Callable[[str], None],
    along: Callable[[Cursor, Step], None] | None = None,
) -> list[str]:
    """Applies the steps of a ver/ folder that were not applied yet; returns their file names.

    along: what else belongs into the transaction of a step.
    Raises StepFault that names the file and what is wrong.
    """
    names = []
    for step in pending_steps(session, registry, scope, steps):
        note(f"{scope}: {step.path.name}")
        with session.cursor() as cursor:
            try:
                cursor.execute(step.text)
            except psycopg2.Error as error:
                session.rollback()
                raise StepFault(_fault(step, error)) from error
            if along is not None:
                along(cursor, step)
            applied = Applied(step.number, step.path.name, step.checksum)
            migrations.record(cursor, registry, scope, applied)
        session.commit()
        names.append(step.path.name)
    return names


def pending_steps(
    session: PgSession, registry: Registry, scope: str, steps: Iterable[Step]
) -> list[Step]:
    """The steps that were not applied yet.

    Raises StepFault when one was changed after it was applied, or a new one has a number below
    the last that was applied.
    """
    with session.cursor() as cursor:
        done = migrations.applied(cursor, registry, scope)
    session.commit()
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


def _check_unchanged(step: Step, applied: Applied) -> None:
    if step.checksum != applied.checksum:
        message = (
            f"was changed after it was applied (as {applied.name}); "
            "put it back as it was, and write the change as a new step"
        )
        raise StepFault(Fault(step.path, 1, message))


def _fault(step: Step, error: psycopg2.Error) -> Fault:
    place = error.diag.statement_position
    line = 1 + step.text[: int(place) - 1].count("\n") if place else 1
    reason = (error.diag.message_primary or str(error)).strip()
    hint = f" ({error.diag.message_hint})" if error.diag.message_hint else ""
    return Fault(step.path, line, reason + hint)
