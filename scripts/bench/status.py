#!/usr/bin/env python
"""How long an operator waits for an answer, in a warehouse of many tasks.

    ./scripts/bench/run status [--tasks 10000] [--runs 5]

It fills a registry with tasks of which each has had ten jobs, a hundredth has failed and some wait,
and runs commands as processes of their own, from start to end; the database is running. It prints
the median of their seconds, and the processors' seconds of command and server, which others that
use the machine change less.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dapu.warehouse.warehouse import Warehouse
from scripts.bench.jobs import processor_seconds, warehouse_of

FILL = """
insert into meta.route (route, connection) select 'r' || i, 'main' from generate_series(0, 9) i;
insert into meta.registry (task, route, schema_name, table_name, hash, definition, pause, priority,
    retries, retry_wait, timeout, last_status, last_started_at, last_ended_at, last_done_at,
    changed_at)
select format('r%%s.staging.table_number_%%s', mod(i, 10), i), 'r' || mod(i, 10), 'staging',
    'table_number_' || i, md5(i::text), '{"actions": [{"do": "database", "query": "q.sql"}]}',
    '23 hours', 5, 3, '1 minute', '2 hours',
    case when mod(i, 100) = 0 then 'failed' else 'done' end, now() - interval '1 hour',
    now() - interval '50 minutes', now() - interval '50 minutes', now() - interval '9 days'
from generate_series(1, %(tasks)s) i;
insert into meta.agenda (task, route, status, priority, cause, queued_at, started_at, ended_at,
    rows, message, worker)
select t.task, t.route, case when n = 0 then t.last_status else 'done' end, 5, 'manager',
    now() - n * interval '1 day', now() - n * interval '1 day',
    now() - n * interval '1 day' + (1 + n) * interval '1 second', 1000 * n,
    'database: ' || n || ' rows in 1.0 s', 1
from generate_series(9, 0, -1) n cross join meta.registry t;
update meta.registry t
set last_job = (select max(job) from meta.agenda a where a.task = t.task);
insert into meta.agenda (task, route, priority, cause)
select task, route, 5, 'manager' from meta.registry where table_name like '%%7';
insert into meta.dependency
select format('r%%s.staging.table_number_%%s', mod(i, 10), i),
    format('r%%s.staging.table_number_%%s', mod(i - 1, 10), i - 1)
from generate_series(2, %(tasks)s) i;
"""


class Took(NamedTuple):
    """The median time of a command, and the processors' time of it and the server, in seconds."""

    seconds: float
    busy: float


def took(warehouse: Warehouse, arguments: Sequence[str | Path], runs: int) -> Took:
    """Runs a command several times, and once before, when nothing is in memory."""
    times, busy = [], 0.0
    for run in range(runs + 1):
        if run == 1:
            busy = processor_seconds(warehouse)
        started = time.perf_counter()
        command = [sys.executable, "-m", "dapu", *map(str, arguments)]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return Took(statistics.median(times[1:]), (processor_seconds(warehouse) - busy) / runs)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    with warehouse_of(0) as warehouse, warehouse.session("bench") as session:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute(FILL, {"tasks": given.tasks})
            cursor.execute("vacuum analyze")
        print(f"{given.tasks:,} tasks, {10 * given.tasks:,} jobs")
        print(f"{'command':<44} {'seconds':>8} {'cpu':>6}")
        task = "r1.staging.table_number_1"
        for name, *options in (
            ["--version"],
            ["status"],
            ["status", "--failed", "--limit", "20"],
            ["status", "--json"],
            ["status", "--check"],
            ["status", task],
            ["why", task],
            ["why", "staging.*"],
        ):
            place = [] if name.startswith("-") else [warehouse.folder]
            one = took(warehouse, [name, *place, *options], given.runs)
            shown = " ".join(["dapu", name, *["DIR" for _ in place], *options])
            print(f"{shown:<44} {one.seconds:>8.2f} {one.busy:>6.2f}")


if __name__ == "__main__":
    main()
