"""`split`: a large table is read in parts, several at once, and a load that breaks goes on.

Each part goes into a staging table beside the target, in one commit with its record; workers that
have nothing else to do read parts too. When all are there, the job loads the target from the
staging table, in its own one commit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dapu.agents.base import Context
from dapu.agents.incremental.part_reader import PartReader, Reading, value_of
from dapu.agents.incremental.ranges import equal_parts, regular_parts
from dapu.agents.incremental.read_parts import PartsJob
from dapu.agents.incremental.split_options import SplitOptions
from dapu.errors import JobError
from dapu.loading.load import load
from dapu.loading.options import LoadOptions
from dapu.loading.result import LoadResult
from dapu.loading.table.relation import Relation, create, describe
from dapu.loading.values.find_row import key_of
from dapu.named_sql import compose, statement
from dapu.registry import split_parts
from dapu.registry.ordered_values import from_text, to_text
from dapu.registry.split_parts import SplitPart
from dapu.registry.store import Registry
from dapu.registry.watermarks import Watermark
from dapu.rows.rows import Column, QueryRows, column_list
from dapu.sources.databases.fragments import fill_statement
from dapu.sources.databases.source import Reader, SharesState, Source
from dapu.statement import Statement, TableName
from dapu.text import counted
from dapu.warehouse.postgres_session import given_path

_SUFFIX = "__parts"  # and the action's number, from the second on
LOCK_WAIT = "60s"


@dataclass(frozen=True)
class SplitLoad:
    """A load in parts.

    connection, reader: of the source. refused_values: see `plan`.
    """

    context: Context
    options: LoadOptions
    split: SplitOptions
    query: Statement
    connection: str
    reader: Reader
    refused_values: Mapping[str, JobError]

    def run(
        self, cursor: Cursor, source: Source, column_types: Mapping[str, str] | None
    ) -> LoadResult:
        """Plans, or goes on with the plan that is there; reads what is missing; loads."""
        columns = source.read(self.query, column_types).columns
        target = describe(cursor, self.context.table)
        planned = self._plan(source, columns, target)
        missing = [part for part in planned if part.rows is None]
        context = self.context
        context.note(
            f"reads {len(missing)} of {len(planned)} parts, {self.split.at_once} at once "
            f"({source.description})"
        )
        key = tuple(key_of(self.options.key, target, columns))
        reading = self._reading(columns, planned, key)
        later = self._read(reading, source) if missing else 0
        others = split_parts.read_by_others(cursor, *self._action, reading.plan)
        self._take_high(planned)
        result = self._load(cursor, columns, target)
        split_parts.forget(cursor, *self._action)
        kept = len(planned) - len(missing)
        before = f", {kept} of them read before" if kept else ""
        helped = f", {others} of them by other workers" if others else ""
        states = f", {later} of them in later states of the source" if later else ""
        return result.also((f"{counted(len(planned), 'part')}{before}{helped}{states}",))

    def _load(
        self,
        cursor: Cursor,
        columns: Sequence[Column],
        target: Relation | None,  # noqa: ARG002
    ) -> LoadResult:
        """From the staging table. Rows that come twice are not good for another try."""
        context = self.context
        try:
            steps, rows = context.action.has_steps, self._staged(columns)
            refused_values = self.refused_values
            result = load(
                cursor,
                context.table,
                rows,
                self.options,
                has_steps=steps,
                refused_values=refused_values,
            )
            cursor.execute(compose("split_parts.drop_stage", stage=self._stage.identifier))
            return result
        except JobError as error:
            if isinstance(error.__cause__, psycopg2.errors.UniqueViolation):
                with context.warehouse.session("split") as session, session:
                    split_parts.forget(session.cursor(), *self._action)
                raise JobError(
                    f"{error}; where the query itself gives no row twice, rows moved to another "
                    "part between two tries: split by a value that never changes"
                ) from error
            raise

    def _reading(
        self, columns: Sequence[Column], planned: Sequence[SplitPart], key: tuple[str, ...]
    ) -> Reading:
        return Reading(
            self.connection,
            self.reader,
            self.query,
            tuple(Column(column.name, column.type) for column in columns),
            self.split,
            self.context.table,
            self._stage,
            key,
            planned[0].plan,
            None,
        )

    @property
    def _action(self) -> tuple[Registry, str, int]:
        action = self.context.action
        return self.context.job.registry, action.task, action.position

    @property
    def _stage(self) -> TableName:
        # Each action has its own: the job's transaction holds those of earlier ones to its end.
        position = self.context.action.position
        return self.context.table.beside(_SUFFIX if position == 1 else f"{_SUFFIX}{position}")

    def _staged(self, columns: Sequence[Column]) -> QueryRows:
        listed = column_list(columns)
        query = compose("split_parts.rows", columns=listed, stage=self._stage.identifier)
        return QueryRows(columns, query)

    def _plan(
        self, source: Source, columns: Sequence[Column], target: Relation | None
    ) -> list[SplitPart]:
        """The plan that is under way, if it is of the same query and not old, or a new one."""
        context = self.context
        with (
            context.warehouse.session("split") as session,
            context.stoppable(session.cancel),
            session,
            session.cursor() as cursor,
        ):
            found = split_parts.of_action(cursor, *self._action)
            usable = (
                found
                and (not context.full or {part.job for part in found} == {context.job.number})
                and json.loads(found[0].plan)["of"] == self._fingerprint(columns)
                and not split_parts.are_too_old(cursor, *self._action)
                and self._has_stage(cursor, found)
            )
            if usable:
                return found
            planned = self._new_plan(source, columns)
            with given_path(cursor):
                self._make_stage(cursor, columns, target)
            split_parts.plan(cursor, *self._action, planned)
            return planned

    def _has_stage(self, cursor: Cursor, planned: Sequence[SplitPart]) -> bool:  # noqa: ARG002
        """Whether what was read of these parts is still there."""
        return describe(cursor, self._stage) is not None

    def _make_stage(
        self, cursor: Cursor, columns: Sequence[Column], target: Relation | None
    ) -> None:
        """Makes room for the rows, and drops what an earlier load has left there."""
        cursor.execute(statement("swap.lock_timeout"), {"timeout": LOCK_WAIT})
        try:
            cursor.execute(compose("split_parts.drop_stage", stage=self._stage.identifier))
            create(cursor, self._stage, _with_domains(columns, target))
        except psycopg2.errors.LockNotAvailable as error:
            raise JobError(
                f"the parts' table {self._stage} cannot be made: somebody has had hold of it for a "
                f"minute, or an earlier action of this task has made the schema "
                f"{self._stage.schema} and not committed it yet; make the schema beforehand"
            ) from error

    def _fingerprint(self, columns: Sequence[Column]) -> str:
        """Parts of another query, or cut otherwise, are of no use."""
        text = json.dumps(
            [
                self.context.sql(self.options.sql_files()[0]).parts,
                [str(value) for value in self.context.action.variables.values()],
                self.split.model_dump(),
                [(column.name, column.type) for column in columns],
                *self._also_of_plan(),
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def _also_of_plan(self) -> list[Any]:
        """What else decides which parts are of use."""
        return []

    def _new_plan(self, source: Source, columns: Sequence[Column]) -> list[SplitPart]:
        kind, bounds = self._cut(source)
        mark = self.context.state_after.watermark
        plan = json.dumps(
            {
                "id": uuid4().hex,
                "of": self._fingerprint(columns),
                "kind": kind,
                "high": mark and to_text(mark.value, mark.column),
            }
        )
        return [
            SplitPart(n, plan, low, high, None, self.context.job.number)
            for n, (low, high) in enumerate(bounds, start=1)
        ]

    def _cut(self, source: Source) -> tuple[str, list[tuple[str | None, str | None]]]:
        """The kind of the bounds, and the parts' bounds as text; None is without one."""
        asked = fill_statement(
            "split_parts.range",
            schema=source.own_schema,
            value=value_of(self.split, source),
            query=self.query.without_end(),
        )
        low, high = source.rows(asked)[0]
        cuts: list[Any] = []
        if low is not None and self.split.parts is not None:
            cuts = equal_parts(low, high, self.split.parts)
        elif low is not None and self.split.every is not None:
            cuts = regular_parts(low, high, self.split.every)
        name = self.split.column or "split.expression"
        kind = to_text(low, name)[0] if low is not None else "text"
        texts = [to_text(_like(cut, low), name)[1] for cut in cuts]
        return kind, list(zip([None, *texts], [*texts, None], strict=True))

    def _take_high(self, planned: Sequence[SplitPart]) -> None:
        """The watermark is that of the plan: newer rows of parts read later come again."""
        high = json.loads(planned[0].plan)["high"]
        if high is not None and self.context.state_after.watermark is not None:
            self.context.state_after.watermark = Watermark(
                self.context.state_after.watermark.column, from_text(*high)
            )

    def _read(self, reading: Reading, source: Source) -> int:
        """Reads the parts, all in the state that `source` reads if the database can do that.

        Returns how many were read in a later state, since that one was lost on the way.
        """
        context = self.context
        registry, task, action = self._action
        shared = source if isinstance(source, SharesState) else None
        state = shared.share() if shared else None
        reader = PartReader(
            context.warehouse,
            registry,
            context.stoppable,
            task,
            action,
            context.job.number,
            self.options,
            replace(reading, state=state),
            self.split.at_once,
        )
        keep = shared.keep if shared and state else lambda: None
        return PartsJob(reader, context.job.stops.check, keep).read_all()


def _like(cut: Any, value: Any) -> Any:
    """Decimals cut between floats go back to the source as floats."""
    return float(cut) if isinstance(value, float) else cut


def _with_domains(columns: Sequence[Column], target: Relation | None) -> list[Column]:
    """The columns with the table's domains: what these refuse is refused where it is read."""
    known = target.columns if target else ()
    domains = {(column.name, column.type): column.domain for column in known}
    return [Column(c.name, domains.get((c.name, c.type)) or c.type) for c in columns]
