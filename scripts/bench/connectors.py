#!/usr/bin/env python
"""Time records of a connector's process on their way into PostgreSQL.

    ./scripts/bench/run connectors [--records 1000000] [--rounds 3]

A connector that only counts sends records of ten columns, with a state every 10,000. `dapu run` is
measured as a whole command, its start and the connector's own work within; beside it the connector
alone, whose lines nobody reads.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from scripts.bench.measure import Command, Table, run
from scripts.connectors import counting_connector
from scripts.connectors.stage import a_stage

_TASK = "count.staging.one"


def main() -> None:
    """Starts the server and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="dapu-bench-"))
    connector = [sys.executable, counting_connector.__file__, str(folder)]
    connections = (
        f"- {{name: count, driver: connector, command: {connector},\n"
        "   config: {every: 10000, states: stream}}\n"
    )
    alone = _files_of_reading(folder, given.records, connector)
    table = Table()
    for load in ("append", "merge", "replace"):
        task = f"actions: [{{do: airbyte, stream: one, load: {load}}}]\n"
        place = folder / load
        with a_stage(place, connections, {_TASK: task}):
            for _ in range(given.rounds):
                measured = run(
                    [Path(sys.executable).with_name("dapu"), "run", place, _TASK, "--full"]
                )
                table.add(f"`load: {load}`", measured.seconds, measured.memory)
    for _ in range(given.rounds):
        measured = run(alone)
        table.add("the connector alone", measured.seconds, measured.memory)
    shutil.rmtree(folder)
    print(f"{given.records:,} records of 10 columns\n")
    print("| way | s | records a second | MB at most | runs |\n|---|---|---|---|---|")
    for series in table.values():
        middle, every = series.shown()
        speed, memory = given.records / series.median, series.memory / 1e6
        print(f"| {series.name} | {middle} | {speed:,.0f} | {memory:,.0f} | {every} |")


def _files_of_reading(folder: Path, records: int, connector: list[str]) -> Command:
    (folder / "size").write_text(str(records))
    configured = {"stream": {"name": "one"}, "sync_mode": "full_refresh"}
    documents = {
        "config": {"every": 10_000, "states": "stream"},
        "catalog": {"streams": [configured]},
    }
    words: list[str] = []
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document))
        words += [f"--{name}", str(folder / name)]
    # Into a pipe that is read at once, and not line by line in Python.
    command = " ".join([*connector, "read", *words])
    return ["sh", "-c", f"{command} | cat >/dev/null"]


if __name__ == "__main__":
    main()
