"""One run of one task: all its actions, checks, watermarks and its ending in one commit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal, NamedTuple

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dapu.durations import show_duration
from dapu.errors import JobError, TaskChanged, TaskVanished
from dapu.registry import agenda
from dapu.registry.agenda import Claim, Ending, Job
from dapu.registry.events import Level
from dapu.registry.storable import storable
from dapu.worker.explain import LONGEST, explain, first_cause
from dapu.worker.job_run import JobRun, Workplace
from dapu.worker.retries import can_be_mended

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
class JobRunner(Workplace):
    """Runs jobs of one worker, one after the other."""

    def run(self, claim: Claim) -> Outcome:
        """Runs a job to its end.

        Raises psycopg2.Error when the warehouse's database cannot be reached: the job is no
        longer this worker's to end then.
        """
        job, started = claim.job, time.monotonic()
        self.watch.begin(job, self.session)
        job_run: JobRun | None = None
        try:
            job_run = JobRun(self, claim)
            if job.after_commit is not None:
                rows, message, more = 0, "what runs after its commit", ""
            else:
                rows, message, more = job_run.run()
            fault = self._afterwards(job_run, job)
            took = show_duration(timedelta(seconds=time.monotonic() - started))
            message = f"{message} in {took}{more}" + (
                f"; after its commit {fault}" if fault else ""
            )
            return Outcome("done", rows, message, fault)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever an agent raises ends its job only
            self.watch.end()
            if self.session.closed or self.events.session.closed:
                # A source in the same server may have been the first to notice.
                raise psycopg2.OperationalError(str(first_cause(error))) from error
            with self.watch.awaits(self.session):
                self.session.rollback()
            return self._failed(job, error, job_run)
        finally:
            self.watch.end()

    def _afterwards(self, job_run: JobRun, job: Job) -> str | None:
        """Runs what runs after the commit; returns what went wrong, which takes nothing back.

        What this worker cannot run, since it is to stop or the files changed, is left to another.
        """
        if not job_run.outside and job.after_commit is None:
            return None
        self.watch.end()
        self.watch.begin(job, self.session, has_ended=True)
        fault, data, is_left = None, None, False
        try:
            if job.after_commit is not None:
                job_run.take_over(job.after_commit)
            job_run.run_outside()
        except Exception as error:  # noqa: BLE001 - as in `run`
            message, data = explain(error, job.task)
            data = (data or {}) | job_run.failed_at(error).data()
            fault = storable(self.watch.reason or message, LONGEST)
            is_left = self.watch.given_back or type(error) in _AT_ONCE
        if fault is not None:
            level: Level = "warning" if is_left else "error"
            self.events.write(
                level, fault, task=job.task, job=job.number, action=job_run.action, data=data
            )
        if not is_left:
            said = f"; after its commit {fault}" if fault else ""
            with self.session, self.session.cursor() as cursor:
                agenda.end_after_commit(cursor, self.registry, job, said)
        return fault

    def end_lost(self, job: Job, worker: int, why: str) -> Outcome:
        """Ends a job whose session broke, unless somebody else has.

        worker: the number under which this process had it. why: in words for a person.
        """
        return replace(self, worker=worker)._failed(job, JobError(why))

    def _failed(self, job: Job, error: BaseException, job_run: JobRun | None = None) -> Outcome:
        """job_run: None where nothing is known of how far it came."""
        message, data = explain(error, job.task)
        if self.watch.reason is not None:
            message, data = self.watch.reason, None
        if job_run is not None and type(error) not in _AT_ONCE:
            data = (data or {}) | job_run.failed_at(error).data()
        message = storable(message, LONGEST)
        while True:
            try:
                with (
                    self.watch.awaits(self.session),
                    self.session,
                    self.session.cursor() as cursor,
                ):
                    outcome = self._settle(cursor, job, error, message)
                break
            except psycopg2.errors.UniqueViolation:
                continue  # the task was queued this very moment: now that job is seen
        level: Level = "error" if outcome.status in ("failed", "waiting") else "warning"
        try:
            with self.watch.awaits(self.events.session):
                action = job_run.action if job_run else None
                self.events.write(
                    level, outcome.message, task=job.task, job=job.number, action=action, data=data
                )
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
