"""`split`: a large table is read in parts, several at once, and a load that breaks goes on.

Each part goes into a staging table beside the target, in one commit with its record. When all
are there, the job loads the target from the staging table, in its own one commit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg2
from psycopg2.extensions import cursor as Cursor
from pydantic import Field, model_validator

from dapu.agents.base import Context
from dapu.agents.incremental.ranges import equal_parts, regular_parts
from dapu.errors import JobError
from dapu.loading.load import load
from dapu.loading.options import LoadOptions
from dapu.loading.result import LoadResult
from dapu.loading.table.relation import Relation, create, describe
from dapu.loading.values.bad_value_policy import apply_value_policy
from dapu.loading.values.find_row import key_of, row_finder
from dapu.named_sql import compose, statement
from dapu.registry import split_parts
from dapu.registry.ordered_values import from_text, to_text
from dapu.registry.split_parts import SplitPart
from dapu.registry.store import Registry
from dapu.registry.watermarks import Watermark
from dapu.rows.refused_value import naming_refused_values
from dapu.rows.rows import Column, QueryRows, column_list
from dapu.sources.databases.fragments import fill_statement
from dapu.sources.databases.source import SharesState, Source
from dapu.sources.databases.subquery import where
from dapu.statement import Statement, TableName
from dapu.text import counted
from dapu.warehouse.postgres_session import given_path
from dapu.warehouse.yamlfile import Strict

_SUFFIX = "__parts"  # and the action's number, from the second on
_LOCK_WAIT = "60s"
_KEEP_EVERY = 30.0  # seconds; a connection that is silent for longer may be cut by the network


class SplitOptions(Strict):
    """How a table is cut into parts."""

    column: str | None = Field(None, description="A column of the query: number, date or time")
    expression: str | None = Field(None, description="Instead of a column: SQL of the source")
    parts: int | None = Field(None, ge=1, le=10_000, description="So many parts of equal width")
    every: str | float | None = Field(
        None, description="Parts of this length: `1 month`, `7 days`, or a number"
    )
    at_once: int = Field(4, ge=1, le=32, description="Connections to the source at once")

    @model_validator(mode="after")
    def _is_whole(self) -> SplitOptions:
        if (self.column is None) == (self.expression is None):
            raise ValueError("give `column` or `expression`")
        if (self.parts is None) == (self.every is None):
            raise ValueError("give `parts` or `every`")
        return self


@dataclass(frozen=True)
class SplitLoad:
    """A load in parts.

    open_source: a new connection to the source, for a part of its own. refused_values: see `plan`.
    """

    context: Context
    options: LoadOptions
    split: SplitOptions
    query: Statement
    open_source: Callable[[], Source]
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
        key = key_of(self.options.key, target, columns)
        later = self._read(missing, columns, source, describe(cursor, self._stage), key)
        self._take_high(planned)
        result = self._load(cursor, columns)
        cursor.execute(compose("split_parts.drop_stage", stage=self._stage.identifier))
        split_parts.forget(cursor, *self._action)
        kept = len(planned) - len(missing)
        before = f", {kept} of them read before" if kept else ""
        states = f", {later} of them in later states of the source" if later else ""
        return result.also((f"{counted(len(planned), 'part')}{before}{states}",))

    def _load(self, cursor: Cursor, columns: Sequence[Column]) -> LoadResult:
        """From the staging table. Rows that come twice are not good for another try."""
        context = self.context
        try:
            steps, rows = context.action.has_steps, self._staged(columns)
            refused_values = self.refused_values
            return load(
                cursor,
                context.table,
                rows,
                self.options,
                has_steps=steps,
                refused_values=refused_values,
            )
        except JobError as error:
            if isinstance(error.__cause__, psycopg2.errors.UniqueViolation):
                with context.warehouse.session("split") as session, session:
                    split_parts.forget(session.cursor(), *self._action)
                raise JobError(
                    f"{error}; where the query itself gives no row twice, rows moved to another "
                    "part between two tries: split by a value that never changes"
                ) from error
            raise

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
                and describe(cursor, self._stage) is not None
            )
            if usable:
                return found
            planned = self._new_plan(source, columns)
            with given_path(cursor):
                self._make_stage(cursor, _with_domains(columns, target))
            split_parts.plan(cursor, *self._action, planned)
            return planned

    def _make_stage(self, cursor: Cursor, columns: Sequence[Column]) -> None:
        cursor.execute(statement("swap.lock_timeout"), {"timeout": _LOCK_WAIT})
        try:
            cursor.execute(compose("split_parts.drop_stage", stage=self._stage.identifier))
            create(cursor, self._stage, columns)
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
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def _new_plan(self, source: Source, columns: Sequence[Column]) -> list[SplitPart]:
        asked = fill_statement(
            "split_parts.range",
            schema=source.own_schema,
            value=self._value(source),
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
        mark = self.context.state_after.watermark
        plan = json.dumps(
            {
                "id": uuid4().hex,
                "of": self._fingerprint(columns),
                "kind": kind,
                "high": mark and to_text(mark.value, mark.column),
            }
        )
        texts = [to_text(_like(cut, low), name)[1] for cut in cuts]
        bounds = zip([None, *texts], [*texts, None], strict=True)
        return [
            SplitPart(n, plan, *bound, None, self.context.job.number)
            for n, bound in enumerate(bounds, start=1)
        ]

    def _take_high(self, planned: Sequence[SplitPart]) -> None:
        """The watermark is that of the plan: newer rows of parts read later come again."""
        high = json.loads(planned[0].plan)["high"]
        if high is not None and self.context.state_after.watermark is not None:
            self.context.state_after.watermark = Watermark(
                self.context.state_after.watermark.column, from_text(*high)
            )

    def _read(
        self,
        missing: Sequence[SplitPart],
        columns: Sequence[Column],
        source: Source,
        staged: Relation | None,
        key: Sequence[str],
    ) -> int:
        """Reads the parts, all in the state that `source` reads if the database can do that.

        staged: the staging table. key: the columns by which a person finds a row.
        Returns how many were read in a later state, since that one was lost on the way.
        """
        shared = source if isinstance(source, SharesState) else None
        state = shared.share() if shared and missing else None
        with ThreadPoolExecutor(self.split.at_once, "dapu-part") as pool:
            waiting = {
                pool.submit(self._read_part, part, columns, state, staged, key) for part in missing
            }
            later = 0
            try:
                while waiting:
                    done, waiting = wait(waiting, _KEEP_EVERY, FIRST_EXCEPTION)
                    later += sum(not future.result() for future in done)
                    if shared and state:
                        shared.keep()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return later

    def _read_part(
        self,
        part: SplitPart,
        columns: Sequence[Column],
        state: str | None,
        staged: Relation | None,
        key: Sequence[str],
    ) -> bool:
        """Rows and record of a part in one commit.

        state: of the source; False when it could not be had and is to be.
        """
        context = self.context
        with (
            closing(self.open_source()) as source,
            context.warehouse.session("split") as session,
            context.stoppable(source.stop),
            context.stoppable(session.cancel),
            session,
            session.cursor() as cursor,
        ):
            same = state is None or (isinstance(source, SharesState) and source.adopt(state))
            query = self._of_range(part, source, columns)
            rows = source.read(query, {column.name: column.type for column in columns})
            with given_path(cursor), naming_refused_values(context.table, row_finder(rows), key):
                checked = apply_value_policy(cursor, context.table, staged, rows, self.options)
                count = checked.rows.fill(cursor, self._stage.identifier)
            if not split_parts.done(cursor, *self._action, part, count, context.job.number):
                session.rollback()
            return same

    def _of_range(self, part: SplitPart, source: Source, columns: Sequence[Column]) -> Statement:
        kind = json.loads(part.plan)["kind"]
        value, condition = self._value(source), Statement(("(1 = 1",))
        for sign, text in ((">=", part.low), ("<", part.high)):
            if text is not None:
                bound = Statement((f" and {value} {sign} ", ""), (from_text(kind, text),))
                condition = condition.then(bound)
        if part.low is None:  # rows without a value belong to the first part
            condition = condition.then(Statement((f" or {value} is null",)))
        names = ", ".join(source.quote(column.name) for column in columns)
        return where(self.query, condition.then(Statement((")",))), names)

    def _value(self, source: Source) -> str:
        if self.split.column is not None:
            return f"dapu_query.{source.quote(self.split.column)}"
        return f"({self.split.expression})"


def _like(cut: Any, value: Any) -> Any:
    """Decimals cut between floats go back to the source as floats."""
    return float(cut) if isinstance(value, float) else cut


def _with_domains(columns: Sequence[Column], target: Relation | None) -> list[Column]:
    """The columns with the table's domains: what these refuse is refused where it is read."""
    known = target.columns if target else ()
    domains = {(column.name, column.type): column.domain for column in known}
    return [Column(c.name, domains.get((c.name, c.type)) or c.type) for c in columns]
