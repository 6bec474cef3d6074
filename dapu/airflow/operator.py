"""The operator: queues tasks in the agenda and waits for their jobs.

What it needs of dapu is imported when a task runs: Airflow reads DAG files again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.triggers.base import StartTriggerArgs

if TYPE_CHECKING:
    from dapu.airflow.jobs import JobThread
    from dapu.airflow.watch import JobWatch
    from dapu.registry.agenda import JobState


class DapuOperator(BaseOperator):
    """Runs tasks of a warehouse as jobs of its agenda.

    folder: the warehouse directory, at the same path for scheduler, triggerer and workers.
    tasks: names or selectors as `dapu run` takes them. full: they read everything.
    run_worker: a dapu worker runs the jobs in the Airflow task; without it workers elsewhere do.
    The jobs' own retries come first: Airflow's `retries` begin when the agenda has given up.
    """

    template_fields: Sequence[str] = ("tasks",)
    ui_color = "#dceefb"

    def __init__(
        self,
        *,
        folder: str,
        tasks: Sequence[str],
        full: bool = False,
        run_worker: bool = False,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.folder, self.tasks = folder, tasks
        self.full, self.run_worker = full, run_worker
        self._jobs: list[int] = []
        self._thread: JobThread | None = None
        # The triggerer queues and waits; a worker of Airflow is there for the end alone.
        self.start_from_trigger = not run_worker
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="dapu.airflow.trigger.DapuTrigger",
            trigger_kwargs={"folder": folder, "tasks": list(tasks), "full": full},
            next_method="resume",
        )

    def execute(self, context: Any) -> dict[str, Any]:
        """Queues the jobs, runs them, and gives the slot back while they wait.

        Called with `run_worker`, and by `dag.test()`.
        """
        from dapu.airflow.jobs import queue_jobs

        since = context["dag_run"].start_date or datetime.now(UTC)
        queued = queue_jobs(
            Path(self.folder),
            self.tasks,
            since,
            full=self.full,
            is_first_try=context["ti"].try_number <= 1,
        )
        for one in queued:
            self.log.info(str(one))
        self._jobs = [one.job for one in queued]
        return self._go_on(context, 0)

    def resume(self, context: Any, event: dict[str, Any]) -> dict[str, Any]:
        """Called by Airflow when the trigger has fired."""
        from dapu.registry.agenda import JobState

        states = [JobState(*values) for values in event["states"]]
        self._jobs = [one.job for one in states]
        if self.run_worker and any(one.may_start for one in states):
            return self._go_on(context, event["shown"])
        return self._result(context, states)

    def _go_on(self, context: Any, shown: int) -> dict[str, Any]:
        from dapu.airflow.reporting import show
        from dapu.airflow.trigger import DapuTrigger
        from dapu.airflow.watch import JobWatch

        watch = JobWatch(Path(self.folder))
        try:
            if self.run_worker:
                shown = self._run_jobs(watch, shown)
            sights = watch.look(self._jobs)
        finally:
            watch.close()
        if all(one.has_ended for one in sights.values()):
            show(sights.values(), shown, self.log)
            return self._result(context, [one.state for one in sights.values()])
        trigger = DapuTrigger(
            self.folder, self.tasks, self.full, self._jobs, shown, self.run_worker
        )
        self.defer(trigger=trigger, method_name="resume")
        raise AssertionError("`defer` raises")

    def _run_jobs(self, watch: JobWatch, shown: int) -> int:
        """Runs a worker for the jobs; returns the number of the newest event that was logged."""
        from dapu.airflow.jobs import JobThread
        from dapu.airflow.reporting import show
        from dapu.airflow.watch import POLL

        self._thread = JobThread(Path(self.folder), self._jobs)
        while not self._thread.is_over(POLL):
            shown = show(watch.look(self._jobs).values(), shown, self.log)
        self._thread = None
        return show(watch.look(self._jobs).values(), shown, self.log)

    def _result(self, context: Any, states: Sequence[JobState]) -> dict[str, Any]:
        from dapu.airflow.reporting import failures, were_cancelled

        wrong = failures(states)
        if wrong:
            kind = AirflowFailException if were_cancelled(states) else AirflowException
            raise kind("\n".join(wrong))
        result = {one.task: {"job": one.job, "rows": one.rows} for one in states}
        for asset in self.outlets:
            context["outlet_events"][asset].extra.update(result.get(_task_of(asset), {}))
        return result

    def on_kill(self) -> None:
        """Called by Airflow when the task is stopped while it holds a slot."""
        from dapu.airflow.jobs import cancel_jobs

        if self._thread is not None:
            self._thread.stop()
        for task in cancel_jobs(Path(self.folder), self._jobs):
            self.log.warning("cancelled in the agenda: %s", task)


def _task_of(asset: Any) -> str:
    return str(asset.extra.get("task", ""))
