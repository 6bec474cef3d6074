"""Records of connectors on their way into PostgreSQL: beside PyAirbyte, and beside airbyte-cdk.

    ./scripts/bench/run connectors [--records 1000000] [--rounds 3]

Records have ten columns. A connector that only counts sends them with a state every 10,000; a
service of this machine has the same in pages, which a declarative manifest reads. All ways run in
turn, each as a whole command, its start and the connector's own work within: the CDK alone, whose
records nobody takes, is what a manifest can reach at most.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from scripts.bench.connectors import ways
from scripts.bench.environments import dapu_libraries
from scripts.bench.measure import BenchError, Table, show, verdict
from scripts.bench.servers import clean_environment, running_postgres

_SPEED, _MEMORY = 50_000, 200  # records a second, MB: from a connector's process
_SHARE = 0.95  # of what the CDK alone yields
_SHOWN = ("way", "s", "each run", "records/s", "MB", "goal")


def main() -> int:
    """Starts the servers, measures, and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="ways with this word in their name")
    given = parser.parse_args()
    clean_environment()
    try:
        _measure(given.records, given.rounds, given.only or "")
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def _measure(records: int, rounds: int, word: str) -> None:
    table = Table()
    with (
        tempfile.TemporaryDirectory(prefix="dapu-bench-") as folder,
        running_postgres(ways.DATABASE) as server,
        ways.running(Path(folder), server, records) as found,
    ):
        versions = [f"PostgreSQL {server.version()}", *found.versions]
        for _ in range(rounds):
            for name, way in found.every().items():
                if word in name:
                    measured = way()
                    table.add(name, measured.seconds, measured.memory)
                    print(f"{name}: {measured.seconds:.2f} s", file=sys.stderr)
    versions.append(f"jiter {dapu_libraries()['jiter']}")
    print(f"{records:,} records of 10 columns; {rounds} runs, the middle one counts")
    print(", ".join(versions) + "\n")
    print(show([_SHOWN, *_rows(table, records)]))


def _rows(table: Table, records: int) -> list[tuple[str, ...]]:
    rows = list[tuple[str, ...]]()
    for series in table.values():
        middle, every = series.shown()
        speed, memory = records / series.median, series.memory / 1e6
        goal = ""
        if series.name in map(ways.PROCESS.format, ways.LOADS):
            goal = f"{verdict(speed, _SPEED, at_least=True)}, {verdict(memory, _MEMORY)} MB"
        elif series.name in map(ways.MANIFEST.format, ways.LOADS) and ways.CDK_ALONE in table:
            share = table[ways.CDK_ALONE].median / series.median
            goal = f"{share:.3f} of the CDK: {verdict(share, _SHARE, at_least=True)}"
        rows.append((series.name, middle, every, f"{speed:,.0f}", f"{memory:,.0f}", goal))
    return rows


if __name__ == "__main__":
    sys.exit(main())
