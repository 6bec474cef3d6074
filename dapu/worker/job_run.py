"""A job when all goes well: its actions and its ending in one commit, and what runs after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from psycopg2.extensions import cursor as Cursor

from dapu.agents.base import Action, Context, RunningJob
from dapu.agents.installed import Agents
from dapu.agents.sent import Sent
from dapu.definitions.models import ActionOptions, Task
from dapu.definitions.reader import DefinitionReader
from dapu.errors import JobInterrupted
from dapu.loading.result import LoadResult
from dapu.loading.table.rebuild import rebuilt
from dapu.registry import agenda, read_ranges, source_state, watermarks
from dapu.registry.agenda import AfterCommit, Claim
from dapu.registry.events import EventLog, StorableEvent, storable_event
from dapu.registry.failed_at import FailedAt
from dapu.registry.store import Registry
from dapu.statement import TableName
from dapu.warehouse.postgres_session import Session, given_path
from dapu.warehouse.warehouse import Warehouse
from dapu.worker.afterwards import Position, not_run, outside_session, positions, runs_now
from dapu.worker.checks import Checking
from dapu.worker.claimed_task import check_files, restore
from dapu.worker.findings import note_findings
from dapu.worker.job_watch import Watch
from dapu.worker.past_changes import note_past_change, still_missing
from dapu.worker.ranges_read import note_range
from dapu.worker.source_columns import columns_of, compare_columns
from dapu.worker.state_before import Memory, state_before


@dataclass(frozen=True)
class Workplace:
    """What a worker has for all its jobs.

    session: the warehouse's database, for the jobs' transactions.
    """

    warehouse: Warehouse
    registry: Registry
    agents: Agents
    reader: DefinitionReader
    worker: int
    session: Session
    events: EventLog
    watch: Watch


class JobRun:
    """The happy path of a job."""

    def __init__(self, runner: Workplace, claim: Claim) -> None:
        self._runner, self._claim, self._job = runner, claim, claim.job
        job = claim.job
        _, schema, table = job.task.split(".")
        self._table = TableName(schema, table)
        self._folder = runner.warehouse.folder.joinpath("routes", *job.task.split("."))
        self._exit_stack = ExitStack()
        self._sources: list[str] = []
        self._task: Task
        self._changed = False
        self._sent = Sent()
        self.action: int | None = None
        """The action that runs, or that failed; None where none does."""
        self.outside: list[Position] = []
        """The actions that are to run after the commit."""

    def run(self) -> tuple[int, str, str]:
        """Returns the number of rows, the outcome in a line, and what else is to be known."""
        runner = self._runner
        task = self._restore()
        inside = positions(task.actions, outside=False)
        self.outside = positions(task.actions, outside=True)
        with runner.session.cursor() as cursor:
            with self._exit_stack:  # at its end files that the actions wrote get their names
                if self._job.rebuild:
                    self._exit_stack.enter_context(rebuilt(cursor, self._table))
                results, event = self._act_all(cursor, task, inside)
                if not inside:  # there is nothing that they could come after
                    results, self.outside = self.run_outside(), []
                warnings = self._check(cursor, task) if task.checks else []
                runner.watch.check()
            of_job = (cursor, runner.registry, self._job, task)
            note_past_change(*of_job, results)
            note_findings(*of_job, runner.warehouse.settings, results)
            done = "; ".join(map(str, results))
            more = "".join(f"; {one}" for one in [*warnings, *still_missing(*of_job)])
            rows = sum(result.rows for result in results)
            self._commit_end(cursor, rows, done + more, event)
        return rows, done, more

    def take_over(self, how: AfterCommit) -> None:
        """Another worker did the job, and what runs after its commit is left. Raises JobError."""
        self._changed = how == "changed"
        self.outside = positions(self._restore().actions, outside=True)

    def _restore(self) -> Task:
        check_files(self._folder, self._claim)
        self._task = restore(self._claim, self._runner.agents, self._runner.reader)
        self._sources = self._task.sources(self._claim.connection)
        return self._task

    def _act_all(
        self, cursor: Cursor, task: Task, actions: Sequence[Position]
    ) -> tuple[list[LoadResult], StorableEvent | None]:
        """The actions of the transaction, and an event that is to go with its commit."""
        results: list[LoadResult] = []
        for position, options in actions:
            result = self._act(cursor, task, position, options)
            results.append(result)
            self._changed |= options.loads and result.changed
            text = f"{options.do}: {result}"
            if len(results) == len(actions) and not task.checks:
                return results, storable_event(position, text, result.data)
            self._note(position)(text, result.data)
        return results, None

    def run_outside(self) -> list[LoadResult]:
        """Runs the actions that run outside of the transaction. Raises what they raise."""
        runner, results = self._runner, list[LoadResult]()
        with outside_session(runner.warehouse, runner.watch, runner.worker) as session:
            for position, options in self.outside:
                result = not_run(options)
                if runs_now(options, changed=self._changed):
                    context = replace(self._begin(self._task, position), session=session)
                    result = runner.agents[options.do]().run(context, options)
                results.append(result)
                self._note(position)(f"{options.do}: {result}", result.data)
        return results

    def _check(self, cursor: Cursor, task: Task) -> list[str]:
        self.action, self._sent = None, Sent()
        context, job = self._context(task, len(task.actions)), self._job

        def warn(message: str, data: dict[str, Any]) -> None:
            self._runner.events.write("warning", message, task=job.task, job=job.number, data=data)

        registry = self._runner.registry
        of_job = (cursor, registry, job.number, job.task, task)
        return Checking(*of_job, self._table, context.sql, warn, self._sent).run()

    def _act(self, cursor: Cursor, task: Task, position: int, options: ActionOptions) -> LoadResult:
        if not runs_now(options, changed=self._changed):
            return not_run(options)
        runner, job = self._runner, self._job
        context = self._begin(task, position)
        if not job.full_load:
            memory = Memory(self._claim.watermarks, self._claim.source_state)
            where = (self._table, memory, self._sources, context.action.source)
            context.state_before = state_before(cursor, *where, options)
        with given_path(cursor):
            result = runner.agents[options.do]().run(context, options)
        if context.state_after.watermark is not None:
            watermarks.move(
                cursor,
                runner.registry,
                job.task,
                context.action.source,
                context.state_after.watermark,
                job.number,
            )
        note_range(cursor, context, options)
        result = self._compare_columns(cursor, context.action.source, result)
        if context.scope == "full" and result.changed and result.rows:
            result = replace(result, read_anew=True)
        if context.state_after.entries:
            source_state.remember(
                cursor,
                runner.registry,
                job.task,
                context.action.source,
                context.state_after.entries,
                job.number,
            )
        return result

    def _compare_columns(self, cursor: Cursor, source: str, result: LoadResult) -> LoadResult:
        """Notes which columns the source no longer has, at the first run that misses them."""
        registry, job = self._runner.registry, self._job
        where = (cursor, registry, self._claim, self._table, source)
        compared, warning = compare_columns(*where, result)
        if warning:
            self._runner.events.write("warning", warning, task=job.task, job=job.number)
        return compared

    def _forget_others(self, cursor: Cursor) -> None:
        """Deletes the state of what the task no longer reads."""
        registry, task, claim = self._runner.registry, self._job.task, self._claim
        kept = [*self._sources, *map(columns_of, self._sources)]
        if (claim.watermarks.keys() | claim.source_state.keys()) - set(kept):
            watermarks.forget_others(cursor, registry, task, self._sources)
            read_ranges.forget_others(cursor, registry, task, self._sources)
            source_state.forget_others(cursor, registry, task, kept)

    def failed_at(self, error: BaseException) -> FailedAt:
        """Where an error stopped it."""
        return self._sent.failed_at(error)

    def _begin(self, task: Task, position: int) -> Context:
        """For an action that begins now."""
        self.action, self._sent = position, Sent(("actions", position - 1))
        return self._context(task, position)

    def _context(self, task: Task, position: int) -> Context:
        runner, job = self._runner, self._job
        return Context(
            warehouse=runner.warehouse,
            session=runner.session,
            table=self._table,
            note=self._note(position),
            action=Action(
                task=job.task,
                position=position,
                folder=self._folder,
                connection=self._claim.connection,
                source=self._sources[position - 1],
                variables=task.variables,
            ),
            job=RunningJob(
                number=job.number,
                registry=runner.registry,
                stops=runner.watch,
                keep=self._keep,
                exit_stack=self._exit_stack,
            ),
            full=job.full_load,
            backfill=job.backfill,
            sent=self._sent,
        )

    def _note(self, position: int) -> Callable[..., None]:
        def note(message: str, data: dict[str, Any] | None = None) -> None:
            self._runner.events.write(
                "info",
                message,
                task=self._job.task,
                job=self._job.number,
                action=position,
                data=data,
            )

        return note

    def _keep(self) -> None:
        """Commits what was done so far, while nobody can take the job away."""
        runner = self._runner
        runner.watch.check()
        with runner.session.cursor() as cursor:
            if not agenda.hold(cursor, runner.registry, self._job.number, runner.worker):
                raise JobInterrupted("it was cancelled, or another worker has it")
        runner.session.commit()

    def _commit_end(
        self, cursor: Cursor, rows: int, message: str, event: StorableEvent | None
    ) -> None:
        """The one commit: rows, watermarks, the job's end, and the jobs of its dependents."""
        runner = self._runner
        self._forget_others(cursor)
        how: AfterCommit = "changed" if self._changed else "unchanged"
        owned = agenda.finish(
            cursor,
            runner.registry,
            self._job,
            runner.worker,
            "done",
            rows,
            message,
            event,
            how if self.outside else None,
        )
        if not owned:
            raise JobInterrupted("it was cancelled, or another worker has it")
        runner.session.commit()
