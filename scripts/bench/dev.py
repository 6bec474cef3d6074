#!/usr/bin/env python
"""How long a dev warehouse beside one of a thousand tables takes.

    ./scripts/bench/run dev [--tables 1000] [--changed 1 20]

It makes a warehouse directory under git, four fifths of whose tables are made of nothing and one
fifth of four others, and runs it, so that production has all tables. Then it changes the SQL of
some tasks and times the commands, from start to end: what changed and what depends on it is built,
all other tables are views.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_FILES = {
    "warehouse.yaml": "",
    "connections.yaml": "- {name: main, driver: embedded, path: postgres}\n",
    ".gitignore": "postgres*\n",
    "ver/001_schemas.sql": "create schema staging; create schema mart;\n",
    "routes/own/route.yaml": "",
}
_TASK = "depends: auto\nactions: [{do: transform, query: q.sql}]\n"
_MADE = "select n as id, n * {number} as amount from generate_series(1, 100) as n\n"
_SUM = "select a.id, a.amount + b.amount + c.amount + d.amount as amount from {tables}\n"
_CHANGE = "select id, amount + 1 as amount from (\n{query}) as before\n"


def make(folder: Path, tables: int) -> list[Path]:
    """Writes the warehouse directory; returns the queries of the tables that others are made of."""
    made = tables * 4 // 5
    files = {**_FILES}
    for number in range(tables):
        name = f"staging/t{number}" if number < made else f"mart/m{number}"
        query = _MADE.format(number=number)
        if number >= made:
            first, *others = (f"staging.t{(number * 4 + one) % made}" for one in range(4))
            joined = (
                f"join {table} as {alias} using (id)"
                for alias, table in zip("bcd", others, strict=True)
            )
            query = _SUM.format(tables=" ".join([f"{first} as a", *joined]))
        files |= {f"routes/own/{name}/task.yaml": _TASK, f"routes/own/{name}/q.sql": query}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [folder / f"routes/own/staging/t{number}/q.sql" for number in range(made)]


def _git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]
    subprocess.run(["git", "-C", folder, *who, *arguments], check=True)


def _dapu(*arguments: str | Path) -> tuple[float, str]:
    """The seconds that a command took, and the last line that it printed."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "dapu", *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"dapu {arguments[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - started, (done.stdout.strip().splitlines() or [""])[-1]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--changed", type=int, nargs="+", default=[1, 20])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dapu-bench-") as name:
        folder = Path(name)
        queries = make(folder, given.tables)
        _git(folder, "init", "--quiet", "--initial-branch", "main")
        _git(folder, "add", ".")
        _git(folder, "commit", "--quiet", "--message", "production")
        for command in ("versioner", "registrar"):
            _dapu(command, folder)
        _dapu("run", folder, "route:own")
        print(f"{given.tables:,} tables")
        print(f"{'changed':>7}  {'command':<10} {'seconds':>7}")
        for changed in given.changed:
            for query in queries[:changed]:
                query.write_text(_CHANGE.format(query=query.read_text(encoding="utf-8")))
            for steps in (["up"], ["up", "again"], ["diff"], ["down"]):
                seconds, said = _dapu("dev", steps[0], folder, "bench")
                print(f"{changed:>7}  {' '.join(steps):<10} {seconds:>7.1f}  {said}")
            _git(folder, "checkout", "--quiet", "routes")


if __name__ == "__main__":
    main()
