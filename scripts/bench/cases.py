#!/usr/bin/env python
"""How long `dapu test` takes, as a whole, for a thousand tests.

    ./scripts/bench/run cases [--tasks 200] [--tests 5] [--processes 2]

It makes a warehouse directory of tasks that merge the rows of a query, each with tests of two
runs, and runs `dapu test` on it: the server that it starts, and all that it makes, are in the time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_CREATE = "create table {{ this }} (id int primary key, name text, price numeric(10, 2))\n"
_TASK = """\
actions: [{do: database, query: extract.sql, load: merge, key: [id]}]
checks: [{not_null: [name]}]
"""
_CASE = """\
given:
  table: [{id: 1, name: old, price: 1}, {id: 2, name: stays, price: 2}]
  source: [{id: 1, name: new, price: 1.50}, {id: 3, name: more, price: 3}]
expect:
  rows: [{id: 1, name: new}, {id: 2, name: stays}, {id: 3, name: more}]
then:
  - given: {source: [{id: 3, name: later, price: 4}]}
    expect: {rows: [{id: 1, price: 1.5}, {id: 2, price: 2}, {id: 3, price: 4}]}
"""


def make(folder: Path, tasks: int, tests: int) -> None:
    """Writes the warehouse directory."""
    files = {
        "warehouse.yaml": "",
        "connections.yaml": (
            "- {name: main, driver: embedded, path: postgres}\n"
            "- {name: erp, url: 'mysql+pymysql://erp.example.com/erp'}\n"
        ),
        "routes/erp/route.yaml": "connection: erp\n",
    }
    for number in range(tasks):
        task = f"routes/erp/staging/t{number}"
        files |= {
            f"{task}/task.yaml": _TASK,
            f"{task}/extract.sql": "select id, name, price from item\n",
            f"{task}/ver/001_create.sql": _CREATE,
        }
        files |= {f"{task}/tests/case_{one}.yaml": _CASE for one in range(tests)}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main() -> None:
    """Runs it, and prints a row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--tests", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dapu-bench-") as name:
        make(Path(name), given.tasks, given.tests)
        command = [str(Path(sys.executable).with_name("dapu")), "test", name]
        started = time.perf_counter()
        subprocess.run([*command, "--processes", str(given.processes)], check=True)
        seconds = time.perf_counter() - started
    count = given.tasks * given.tests
    print(f"{count:,} tests, {given.processes} processes: {seconds:.1f} s, {count / seconds:.0f}/s")


if __name__ == "__main__":
    main()
