"""Takes up tables that exist: their steps count as applied, and their watermarks are set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.components.fit_steps import check_fit
from dapu.components.registrar import take_turn
from dapu.components.versioner import pending_steps
from dapu.definitions.catalogue import Catalogue, read_catalogue
from dapu.definitions.folders import scan
from dapu.definitions.reader import Definition, DefinitionReader
from dapu.definitions.steps import MigrationStep, read_steps
from dapu.errors import ConfigurationError, FaultyFile
from dapu.loading.options import LoadOptions, WatermarkOptions
from dapu.loading.table.relation import Relation, describe
from dapu.named_sql import compose
from dapu.registry import agenda, migrations, watermarks
from dapu.registry.migrations import Applied
from dapu.registry.ordered_values import given_as, to_text
from dapu.registry.store import Registry
from dapu.registry.version import check_registry, registry_of
from dapu.registry.watermarks import Watermark
from dapu.statement import TableName
from dapu.suggest import nearest
from dapu.warehouse.warehouse import Warehouse

Sample = Callable[[Definition, LoadOptions, str], Any]
"""A value of an action's watermark column, as its source gives it; None when it has none.

Takes the definition, the action's options, and the name of the route's connection."""


@dataclass(frozen=True)
class Baselined:
    """What was recorded for a task. steps: file names. watermark: as text; None: not set."""

    task: str
    steps: list[str]
    watermark: str | None


def baseline(
    warehouse: Warehouse,
    reader: DefinitionReader,
    sample: Sample,
    tasks: Sequence[str],
    watermark: str | None,
) -> list[Baselined]:
    """Records the steps of these tasks as applied, and how far their sources were read.

    watermark: as an operator writes it; None leaves it.
    Raises ConfigurationError, FaultyFile or StepFault for a task that cannot be taken up; nothing
    is recorded then, for none of them.
    """
    with open_baseline(warehouse, reader, sample) as takes_up:
        return [takes_up.task(task, watermark) for task in tasks]


@contextmanager
def open_baseline(
    warehouse: Warehouse, reader: DefinitionReader, sample: Sample
) -> Iterator[TakesUp]:
    """What takes up one task after the other, in one transaction, while no registrar is at work."""
    registry = registry_of(warehouse)
    with warehouse.session("baseline") as session, session, session.cursor() as cursor:
        check_registry(cursor, registry)
        take_turn(cursor, registry, wait=False)
        names = warehouse.connections
        catalogue = read_catalogue(scan(warehouse.folder), reader, names, {})
        yield TakesUp(cursor, registry, catalogue, sample, warehouse.settings.zone)


@dataclass(frozen=True)
class TakesUp:
    """Takes up tables in an open transaction."""

    cursor: Cursor
    registry: Registry
    catalogue: Catalogue
    sample: Sample
    zone: tzinfo

    def task(self, task: str, watermark: Any, last_step: int | None = None) -> Baselined:
        """Takes up one task's table.

        watermark: a text, or a time with a zone. last_step: later ones are still to be applied.
        Raises as `baseline` does.
        """
        definition = self.definition(task)
        table = TableName(definition.folder.schema, definition.folder.table)
        relation = describe(self.cursor, table)
        if relation is None:
            raise ConfigurationError(
                f"{task}: there is no table {table} to take up; `dapu registrar` makes it"
            )
        if task in {running for _, running in agenda.running(self.cursor, self.registry)}:
            raise ConfigurationError(f"{task}: a job of it is running; wait until it has ended")
        steps = self._record_steps(definition, table, relation, last_step)
        if watermark is None:
            return Baselined(task, steps, None)
        return Baselined(task, steps, self._set_watermark(definition, table, relation, watermark))

    def definition(self, task: str) -> Definition:
        """A task's definition. Raises FaultyFile, or ConfigurationError when there is none."""
        found = self.catalogue.definitions.get(task)
        if found is not None:
            return found
        if task in self.catalogue.faulty:
            raise FaultyFile(self.catalogue.faulty[task])
        if task in self.catalogue.found.tasks:
            raise ConfigurationError(f"{task}: its status is not `active`, or its route is faulty")
        known = nearest(task, self.catalogue.definitions)
        raise ConfigurationError(f"there is no task `{task}` in routes/{known}")

    def _record_steps(
        self, definition: Definition, table: TableName, relation: Relation, last: int | None
    ) -> list[str]:
        task = definition.folder.id
        steps = read_steps(definition.folder.path / "ver")
        steps = [step for step in steps if last is None or step.number <= last]
        pending = pending_steps(steps, migrations.applied(self.cursor, self.registry, task))
        if pending:
            check_fit(self.cursor, table, relation, steps, definition.step_names)
        return record_steps(self.cursor, self.registry, task, pending)

    def _set_watermark(
        self, definition: Definition, table: TableName, relation: Relation, given: Any
    ) -> str:
        source, options, watermark = self._watermarked(definition)
        column, task = watermark.column, definition.folder.id
        connection = self.catalogue.routes[definition.folder.route].connection
        like = self.sample(definition, options, connection)
        loaded = self._loaded_value(table, relation, column)
        if like is None and loaded is None:
            raise ConfigurationError(
                f"{task}: neither the source nor {table} has a value of the column {column}, so "
                "that nothing was read of it; leave the watermark out"
            )
        what = f"{task}: the watermark {given}"
        self._as_value(given, loaded, what, column)  # a source of texts would take any
        value = self._as_value(given, like, what, column)
        mark = Watermark(column, value)
        watermarks.move(self.cursor, self.registry, task, source, mark, None)
        return to_text(value, column)[1]

    def _as_value(self, given: Any, like: Any, what: str, column: str) -> Any:
        try:
            return given_as(given, like, self.zone)
        except (ValueError, ArithmeticError):
            raise ConfigurationError(
                f"{what} is not a value of the column {column}, whose values are like "
                f"{to_text(like, column)[1]}"
            ) from None

    def _watermarked(self, definition: Definition) -> tuple[str, LoadOptions, WatermarkOptions]:
        """The one action with a watermark: what it reads, its options, and its watermark's."""
        task = definition.task
        connection = self.catalogue.routes[definition.folder.route].connection
        found = [
            (source, action, action.watermark)
            for source, action in zip(task.sources(connection), task.actions, strict=True)
            if isinstance(action, LoadOptions) and action.watermark
        ]
        if len(found) != 1:
            what = "no action has" if not found else f"{len(found)} actions have"
            raise ConfigurationError(
                f"{definition.folder.id}: {what} a `watermark`, and one is needed to set it"
            )
        return found[0]

    def _loaded_value(self, table: TableName, relation: Relation, column: str) -> Any:
        """A value of the table's own column; None when it has none."""
        if column not in [one.name for one in relation.columns]:
            return None
        pieces = {"table": table.identifier, "column": sql.Identifier(column)}
        self.cursor.execute(compose("baseline.highest", **pieces))
        row = self.cursor.fetchone()
        return row[0] if row else None


def record_steps(
    cursor: Cursor, registry: Registry, scope: str, steps: Sequence[MigrationStep]
) -> list[str]:
    """Records steps as applied; returns their file names."""
    for step in steps:
        applied = Applied(step.number, step.path.name, step.checksum)
        migrations.record(cursor, registry, scope, applied)
    return [Path(step.path).name for step in steps]
