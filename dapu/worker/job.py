"""One run of one task: all its actions, checks, watermarks and its ending in one commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal, NamedTuple

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dapu.agents.base import Action, Context, RunningJob
from dapu.agents.installed import Agents
from dapu.definitions.models import ActionOptions, Task
from dapu.definitions.reader import DefinitionReader
from dapu.durations import show_duration
from dapu.errors import JobError, JobInterrupted, TaskChanged, TaskVanished
from dapu.loading.result import LoadResult
from dapu.loading.table.rebuild import rebuilt
from dapu.registry import agenda, source_state, watermarks
from dapu.registry.agenda import Claim, Ending, Job
from dapu.registry.events import EventLog, Level, StorableEvent, storable_event
from dapu.registry.storable import storable
from dapu.registry.store import Registry
from dapu.statement import TableName
from dapu.warehouse.postgres_session import Session, given_path
from dapu.warehouse.warehouse import Warehouse
from dapu.worker.afterwards import Position, not_run, outside_session, positions, runs_now
from dapu.worker.checks import Checking
from dapu.worker.claimed_task import check_files, restore
from dapu.worker.explain import LONGEST, explain, first_cause
from dapu.worker.job_watch import Watch
from dapu.worker.past_changes import note_past_change, still_missing
from dapu.worker.retries import can_be_mended
from dapu.worker.source_columns import columns_of, compare_columns
from dapu.worker.state_before import Memory, state_before

Status = Ending | Literal["waiting", "given back"]
# How a job ends whose task is no longer as it was queued.
_AT_ONCE: dict[type[BaseException], Ending] = {TaskVanished: "lost", TaskChanged: "skipped"}
# How a job came out that this worker lost, by its status now.
_TAKEN: dict[str, Status] = {
    "waiting": "waiting",
    "running": "waiting",
    "failed": "failed",
}


class Outcome(NamedTuple):
    """How a job went.

    fault: what went wrong after its commit; the message has it too.
    found: some of the rows that a failed check found, which no log is to have.
    """

    status: Status
    rows: int
    message: str
    fault: str | None = None
    found: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class JobRunner:
    """Runs jobs of one worker, one after the other.

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

    def run(self, claim: Claim) -> Outcome:
        """Runs a job to its end.

        Raises psycopg2.Error when the warehouse's database cannot be reached: the job is no
        longer this worker's to end then.
        """
        job, started = claim.job, time.monotonic()
        self.watch.begin(job, self.session)
        try:
            job_run = _JobRun(self, claim)
            rows, message = job_run.run()
            fault = self._afterwards(job_run, job)
            took = show_duration(timedelta(seconds=time.monotonic() - started))
            message = f"{message} in {took}" + (f"; after its commit {fault}" if fault else "")
            return Outcome("done", rows, message, fault)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever an agent raises ends its job only
            self.watch.end()
            if self.session.closed or self.events.session.closed:
                # A source in the same server may have been the first to notice.
                raise psycopg2.OperationalError(str(first_cause(error))) from error
            self.session.rollback()
            return self._failed(job, error)
        finally:
            self.watch.end()

    def _afterwards(self, job_run: _JobRun, job: Job) -> str | None:
        """Runs what runs after the commit; returns what went wrong, which takes nothing back."""
        if not job_run.outside:
            return None
        self.watch.end()
        self.watch.begin(job, self.session, has_ended=True)
        try:
            job_run.run_outside()
            return None
        except Exception as error:  # noqa: BLE001 - as in `run`
            message, data = explain(error, job.task)
            fault = storable(self.watch.reason or message, LONGEST)
            self.events.write("error", fault, task=job.task, job=job.number, data=data)
            with self.session, self.session.cursor() as cursor:
                agenda.note_fault(cursor, self.registry, job, f"; after its commit {fault}")
            return fault

    def end_lost(self, job: Job, worker: int, why: str) -> Outcome:
        """Ends a job whose session broke, unless somebody else has.

        worker: the number under which this process had it. why: in words for a person.
        """
        return replace(self, worker=worker)._failed(job, JobError(why))

    def _failed(self, job: Job, error: BaseException) -> Outcome:
        message, data = explain(error, job.task)
        if self.watch.reason is not None:
            message, data = self.watch.reason, None
        message = storable(message, LONGEST)
        while True:
            try:
                with self.session, self.session.cursor() as cursor:
                    outcome = self._settle(cursor, job, error, message)
                break
            except psycopg2.errors.UniqueViolation:
                continue  # the task was queued this very moment: now that job is seen
        level: Level = "error" if outcome.status in ("failed", "waiting") else "warning"
        try:
            self.events.write(level, outcome.message, task=job.task, job=job.number, data=data)
        except psycopg2.Error:
            if self.events.session.closed:
                raise
            # The outcome is in the agenda, and the next job is not to suffer.
        return outcome._replace(found=(data or {}).get("rows", ()))

    def _settle(self, cursor: Cursor, job: Job, error: BaseException, message: str) -> Outcome:
        """Ends the job, or lets it wait for its next try."""
        ending = _AT_ONCE.get(type(error), "failed")
        if type(error) in _AT_ONCE:
            pass
        elif self.watch.given_back:
            if agenda.give_back(cursor, self.registry, job, self.worker, message):
                return Outcome("given back", 0, message)
            ending, message = "cancelled", f"{message}; another job of the task is waiting"
        else:
            wait, message = self._next_try(cursor, job, error, message)
            if wait is not None:
                return Outcome("waiting", 0, message)
        if not agenda.finish(cursor, self.registry, job, self.worker, ending, None, message):
            found = agenda.find(cursor, self.registry, job.number)
            if found and found.status == "done":  # the server was stopped after the commit
                return Outcome("done", found.rows or 0, found.message or "")
            return Outcome(_TAKEN.get(found.status if found else "", "cancelled"), 0, message)
        return Outcome(ending, 0, message)

    def _next_try(
        self, cursor: Cursor, job: Job, error: BaseException, message: str
    ) -> tuple[timedelta | None, str]:
        """When the job is tried again, if it is, and the message that says so."""
        if can_be_mended(error, is_backfill=job.backfill is not None):
            wait = agenda.try_again(cursor, self.registry, job, self.worker, message)
            if wait is not None:
                message = f"{message}; next try in {show_duration(wait)}"
            return wait, message
        if agenda.has_tries(cursor, self.registry, job.number):
            message = f"{message}; it is not tried again, since no other try could mend that"
        return None, message


