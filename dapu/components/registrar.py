"""The Registrar: the definitions in routes/ become the registry's tasks.

A faulty definition is reported and left out; it stops nothing else. A task that was registered
before and is faulty now keeps its place, but is not queued until it is fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.components.provenance import commit_of, who
from dapu.components.versioner import apply_steps, pending_steps
from dapu.definitions.catalogue import Catalogue, check_dependencies, read_catalogue
from dapu.definitions.folders import scan
from dapu.definitions.reader import Definition, DefinitionReader
from dapu.definitions.steps import MigrationStep, read_steps
from dapu.errors import DapuError, Fault, StepFault
from dapu.lineage.depends_auto import fill_in_depends
from dapu.loading.table.relation import make_schema
from dapu.named_sql import statement
from dapu.registry import (
    agenda,
    blocks,
    events,
    migrations,
    read_ranges,
    source_state,
    tasks,
    watermarks,
)
from dapu.registry.failed_at import FailedAt
from dapu.registry.migrations import Applied
from dapu.registry.store import Registry
from dapu.registry.version import check_registry, registry_of
from dapu.secrets import redact
from dapu.warehouse.clock import next_cron_time
from dapu.warehouse.postgres_session import Session
from dapu.warehouse.warehouse import Warehouse


@dataclass
class Registration:
    """What the Registrar did, as task ids, and what it found wrong."""

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unregistered: list[str] = field(default_factory=list)
    postponed: list[str] = field(default_factory=list)
    unchanged: int = 0
    faults: list[Fault] = field(default_factory=list)


def register(
    warehouse: Warehouse,
    reader: DefinitionReader,
    note: Callable[[str], None],
    *,
    wait: bool = False,
    within: Session | None = None,
) -> Registration:
    """Registers all tasks of a warehouse, and applies the steps of their tables.

    note: gets a line about each step before it is applied.
    wait: for another registrar to end, instead of giving up.
    within: a session of the caller's, which goes on using it.
    Raises DapuError when another registrar is at work.
    """
    registry = registry_of(warehouse)
    sessions = nullcontext(within) if within else warehouse.session("registrar")
    with sessions as session, session.cursor() as cursor:
        check_registry(cursor, registry)
        take_turn(cursor, registry, wait=wait)
        session.commit()
        registration = _RegistrarRound(warehouse, reader, registry, session, note).run()
        # The server sees the session's end a moment later, when the next one may be there already.
        cursor.execute(statement("server.unlock"), {"key": registry.lock_key("registrar")})
        session.commit()
        return registration


def take_turn(cursor: Cursor, registry: Registry, *, wait: bool) -> None:
    """Holds the place of the one registrar, until the session ends.

    wait: for another registrar to end. Raises DapuError when one is at work, and not waited for.
    """
    key = {"key": registry.lock_key("registrar")}
    if wait:
        cursor.execute(statement("server.lock"), key)
        return
    cursor.execute(statement("server.try_lock"), key)
    row = cursor.fetchone()
    if not (row and row[0]):
        raise DapuError("another registrar is at work on this warehouse; try again when it is done")


@dataclass(frozen=True)
class _Upgrade:
    """Steps of a task's table that are to be applied.

    afresh: from the first on, for the table was dropped by hand.
    """

    definition: Definition
    steps: list[MigrationStep]
    afresh: bool


@dataclass
class _RegistrarRound:
    warehouse: Warehouse
    reader: DefinitionReader
    registry: Registry
    session: Session
    note: Callable[[str], None]

    def run(self) -> Registration:
        with self._transaction() as cursor:
            names = (self.warehouse.settings.day_parts, self.warehouse.connections)
            registered = tasks.hashes(cursor, self.registry, *names)
            masters = tasks.masters(cursor, self.registry)
            applied = migrations.of_tasks(cursor, self.registry)
            dropped = migrations.dropped(cursor, self.registry)
        for task in dropped:
            del applied[task]
            if task in registered:
                registered[task] = None
        found = scan(self.warehouse.folder)
        catalogue = read_catalogue(found, self.reader, self.warehouse.connections, registered)
        fill_in_depends(catalogue, self.warehouse.connections, masters)
        moved = _find_moved(catalogue, applied, registered)
        applied |= {task: applied[old] for task, old in moved.items() if old in applied}
        upgrades = _find_upgrades(catalogue, applied, dropped)
        check_dependencies(catalogue, masters)
        upgrades = {task: one for task, one in upgrades.items() if task in catalogue.definitions}
        for task in self._hold_back(upgrades):
            del upgrades[task]
            catalogue.postpone(task)
        result = self._write(catalogue, upgrades, moved)
        for upgrade in upgrades.values():
            self._apply(upgrade, result)
        return result

    def _hold_back(self, upgrades: Mapping[str, _Upgrade]) -> list[str]:
        """Lets no job of these tasks start; returns those of which one is running."""
        with self._transaction() as cursor:
            agenda.take_turn(cursor, self.registry)
            running = {task for _, task in agenda.running(cursor, self.registry)}
            upgrading = [task for task in upgrades if task not in running]
            tasks.set_state(cursor, self.registry, upgrading, "upgrading")
        return [task for task in upgrades if task in running]

    def _write(
        self,
        catalogue: Catalogue,
        upgrades: Mapping[str, _Upgrade],
        moved: Mapping[str, str],
    ) -> Registration:
        registered, definitions = catalogue.registered, catalogue.definitions
        faulty = {
            task: redact("\n".join(map(str, faults)))
            for task, faults in catalogue.faulty.items()
            if task in registered
        }
        source = tasks.Source(who(), commit_of(self.warehouse.folder) if definitions else None)
        with self._transaction() as cursor:
            for name, route in catalogue.routes.items():
                tasks.put_route(cursor, self.registry, name, route)
            for whose, why in ((definitions, "changed"), (faulty, "has a fault")):
                message = f"the definition {why}"
                for task in agenda.withdraw(cursor, self.registry, list(whose), message):
                    self._forget_rows(cursor, task)  # what the next job reads then, too
            agenda.withdraw(cursor, self.registry, catalogue.gone, "no longer registered")
            removed = tasks.unregister(cursor, self.registry, catalogue.gone)
            for task in moved.keys() & definitions.keys():
                self._take_over(cursor, task, moved[task])
            wanted = list(definitions.values())
            tasks.put(cursor, self.registry, wanted, self._next_crons(wanted), upgrades, source)
            tasks.set_faults(cursor, self.registry, faulty)
            tasks.drop_routes(cursor, self.registry, catalogue.found.routes)
        return Registration(
            new=[task for task in definitions if task not in registered],
            changed=[task for task in definitions if task in registered],
            unregistered=removed,
            postponed=catalogue.postponed,
            unchanged=len(catalogue.unchanged),
            faults=catalogue.faults,
        )

    def _next_crons(self, definitions: Sequence[Definition]) -> dict[str, datetime]:
        now = datetime.now(UTC)
        return {
            one.folder.id: next_cron_time(one.task.run.cron, now, self.warehouse.settings)
            for one in definitions
            if one.task.run.cron
        }

    def _apply(self, upgrade: _Upgrade, result: Registration) -> None:
        """Applies a table's steps, while the task cannot be queued."""
        task = upgrade.definition.folder.id
        try:
            self._prepare(upgrade)
            apply_steps(
                self.session,
                self.registry,
                task,
                upgrade.steps,
                upgrade.definition.step_names,
                self.note,
                self._along(upgrade),
            )
        except StepFault as error:
            result.faults.append(error.fault)
            with self._transaction() as cursor:
                tasks.set_faults(cursor, self.registry, {task: redact(str(error))})
                self._log(cursor, upgrade, error)
            return
        with self._transaction() as cursor:
            tasks.set_state(cursor, self.registry, [task], "ready")

    def _log(self, cursor: Cursor, upgrade: _Upgrade, error: StepFault) -> None:
        """An event of the task, with the statement that failed."""
        folder, (sql_text, line) = upgrade.definition.folder, error.sql or (None, None)
        file = error.fault.file
        shown = str(file.relative_to(folder.path)) if file.is_relative_to(folder.path) else None
        where = FailedAt((), shown, error.fault.line, sql_text, line)
        events.add_once(
            cursor, self.registry, "error", str(error), task=folder.id, data=where.data()
        )

    def _prepare(self, upgrade: _Upgrade) -> None:
        folder = upgrade.definition.folder
        try:
            with self._transaction() as cursor:
                make_schema(cursor, folder.schema)
                if upgrade.afresh:
                    migrations.forget(cursor, self.registry, folder.id)
        except psycopg2.Error as error:
            if self.session.closed:
                raise
            message = f"the schema {folder.schema} cannot be made: {error.diag.message_primary}"
            raise StepFault(Fault(upgrade.steps[0].path, 1, message)) from error

    def _along(self, upgrade: _Upgrade) -> Callable[[Cursor, MigrationStep], bool]:
        """What goes into the transaction of each step of a table.

        Steps before the one that makes the table belong to its transaction: were they committed,
        nothing would distinguish them from those of a table that was dropped by hand.
        """
        folder, last = upgrade.definition.folder, upgrade.steps[-1]
        keeps_data = upgrade.definition.task.upgrade.keeps_data

        def along(cursor: Cursor, step: MigrationStep) -> bool:
            if upgrade.afresh or step.number not in keeps_data:
                self._forget_rows(cursor, folder.id)
            name = sql.Identifier(folder.schema, folder.table).as_string(cursor)
            cursor.execute(statement("server.relation_exists"), {"name": name})
            row = cursor.fetchone()
            is_there = bool(row and row[0])
            if step is last and not is_there:
                message = f"the steps end, and there is no table {folder.schema}.{folder.table}"
                raise StepFault(Fault(step.path, 1, message))
            return is_there

        return along

    def _forget_rows(self, cursor: Cursor, task: str) -> None:
        """The task's next run reads everything."""
        watermarks.reset(cursor, self.registry, task)
        read_ranges.reset(cursor, self.registry, task)
        source_state.reset(cursor, self.registry, task)
        blocks.reset(cursor, self.registry, task)

    def _take_over(self, cursor: Cursor, task: str, old: str) -> None:
        """What was done for a table, and is known of it, is that of the task that has it now."""
        self._forget_rows(cursor, task)
        for memory in (migrations, watermarks, read_ranges, source_state):
            memory.take_over(cursor, self.registry, task, old)

    @contextmanager
    def _transaction(self) -> Iterator[Cursor]:
        with self.session, self.session.cursor() as cursor:
            yield cursor


def _find_moved(
    catalogue: Catalogue, applied: Collection[str], registered: Collection[str]
) -> dict[str, str]:
    """New tasks with the tables of deleted tasks, deleted now or before: as when a folder moved."""
    gone = catalogue.gone
    known, stay = {*registered, *applied}, set(registered) - set(gone)
    owners = {_table(task): task for task in [*applied, *gone] if task not in stay}
    new = [task for task in catalogue.definitions if task not in known]
    return {task: owners[_table(task)] for task in new if _table(task) in owners}


def _table(task: str) -> str:
    return task.partition(".")[2]


def _find_upgrades(
    catalogue: Catalogue,
    applied: Mapping[str, Mapping[int, Applied]],
    dropped: Collection[str],
) -> dict[str, _Upgrade]:
    """The definitions whose tables have steps to apply; one with a step that changed is faulty."""
    upgrades = {}
    for task, definition in list(catalogue.definitions.items()):
        steps = read_steps(definition.folder.path / "ver")
        try:
            pending = pending_steps(steps, applied.get(task, {}))
        except StepFault as error:
            catalogue.leave_out(task, error.fault)
            continue
        if pending:
            upgrades[task] = _Upgrade(definition, pending, task in dropped)
    return upgrades
