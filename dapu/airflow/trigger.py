"""Waits for jobs in Airflow's triggerer, so that no slot of a worker is held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from dapu.airflow.jobs import cancel_jobs, queue_jobs
from dapu.airflow.reporting import show
from dapu.airflow.watch import SharedWatch, Sight

_watches: dict[tuple[int, str], SharedWatch] = {}


def _watch_of(folder: str) -> SharedWatch:
    """The watch of this event loop."""
    key = (id(asyncio.get_running_loop()), folder)
    return _watches.setdefault(key, SharedWatch(Path(folder)))


class DapuTrigger(BaseTrigger):
    """Fires when all jobs have ended, or when one may start and the operator is to run it.

    jobs: without them it begins by queueing `tasks` (see `DapuOperator`), so that no process of a
    worker is started for that. shown: the event up to which the task's log has them. runs: the
    operator runs jobs itself.
    """

    def __init__(
        self,
        folder: str,
        tasks: Sequence[str],
        full: bool,
        jobs: Sequence[int] = (),
        shown: int = 0,
        runs: bool = False,
    ) -> None:
        super().__init__()
        self._folder, self._tasks, self._full = folder, list(tasks), full
        self._jobs, self._shown, self._runs = list(jobs), shown, runs

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """See `BaseTrigger`."""
        values = {"folder": self._folder, "tasks": self._tasks, "full": self._full}
        values |= {"jobs": self._jobs, "shown": self._shown, "runs": self._runs}
        return "dapu.airflow.trigger.DapuTrigger", values

    async def _queue(self) -> None:
        run = self.task_instance.get_template_context()["dag_run"]
        queued = await asyncio.to_thread(
            queue_jobs,
            Path(self._folder),
            self._tasks,
            run.start_date or datetime.now(UTC),
            full=self._full,
            is_first_try=self.task_instance.try_number <= 1,
        )
        self._jobs = [one.job for one in queued]
        for one in queued:
            self.log.info(str(one))

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """See `BaseTrigger`."""
        if not self._jobs:
            await self._queue()
        async with aclosing(_watch_of(self._folder).follow(self._jobs)) as looks:
            async for sights in looks:
                if isinstance(sights, str):
                    self.log.warning(sights)
                    continue
                self._shown = show(sights.values(), self._shown, self.log)
                if self._is_over(sights):
                    yield TriggerEvent(
                        {
                            "states": [list(one.state) for one in sights.values()],
                            "shown": self._shown,
                        }
                    )
                    return

    def _is_over(self, sights: Mapping[int, Sight]) -> bool:
        if len(sights) < len(self._jobs):
            return False
        if all(one.has_ended for one in sights.values()):
            return True
        return self._runs and any(one.state.may_start for one in sights.values())

    async def on_kill(self) -> None:
        """Cancels the jobs when a person fails or clears the task."""
        tasks = await asyncio.to_thread(cancel_jobs, Path(self._folder), self._jobs)
        if tasks:
            self.log.warning("cancelled in the agenda: %s", ", ".join(tasks))
