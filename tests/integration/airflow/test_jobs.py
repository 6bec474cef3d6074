"""What an Airflow task does with the agenda: it queues, watches, runs and cancels jobs."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dapu.airflow.jobs import JobThread, cancel_jobs, queue_jobs
from dapu.airflow.reporting import failures, show
from dapu.airflow.watch import JobWatch, SharedWatch
from tests.conftest import MakeWarehouse
from tests.support.command import dapu
from tests.support.components import registrar, versioner

LONG_AGO = datetime.now(UTC) - timedelta(days=1)


class Lines:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, level: int, msg: str, *values: object) -> None:
        self.lines.append(msg % values)


@pytest.fixture
def folder(make_warehouse: MakeWarehouse) -> Path:
    """`r.s.day` after `r.s.sale`, and `r.s.bad`, which fails."""
    folder = make_warehouse(
        {
            "routes/r/route.yaml": "",
            "routes/r/s/sale/task.yaml": "actions: [{do: sql, file: run.sql}]",
            "routes/r/s/sale/run.sql": "select 1",
            "routes/r/s/day/task.yaml": "depends: [r.s.sale]\nactions: [{do: sql, file: run.sql}]",
            "routes/r/s/day/run.sql": "select 1",
            "routes/r/s/bad/task.yaml": "run: {retries: 0}\nactions: [{do: sql, file: run.sql}]",
            "routes/r/s/bad/run.sql": "select 1 / 0",
        }
    )
    versioner(folder)
    assert registrar(folder).faults == []
    return folder


def queue(
    folder: Path, *tasks: str, first: bool = True, full: bool = False
) -> list[tuple[int, bool]]:
    """Each job, and whether it was queued now."""
    found = queue_jobs(folder, tasks, LONG_AGO, full=full, is_first_try=first)
    return [(one.job, one.is_new) for one in found]


def run(folder: Path, *jobs: int) -> None:
    thread = JobThread(folder, jobs)
    while not thread.is_over(5):
        pass


def test_a_job_is_queued_watched_and_run(folder: Path) -> None:
    (sale, _), (day, _) = queue(folder, "r.s.day", "r.s.sale")  # the master first
    assert queue(folder, "r.s.sale") == [(sale, True)]  # it waits already
    watch, log, shown = JobWatch(folder), Lines(), 0
    try:
        for _ in range(10):  # the tenth look asks why they wait
            shown = show(watch.look([sale, day]).values(), shown, log)
        assert any("r.s.day" in line and "waits" in line for line in log.lines)
        assert len([line for line in log.lines if " waits: " in line]) == 2
        assert any("queued by" in line and "(Airflow)" in line for line in log.lines)
        run(folder, sale, day)
        found = watch.look([sale, day])
        assert [one.state.status for one in found.values()] == ["done", "done"]
        assert show(found.values(), shown, log) > shown
        assert watch.look([sale, day])[day].events == []  # each once
        assert watch.look([sale, 99])[99].state.status == "lost"
    finally:
        watch.close()


def test_a_job_that_does_it_already_is_not_queued_again(folder: Path) -> None:
    (sale, _), (day, _) = queue(folder, "r.s.day", "r.s.sale")
    run(folder, sale, day)
    # A triggerer that starts again asks again, and so does a task that was killed.
    assert queue(folder, "r.s.day") == [(day, False)]
    # Cleared by a person, or wanted in full: it runs once more.
    [(cleared, is_new)] = queue(folder, "r.s.day", first=False)
    assert is_new
    run(folder, cleared)
    assert queue(folder, "r.s.day") == [(cleared, False)]
    [(whole, is_new)] = queue(folder, "r.s.day", full=True)
    assert is_new
    run(folder, whole)
    # Its master has run since.
    [(again, _)] = queue(folder, "r.s.sale", first=False)
    run(folder, again)
    [(job, is_new)] = queue(folder, "r.s.day")
    assert is_new
    assert cancel_jobs(folder, [job]) == ["r.s.day"]
    assert cancel_jobs(folder, [job]) == []


def test_who_waits_in_one_loop_shares_a_session(folder: Path) -> None:
    [(bad, _)], [(good, _)] = queue(folder, "r.s.bad"), queue(folder, "r.s.sale")

    async def wait_for(shared: SharedWatch, job: int) -> list[str]:
        async with aclosing(shared.follow([job])) as looks:
            async for sights in looks:
                assert not isinstance(sights, str)
                if job in sights and sights[job].has_ended:
                    return failures([sights[job].state])
        return []

    async def both() -> tuple[list[str], list[str]]:
        shared = SharedWatch(folder)
        waiting = asyncio.gather(wait_for(shared, bad), wait_for(shared, good))
        await asyncio.to_thread(run, folder, bad, good)
        return await waiting

    wrong, right = asyncio.run(both())
    assert right == []
    assert "r.s.bad failed" in wrong[0]
    assert "division by zero" in wrong[0]


def test_the_graph_is_what_is_registered(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "graph.json"
    assert dapu("graph", folder, "--output", file).status == 0
    found = json.loads(file.read_text())
    assert {one["task"]: one["masters"] for one in found["tasks"]}["r.s.day"] == ["r.s.sale"]
    assert json.loads(dapu("graph", folder).out) == found
    assert "as before" in dapu("graph", folder, "--output", file).out
