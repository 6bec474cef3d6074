"""One part of a split load: taken, read, and kept in one commit with its record, by any worker."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.agents.incremental.partition_rows import PartitionRows
from dapu.agents.incremental.split_options import SplitOptions
from dapu.errors import JobError
from dapu.loading.options import LoadOptions
from dapu.loading.table.partitions import fill_partition, refuse_rows
from dapu.loading.table.relation import describe
from dapu.loading.values.bad_value_policy import apply_value_policy
from dapu.loading.values.find_row import row_finder
from dapu.registry import split_parts
from dapu.registry.ordered_values import from_text, to_text
from dapu.registry.split_parts import SplitPart
from dapu.registry.store import Registry
from dapu.rows.refused_value import naming_refused_values
from dapu.rows.rows import Column, Rows
from dapu.sources.databases.open import open_source
from dapu.sources.databases.source import Reader, SharesState, Source
from dapu.sources.databases.subquery import where
from dapu.statement import Statement, TableName
from dapu.warehouse.postgres_session import given_path
from dapu.warehouse.warehouse import Warehouse

Stoppable = Callable[[Callable[[], None]], AbstractContextManager[None]]
"""See `Context.stoppable`."""


@dataclass(frozen=True)
class Reading:
    """What a worker must know to read any part of a load, so that all read the same.

    connection, reader: of the source. query, columns: what is read of it. value: what the parts are
    cut by, a column or an expression. table: the task's, for messages. stage: where the rows go.
    key: the columns by which a person finds a row. plan: which plan the parts must be of.
    state: of the source; None when it has none that could be shared. partitions: where each part is
    a partition, built in the stage's schema.
    """

    connection: str
    reader: Reader
    query: Statement
    columns: tuple[Column, ...]
    split: SplitOptions
    table: TableName
    stage: TableName
    key: tuple[str, ...]
    plan: str
    state: str | None
    partitions: tuple[PartitionRows, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For the registry. Raises JobError for a value of the query that cannot be kept."""
        return {
            "connection": self.connection,
            "reader": self.reader,
            "query": list(self.query.parts),
            "values": [
                None if value is None else to_text(value, "query") for value in self.query.values
            ],
            "columns": [[column.name, column.type] for column in self.columns],
            "split": self.split.model_dump(),
            "table": [self.table.schema, self.table.table],
            "stage": [self.stage.schema, self.stage.table],
            "key": list(self.key),
            "plan": self.plan,
            "state": self.state,
            "partitions": [partition.to_json() for partition in self.partitions],
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Reading:
        """What `to_json` gave."""
        values = (None if value is None else from_text(*value) for value in kept["values"])
        return cls(
            connection=kept["connection"],
            reader=kept["reader"],
            query=Statement(tuple(kept["query"]), tuple(values)),
            columns=tuple(Column(*column) for column in kept["columns"]),
            split=SplitOptions.model_validate(kept["split"]),
            table=TableName(*kept["table"]),
            stage=TableName(*kept["stage"]),
            key=tuple(kept["key"]),
            plan=kept["plan"],
            state=kept["state"],
            partitions=tuple(map(PartitionRows.from_json, kept["partitions"])),
        )

    def of_part(self, part: SplitPart, source: Source) -> Statement:
        """The rows of one part."""
        names = ", ".join(source.quote(column.name) for column in self.columns)
        if self.partitions:
            rows = self.partitions[part.number - 1]
            column = f"dapu_query.{source.quote(rows.column)}"
            return where(self.query, rows.condition(column), names)
        kind, value = json.loads(part.plan)["kind"], value_of(self.split, source)
        condition = Statement(("(1 = 1",))
        for sign, text in ((">=", part.low), ("<", part.high)):
            if text is not None:
                bound = Statement((f" and {value} {sign} ", ""), (from_text(kind, text),))
                condition = condition.then(bound)
        if part.low is None:  # rows without a value belong to the first part
            condition = condition.then(Statement((f" or {value} is null",)))
        return where(self.query, condition.then(Statement((")",))), names)


def value_of(split: SplitOptions, source: Source) -> str:
    """What the parts are cut by, in the source's SQL."""
    if split.column is not None:
        return f"dapu_query.{source.quote(split.column)}"
    return f"({split.expression})"


class PartRead(NamedTuple):
    """A part that was read. in_state: in the state of the source that all were to be read in."""

    part: SplitPart
    rows: int
    in_state: bool


@dataclass(frozen=True)
class PartReader:
    """Reads parts of a job's load, one at a time; several of them may, on several machines.

    worker: which helps the job; None for the job's own. only_in_state: a part is not read when the
    source's state is gone.
    """

    warehouse: Warehouse
    registry: Registry
    stoppable: Stoppable
    task: str
    action: int
    job: int
    options: LoadOptions
    reading: Reading
    at_once: int
    worker: int | None = None
    only_in_state: bool = False

    def read_next(self) -> PartRead | None:
        """Reads a part that nobody reads; None when there is none now, or too many are read.

        Raises JobError when it cannot be read: it is free again.
        """
        with (
            self.warehouse.session("split") as session,
            self.stoppable(session.cancel),
            session,
            session.cursor() as cursor,
        ):
            of_plan = (cursor, self.registry, self.task, self.action, self.reading.plan)
            part = split_parts.take(*of_plan, self.at_once)
            if part is None:
                return None
            read = self._read(cursor, part)
            if not self._note(cursor, read):
                session.rollback()
            return read

    def _read(self, cursor: Cursor, part: SplitPart) -> PartRead:
        reading = self.reading
        opened = partial(open_source, self.warehouse, reading.connection, reading.reader)
        with closing(opened()) as source, self.stoppable(source.stop):
            in_state = reading.state is None or (
                isinstance(source, SharesState) and source.adopt(reading.state)
            )
            if self.only_in_state and not in_state:
                raise JobError("the state in which the source is read is not to be had from here")
            types = {column.name: column.type for column in reading.columns}
            rows = source.read(reading.of_part(part, source), types)
            with (
                given_path(cursor),
                naming_refused_values(reading.table, row_finder(rows), reading.key),
            ):
                count = self._put(cursor, part, rows)
        return PartRead(part, count, in_state)

    def _put(self, cursor: Cursor, part: SplitPart, rows: Rows) -> int:
        reading = self.reading
        target = describe(cursor, reading.table if reading.partitions else reading.stage)
        rows = apply_value_policy(cursor, reading.table, target, rows, self.options).rows
        if not reading.partitions:
            return rows.fill(cursor, reading.stage.identifier)
        of_part, schema = reading.partitions[part.number - 1], reading.stage.schema
        if of_part.partition is not None:
            return fill_partition(cursor, of_part.partition, schema, rows)
        return refuse_rows(cursor, reading.table, of_part.column, schema, rows)

    def _note(self, cursor: Cursor, read: PartRead) -> bool:
        where_kept = (cursor, self.registry, self.task, self.action)
        return split_parts.done(*where_kept, read.part, read.rows, self.job, self.worker)