class _JobRun:
    """The happy path of a job."""

    def __init__(self, runner: JobRunner, claim: Claim) -> None:
        self._runner, self._claim, self._job = runner, claim, claim.job
        job = claim.job
        _, schema, table = job.task.split(".")
        self._table = TableName(schema, table)
        self._folder = runner.warehouse.folder.joinpath("routes", *job.task.split("."))
        self._exit_stack = ExitStack()
        self._sources: list[str] = []
        self._task: Task
        self._changed = False
        self.outside: list[Position] = []
        """The actions that are to run after the commit."""

    def run(self) -> tuple[int, str]:
        """Returns the number of rows and the outcome in a line."""
        runner = self._runner
        check_files(self._folder, self._claim)
        task = self._task = restore(self._claim, runner.agents, runner.reader)
        self._sources = task.sources(self._claim.connection)
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
            said = [*map(str, results), *warnings, *still_missing(*of_job)]
            rows, message = sum(result.rows for result in results), "; ".join(said)
            self._commit_end(cursor, rows, message, event)
        return rows, message

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
                    context = replace(self._context(self._task, position), session=session)
                    result = runner.agents[options.do]().run(context, options)
                results.append(result)
                self._note(position)(f"{options.do}: {result}", result.data)
        return results

    def _check(self, cursor: Cursor, task: Task) -> list[str]:
        context, job = self._context(task, len(task.actions)), self._job

        def warn(message: str, data: dict[str, Any]) -> None:
            self._runner.events.write("warning", message, task=job.task, job=job.number, data=data)

        registry = self._runner.registry
        of_job = (cursor, registry, job.number, job.task, task)
        return Checking(*of_job, self._table, context.sql, warn).run()

    def _act(self, cursor: Cursor, task: Task, position: int, options: ActionOptions) -> LoadResult:
        if not runs_now(options, changed=self._changed):
            return not_run(options)
        runner, job = self._runner, self._job
        context = self._context(task, position)
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
            source_state.forget_others(cursor, registry, task, kept)

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
        owned = agenda.finish(
            cursor, runner.registry, self._job, runner.worker, "done", rows, message, event
        )
        if not owned:
            raise JobInterrupted("it was cancelled, or another worker has it")
        runner.session.commit()
