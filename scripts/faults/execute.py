"""Nothing lost, nothing doubled: kills in the middle of `dapu execute push`.

    ./scripts/faults/run execute --rounds 50 --seed 1

Each round changes what the Execute server has, starts a real `dapu execute push`, kills it with
SIGKILL at a random moment after its first question, and compares: all documents up to the stored
mark are in the warehouse as the server has them, whole, and the views show the newest versions. A
push that is left alone then brings the rest. Exit status 1 when anything differs, or when no push
was killed after a commit.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.services.execute_server import ExecuteServer, running_execute
from tests.services.postgres import running_postgres
from tests.support.execute_warehouse import ExecuteWarehouse

TARGETS = ("POSTGRES", "SQLITE")
_CHUNK_SIZE = 7  # items, so that many documents have several rows
_DOCUMENTS = 60  # that there are to change
_ROWS = (
    "select type, id, version, chunk, data from execute_documents_latest_all_versions "
    "order by type, id, version, chunk"
)
Key = tuple[str, str, int]


@dataclass
class Tally:
    """What the rounds of one target did. found: what differed."""

    rounds: int = 0
    killed: int = 0
    found: list[str] = field(default_factory=list)
    marks: Counter[str] = field(default_factory=Counter)


def main() -> None:
    """Runs the rounds and says what differed."""
    options = _options()
    failed = False
    for kind in options.target or TARGETS:
        tally = run(kind, options.rounds, options.seed)
        moved = f"{tally.marks['moved']} after a commit, {tally.marks['stayed']} before the first"
        print(f"{kind}: {tally.rounds} rounds, {tally.killed} killed at work ({moved})")
        for line in tally.found:
            print(f"  {line}")
        failed |= bool(tally.found) or not tally.marks["moved"]
    sys.exit(1 if failed else 0)


def run(kind: str, rounds: int, seed: int) -> Tally:
    """Kills pushes into one target, so many times."""
    some, tally = random.Random(seed), Tally()
    with running_execute() as server, _warehouse(kind, server) as warehouse:
        server.schema = {"AFE": {}, "RTX": {}}
        _change(server, some, _DOCUMENTS)
        took = _push(warehouse, some, full=False) or 0
        for number in range(rounds):
            _change(server, some, some.randrange(1, 40))
            before = warehouse.mark()
            full = some.random() < 0.3
            killed = _push(warehouse, some, full, seconds=some.random() * took) is None
            tally.rounds += 1
            tally.killed += killed
            if killed:
                tally.marks["moved" if warehouse.mark() != before else "stayed"] += 1
            tally.found += [f"round {number}, killed: {what}" for what in _lost(warehouse, server)]
            if some.random() < 0.5:
                took = _push(warehouse, some, full=False) or took
                tally.found += [
                    f"round {number}: {what}" for what in _differences(warehouse, server)
                ]
        _push(warehouse, some, full=False)
        tally.found += [f"at the end: {what}" for what in _differences(warehouse, server)]
    return tally


@contextmanager
def _warehouse(kind: str, server: ExecuteServer) -> Iterator[ExecuteWarehouse]:
    with tempfile.TemporaryDirectory(prefix="dapu-faults-") as folder:
        if kind == "SQLITE":
            yield ExecuteWarehouse(kind, f"{folder}/execute.sqlite", server, Path(folder))
            return
        with running_postgres() as postgres:
            yield ExecuteWarehouse(kind, postgres.uri(), server, Path(folder))


def _change(server: ExecuteServer, some: random.Random, count: int) -> None:
    """New documents, new versions, and versions that change."""
    for _ in range(count):
        kind, name = some.choice(("AFE", "RTX")), f"{some.randrange(_DOCUMENTS)}"
        newest = max((v for k, i, v in server.documents() if (k, i) == (kind, name)), default=0)
        version = max(1, newest + some.choice((0, 1)))
        items = [{"LISTITEM_ID": f"{i}", "N": i} for i in range(some.randrange(25))]
        server.put(kind, name, version, X=some.random(), OWNER=items, deleted=some.random() < 0.1)


def _push(
    warehouse: ExecuteWarehouse, some: random.Random, full: bool, seconds: float | None = None
) -> float | None:
    """Pushes; kills it so many seconds after its first question.

    Returns how many seconds it took from there, or None when it died.
    """
    warehouse.server.slow = 0.002
    asked = len(warehouse.server.questions)
    command = [sys.executable, "-m", "dapu", "execute", "push", "-c", f"{_CHUNK_SIZE}"]
    command += ["-m", f"{some.choice((5, 20, 1000))}", *(["-f"] if full else [])]
    process = subprocess.Popen(
        command, env=warehouse.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    while len(warehouse.server.questions) == asked and process.poll() is None:
        time.sleep(0.001)
    started = time.monotonic()
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    finally:
        warehouse.server.slow = 0
    if process.returncode:
        sys.exit(f"a push failed by itself: {said.decode()}")
    return time.monotonic() - started


def _lost(warehouse: ExecuteWarehouse, server: ExecuteServer) -> Iterator[str]:
    """What is not there, or not as the server has it, though the mark says that it was read."""
    mark = warehouse.mark()
    upto = datetime.fromisoformat(mark) if mark else datetime.min.replace(tzinfo=UTC)
    there = _stored(warehouse)
    for key, document in server.contents(upto).items():
        if there.get(key) != document:
            yield f"{key} is {'not there' if key not in there else 'another'} (mark {mark})"
    if not warehouse.views_show(list(there)):
        yield f"the views show other versions (mark {mark})"


def _differences(warehouse: ExecuteWarehouse, server: ExecuteServer) -> Iterator[str]:
    """How warehouse and server differ after a push that was left alone."""
    there, wanted = _stored(warehouse), server.contents()
    for key in sorted(there.keys() | wanted.keys()):
        if there.get(key) != wanted.get(key):
            yield f"{key} differs"
    if not warehouse.views_show(list(there)):
        yield "the views show other versions"
    if warehouse.mark() != server.mark():
        yield f"the mark is {warehouse.mark()}, not {server.mark()}"


def _stored(warehouse: ExecuteWarehouse) -> dict[Key, dict[str, Any]]:
    """The newest batch of each version, its chunks put together."""
    warehouse.put_views()
    documents: dict[Key, dict[str, Any]] = {}
    for kind, name, version, chunk, data in warehouse.rows(_ROWS):
        part = json.loads(data) if isinstance(data, str) else data
        key = (kind, name, version)
        if chunk == 0:
            documents[key] = part
        else:
            documents[key].setdefault("OWNER", []).extend(part["OWNER"])
    return documents


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50, help="of each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", action="append", choices=TARGETS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
