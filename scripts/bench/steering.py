#!/usr/bin/env python
"""How long an action takes on many jobs at once, in a warehouse of many tasks and jobs.

    ./scripts/bench/run steering [--tasks 10000] [--jobs 1000000]

It fills a registry as the bench of `status` does, with more ended jobs, and prints for each filter
how many jobs it takes, and the seconds of its preview and of its action (one statement each, that
is undone after it).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import timedelta

from psycopg2.extensions import cursor as Cursor

from dapu.components import steering
from dapu.components.steering import JobFilter, Operator
from dapu.registry.selectors import select, selectable
from dapu.registry.store import Registry
from dapu.registry.version import registry_of
from scripts.bench.jobs import warehouse_of
from scripts.bench.status import FILL

_HISTORY = """
insert into meta.agenda (task, route, status, priority, cause, queued_at, started_at, ended_at,
    message, worker)
select t.task, t.route, case when mod(n, 50) = 0 then 'failed' else 'done' end, 5,
    'manager', at, at, at,
    'database: 1 row in 1.0 s', 1
from generate_series(%(rounds)s, 1, -1) n
cross join lateral (select now() - n * interval '7 hours' as at) as times
cross join meta.registry t
"""
_BACKFILLS = """
insert into meta.agenda (task, route, priority, cause, backfill)
select t.task, t.route, 5, 'run', pg_catalog.json_build_object('from', n)
from generate_series(1, %(rounds)s) n cross join meta.registry t
"""
_ME = Operator("bench", "command")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--waiting", type=int, default=0, help="backfills that wait, beside")
    given = parser.parse_args()
    with warehouse_of(0) as warehouse, warehouse.session("bench") as session:
        registry = registry_of(warehouse)
        with session.cursor() as cursor:
            cursor.execute(FILL, {"tasks": given.tasks})
            cursor.execute(_HISTORY, {"rounds": max(given.jobs // given.tasks - 10, 0)})
            cursor.execute(_BACKFILLS, {"rounds": given.waiting // given.tasks})
            session.commit()
            session.autocommit = True
            cursor.execute("vacuum analyze")
            session.autocommit = False
            print(f"{given.tasks:,} tasks, {given.jobs:,} jobs")
            print(f"{'action':<36} {'matched':>9} {'done':>9} {'preview s':>10} {'action s':>9}")
            _measure(cursor, registry)


def _measure(cursor: Cursor, registry: Registry) -> None:
    cursor.execute("select pg_catalog.now()")
    (now,) = cursor.fetchone() or (None,)
    tasks = select(["*"], selectable(cursor, registry))
    waiting = JobFilter(statuses=["waiting"])
    failed = JobFilter(statuses=["failed"])
    recent = JobFilter(statuses=["failed"], since=now - timedelta(days=20))
    everything = JobFilter()
    _show(cursor, registry, "cancel what waits", waiting, steering.cancel)
    _show(cursor, registry, "retry what failed since 20 days", recent, steering.retry)
    _show(cursor, registry, "retry all that ever failed", failed, steering.retry)
    _show(cursor, registry, "retry every job", everything, steering.retry)
    for name, act in (
        ("run all tasks", lambda: steering.run(cursor, registry, tasks, _ME)),
        ("blacklist all", lambda: steering.blacklist(cursor, registry, tasks, _ME, None)),
        ("clear all watermarks", lambda: steering.clear_watermarks(cursor, registry, tasks, _ME)),
    ):
        started = time.perf_counter()
        done = len(act())
        _line(cursor, name, len(tasks), done, 0.0, time.perf_counter() - started)


def _show(
    cursor: Cursor,
    registry: Registry,
    name: str,
    which: JobFilter,
    act: Callable[[Cursor, Registry, JobFilter, Operator], list[steering.Queued]]
    | Callable[[Cursor, Registry, JobFilter, Operator], list[steering.Cancelled]],
) -> None:
    started = time.perf_counter()
    matched = steering.count(cursor, registry, which).jobs
    steering.first(cursor, registry, which, 20)
    seen = time.perf_counter()
    done = len(act(cursor, registry, which, _ME))
    _line(cursor, name, matched, done, seen - started, time.perf_counter() - seen)


def _line(
    cursor: Cursor, name: str, matched: int, done: int, preview: float, action: float
) -> None:
    cursor.connection.rollback()
    print(f"{name:<36} {matched:>9,} {done:>9,} {preview:>10.2f} {action:>9.2f}")


if __name__ == "__main__":
    main()
