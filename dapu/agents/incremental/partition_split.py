"""`split: {every: partition}`: each partition of the table is built by itself, then all at once.

A part is a partition: whichever worker reads it builds the partition aside, with its key, in one
transaction; its rows are written once, and frozen. When all are there, the job puts them in place
of the old ones, in its own one commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.agents.incremental.part_reader import Reading
from dapu.agents.incremental.partition_rows import PartitionRows, rows_of_partitions
from dapu.agents.incremental.split import LOCK_WAIT, SplitLoad
from dapu.errors import JobError
from dapu.loading.result import LoadResult
from dapu.loading.table.evolve import plan
from dapu.loading.table.partitions import Partitioned, partitions_of, put_partitions_in_place
from dapu.loading.table.relation import Relation, check_fit, check_names, describe
from dapu.named_sql import compose, statement
from dapu.registry import split_parts
from dapu.registry.split_parts import SplitPart
from dapu.rows.rows import Column
from dapu.sources.databases.source import Source
from dapu.statement import TableName
from dapu.suggest import nearest


@dataclass(frozen=True)
class PartitionSplit(SplitLoad):
    """A load of which each part is a partition of the table.

    partitioned: the table's partitions. parts: which rows belong to each.
    """

    partitioned: Partitioned
    parts: Sequence[PartitionRows]

    def _load(
        self, cursor: Cursor, columns: Sequence[Column], target: Relation | None
    ) -> LoadResult:
        """Puts the partitions in place."""
        name, schema = self.context.table, self._stage.schema
        read = split_parts.of_action(cursor, *self._action)
        put_partitions_in_place(cursor, name, self.partitioned, schema)
        given = tuple(column.name for column in columns)
        known = target.columns if target else ()
        kept = tuple(column.name for column in known if column.name not in given)
        rows = sum(part.rows or 0 for part in read)
        return LoadResult(rows, columns=given, kept=kept)

    def _reading(
        self, columns: Sequence[Column], planned: Sequence[SplitPart], key: tuple[str, ...]
    ) -> Reading:
        reading = super()._reading(columns, planned, key)
        return replace(reading, partitions=tuple(self.parts))

    @property
    def _stage(self) -> TableName:
        """In a schema of its own, which whoever loads the table next knows by its name."""
        name, position = self.context.table, self.context.action.position
        text = hashlib.sha256(f"{name} {position}".encode()).hexdigest()[:16]
        return TableName(f"dapu_new_parts_{text}", name.table)

    def _has_stage(self, cursor: Cursor, planned: Sequence[SplitPart]) -> bool:
        built = [
            one.partition.name.table
            for one, part in zip(self.parts, planned, strict=True)
            if part.rows is not None and one.partition is not None
        ]
        schema = self._stage.schema
        return all(describe(cursor, TableName(schema, table)) for table in built)

    def _make_stage(
        self, cursor: Cursor, columns: Sequence[Column], target: Relation | None
    ) -> None:
        self._check_columns(cursor, columns, target)
        schema = sql.Identifier(self._stage.schema)
        cursor.execute(statement("swap.lock_timeout"), {"timeout": LOCK_WAIT})
        try:
            cursor.execute(compose("partitions.drop_schema", schema=schema))
        except psycopg2.errors.LockNotAvailable as error:
            raise JobError(
                f"somebody has had hold of a table in {self._stage.schema} for a minute, which an "
                f"earlier load of {self.context.table} has left"
            ) from error
        cursor.execute(compose("swap.create_schema", schema=schema))

    def _also_of_plan(self) -> list[Any]:
        return [part.to_json() for part in self.parts]

    def _cut(self, source: Source) -> tuple[str, list[tuple[str | None, str | None]]]:  # noqa: ARG002
        return "partition", [part.bounds for part in self.parts]

    def _check_columns(
        self, cursor: Cursor, columns: Sequence[Column], target: Relation | None
    ) -> None:
        """Raises JobError where the table would have to be altered first, or lacks a value."""
        name, column = self.context.table, self.partitioned.column
        check_names(name, columns)
        if target is None:
            raise JobError(f"{name} was dropped meanwhile")
        check_fit(cursor, name, target, columns)
        policy = self.options.change_policy(self.context.action.has_steps)
        evolution = plan(
            cursor, name, target, columns, [], policy, refused_values=self.refused_values
        )
        if evolution.alters:
            raise JobError(
                f"the columns of the query are not those of {name}, whose partitions are built "
                "with the columns that it has: alter it in the next step in ver/"
            )
        evolution.make()
        given = [one.name for one in columns]
        if column not in given:
            raise JobError(
                f"{name} is partitioned by {column}, which the query does not give"
                f"{nearest(column, given)}"
            )


def by_partition(cursor: Cursor, load: SplitLoad) -> PartitionSplit:
    """The same load, each part of which is a partition of the table.

    Raises JobError for a table that has none, or of which they cannot be built aside.
    """
    partitioned = partitions_of(cursor, load.context.table)
    parts = rows_of_partitions(cursor, partitioned)
    return PartitionSplit(
        load.context,
        load.options,
        load.split,
        load.query,
        load.connection,
        load.reader,
        load.refused_values,
        partitioned,
        parts,
    )
