"""LocalExecutor: a DAG of dapu's tasks beside the same DAG whose tasks only wait.

What the one takes longer than the other, by the task, is the overhead of dapu.airflow.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.airflow.stage import Airflow, running_airflow

_SECONDS = "select extract(epoch from end_date - start_date)::float from dag_run where run_id = %s"


@contextmanager
def dapu_workers(folder: Path, processes: int) -> Iterator[None]:
    """`dapu worker`, started again when nothing was left, as systemd would."""
    worker = f"{sys.executable} -m dapu worker {folder} --processes {processes}"
    again = f"while true; do {worker}; sleep 0.3; done"
    process = subprocess.Popen(
        ["bash", "-c", again], stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def seconds_of(airflow: Airflow, dag: str) -> float:
    """How long a run of a DAG takes."""
    run = airflow.trigger(dag)
    if airflow.wait_for(run) != "success":
        failed = airflow.rows(
            "select task_id from task_instance where run_id = %s and state = 'failed'", run
        )
        for (task,) in failed:
            lines = airflow.log_of(run, task).splitlines()
            print(task, *(line[:2000] for line in lines if '"level":"info"' not in line), sep="\n")
        told = (airflow.home / "scheduler.log").read_text().splitlines()
        print(*(line for line in told if "[error" in line or "[warn" in line), sep="\n")
        raise SystemExit(f"{dag}: {airflow.states(run)}")
    [(seconds,)] = airflow.rows(_SECONDS, run)
    return float(seconds)


def main() -> None:
    """Runs both, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--in-airflow", action="store_true", help="workers run in Airflow's tasks")
    given = parser.parse_args()
    options = ", run_worker=True" if given.in_airflow else ""
    with running_airflow(given.cache, given.tasks, executor="LocalExecutor", options=options) as (
        airflow,
        folder,
    ):
        idle = seconds_of(airflow, "idle")
        print(
            f"the same DAG that does nothing: {idle:.1f} s, {idle / given.tasks:.2f} s a task",
            flush=True,
        )
        with dapu_workers(folder, 0 if given.in_airflow else 1):
            own = seconds_of(airflow, "dapu")
        print(f"dapu's: {own:.1f} s, {own / given.tasks:.2f} s a task")
        print(f"overhead beyond Airflow's own: {(own - idle) / given.tasks:.2f} s a task")
        [(jobs, tasks)] = airflow.rows(
            "select count(*), count(distinct task) from meta.agenda where status = 'done'",
            database="warehouse",
        )
        [(assets,)] = airflow.rows("select count(*) from asset_event")
        print(f"{jobs} jobs of {tasks} tasks done, {assets} events of assets")
        run = airflow.rows("select run_id from dag_run where dag_id = 'dapu'")[0][0]
        print("the log of r0.s0.t1:", *airflow.events_of(run, "r0.s0.t1"), sep="\n  ")


if __name__ == "__main__":
    main()
