"""The Registrar: the definitions in routes/ become the registry's tasks.

A faulty definition is told and left out; it stops nothing else. A task that was registered before
and is faulty now keeps its place, but is not queued until it is mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from psycopg2 import sql
from psycopg2.extensions import connection as PgSession
from psycopg2.extensions import cursor as Cursor

from dapu.definitions.catalogue import Catalogue, check_dependencies, read_catalogue
from dapu.definitions.folders import scan
from dapu.definitions.reader import Definition, DefinitionReader
from dapu.definitions.steps import Step, read_steps
from dapu.errors import DapuError, Fault
from dapu.manager import next_cron_time
from dapu.named_sql import compose, statement
from dapu.registry import agenda, migrations, seen, tasks, watermarks
from dapu.registry.store import Registry
from dapu.versioner import StepFault, apply_steps, check_registry, pending_steps, registry_of
from dapu.warehouse import Warehouse

_CHANGED = "the definition changed"


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
) -> Registration:
    """Registers all tasks of a warehouse, and applies the steps of their tables.

    note: told of each step before it is applied.
    wait: for another registrar to end, instead of giving up.
    Raises DapuError when another registrar is at work.
    """
    registry = registry_of(warehouse)
    with warehouse.session("registrar") as session, session.cursor() as cursor:
        check_registry(cursor, registry)
        _take_turn(cursor, registry, wait)
        session.commit()
        return _Round(warehouse, reader, registry, session, note).run()


def _take_turn(cursor: Cursor, registry: Registry, wait: bool) -> None:
    key = {"key": registry.lock_key("registrar")}
    if wait:
        cursor.execute(statement("server.lock"), key)
        return
    cursor.execute(statement("server.try_lock"), key)
    row = cursor.fetchone()
    if not (row and row[0]):
        raise DapuError("another registrar is at work on this warehouse; try again when it is done")


@dataclass
class _Round:
    warehouse: Warehouse
    reader: DefinitionReader
    registry: Registry
    session: PgSession
    note: Callable[[str], None]

    def run(self) -> Registration:
        with self._transaction() as cursor:
            registered = tasks.hashes(cursor, self.registry)
            masters = tasks.masters(cursor, self.registry)
        catalogue = read_catalogue(
            scan(self.warehouse.folder),
            self.reader,
            self.warehouse.connections,
            {task: old.hash if old.state == "ready" else None for task, old in registered.items()},
        )
        upgrades, postponed = self._upgrades(catalogue)
        check_dependencies(catalogue, masters)
        result = self._write(catalogue, registered, postponed)
        for definition, steps in upgrades:
            self._upgrade(definition, steps, result)
        return result

    def _upgrades(
        self, catalogue: Catalogue
    ) -> tuple[list[tuple[Definition, list[Step]]], set[str]]:
        """The definitions whose tables have steps to apply, and those that must wait for a job."""
        with self._transaction() as cursor:
            running = {task for _, task in agenda.running(cursor, self.registry)}
        upgrades, postponed = [], set()
        for definition in list(catalogue.definitions.values()):
            task = definition.folder.id
            steps = read_steps(definition.folder.path / "ver")
            if not steps:
                continue
            self._forget_steps_of_missing_table(definition)
            try:
                pending = pending_steps(self.session, self.registry, task, steps)
            except StepFault as error:
                catalogue.leave_out(task, error.fault)
                continue
            if pending and task in running:
                postponed.add(task)
            elif pending:
                upgrades.append((definition, pending))
        return upgrades, postponed

    def _forget_steps_of_missing_table(self, definition: Definition) -> None:
        """A table that was dropped by hand is made again from its first step."""
        folder = definition.folder
        with self._transaction() as cursor:
            name = sql.Identifier(folder.schema, folder.table).as_string(cursor)
            cursor.execute(statement("server.relation_exists"), {"name": name})
            row = cursor.fetchone()
            if row and not row[0]:
                migrations.forget(cursor, self.registry, folder.id)
                self._forget_rows(cursor, folder.id)

    def _write(
        self,
        catalogue: Catalogue,
        registered: dict[str, tasks.Registered],
        postponed: set[str],
    ) -> Registration:
        wanted = [one for task, one in catalogue.definitions.items() if task not in postponed]
        ids = [definition.folder.id for definition in wanted]
        faulty = {
            task: "\n".join(map(str, faults))
            for task, faults in catalogue.faulty.items()
            if task in registered
        }
        gone = catalogue.gone
        with self._transaction() as cursor:
            for name, route in catalogue.routes.items():
                tasks.put_route(cursor, self.registry, name, route)
            tasks.put(cursor, self.registry, wanted, self._next_crons(wanted))
            for task, text in faulty.items():
                tasks.set_state(cursor, self.registry, [task], "faulty", text)
            agenda.withdraw(cursor, self.registry, [*ids, *faulty], _CHANGED)
            agenda.withdraw(cursor, self.registry, gone, "the task is no longer registered")
            removed = tasks.unregister(cursor, self.registry, gone)
            for task in removed:
                self._forget_rows(cursor, task)
            tasks.drop_routes(cursor, self.registry, catalogue.routes)
        return Registration(
            new=[task for task in ids if task not in registered],
            changed=[task for task in ids if task in registered],
            unregistered=removed,
            postponed=sorted(postponed),
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

    def _upgrade(self, definition: Definition, steps: Sequence[Step], result: Registration) -> None:
        """Applies a table's steps while the task cannot be queued."""
        task, keeps_data = definition.folder.id, definition.task.upgrade.keeps_data

        def forget_rows(cursor: Cursor, step: Step) -> None:
            if step.number not in keeps_data:
                self._forget_rows(cursor, task)

        with self._transaction() as cursor:
            tasks.set_state(cursor, self.registry, [task], "upgrading")
            schema = sql.Identifier(definition.folder.schema)
            cursor.execute(compose("server.create_schema", schema=schema))
        state, fault = "ready", None
        try:
            apply_steps(self.session, self.registry, task, steps, self.note, forget_rows)
        except StepFault as error:
            state, fault = "faulty", str(error)
            result.faults.append(error.fault)
        with self._transaction() as cursor:
            tasks.set_state(cursor, self.registry, [task], state, fault)

    def _forget_rows(self, cursor: Cursor, task: str) -> None:
        """The task's next run reads everything."""
        watermarks.reset(cursor, self.registry, task)
        seen.reset(cursor, self.registry, task)

    @contextmanager
    def _transaction(self) -> Iterator[Cursor]:
        with self.session, self.session.cursor() as cursor:
            yield cursor
