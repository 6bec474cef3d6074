"""CeleryExecutor with Debian's redis-server: two Celery workers, of which one is killed.

The jobs run in Airflow's tasks. At the end each task has run, each job that is done left one row,
and a task that was cleared has run once more.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from pathlib import Path

from scripts.airflow.stage import Airflow, free_port, running_airflow, wait_until

_OPTIONS = ", run_worker=True, default_args={'retries': 3, 'retry_delay': 2.0}"
_CLEARED = "r0.s0.t0"


def start_worker(airflow: Airflow, host: str) -> None:
    """A Celery worker by the name of a host."""
    airflow.start(
        host,
        "airflow",
        *("celery", "worker", "--celery-hostname", f"{host}@%h", "--concurrency", "2"),
        *("--skip-serve-logs", "--pid", str(airflow.home / f"{host}.pid")),
    )


def done(airflow: Airflow) -> int:
    """How many jobs are done."""
    query = "select count(*) from meta.agenda where status = 'done'"
    return int(airflow.rows(query, database="warehouse")[0][0])


def check(airflow: Airflow, tasks: int) -> None:
    """Each task has run, and no job left more or less than its one row."""
    query = "select count(*), count(distinct task) from meta.agenda where status = 'done'"
    [(jobs, ran)] = airflow.rows(query, database="warehouse")
    left = 0
    for number in range(tasks):
        table = f"s{number % 10}.t{number // 10}"
        left += airflow.rows(f"select count(*) from {table}", database="warehouse")[0][0]
    print(f"{jobs} jobs of {ran} tasks done, {left} rows")
    assert ran == tasks
    assert left == jobs


def main() -> None:
    """Runs the DAG, kills a worker in it, and clears a task after it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--tasks", type=int, default=200)
    given = parser.parse_args()
    port = free_port()
    redis = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    try:
        with running_airflow(
            given.cache,
            given.tasks,
            executor="CeleryExecutor",
            options=_OPTIONS,
            broker=f"redis://127.0.0.1:{port}/0",
        ) as (airflow, _):
            run_them(airflow, given.tasks)
    finally:
        redis.kill()
        redis.wait()


def run_them(airflow: Airflow, tasks: int) -> None:
    """See `main`."""
    for host in ("one", "two"):
        start_worker(airflow, host)
    started = time.monotonic()
    run = airflow.trigger("dapu")
    wait_until(lambda: done(airflow) > tasks // 4, 600)
    airflow.kill("one")
    print(f"worker one killed after {done(airflow)} jobs", flush=True)
    start_worker(airflow, "three")
    state = airflow.wait_for(run)
    print(f"{state} after {time.monotonic() - started:.0f} s: {airflow.states(run)}", flush=True)
    query = "select count(*) from task_instance where run_id = %s and try_number > 1"
    print(f"{airflow.rows(query, run)[0][0]} tasks needed another try")
    check(airflow, tasks)
    before = done(airflow)
    body = {"dry_run": False, "dag_run_id": run, "task_ids": [_CLEARED], "only_failed": False}
    airflow.call("POST", "api/v2/dags/dapu/clearTaskInstances", body)
    wait_until(lambda: done(airflow) == before + 1, 120)
    airflow.wait_for(run)
    print(f"cleared: {_CLEARED} ran once more")
    check(airflow, tasks)


if __name__ == "__main__":
    main()
