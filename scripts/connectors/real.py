"""A real connector and a real Singer tap, whole once and then once more.

    ./scripts/connectors/run real

The connector goes on from its state, and has nothing new. The tap (tap-jsonl) is given its state
and does not look at it: it sends all its files again, and the table is right all the same. Both are
installed once into --cache. Exit status 1 when something is not as it must be.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from dapu.sources.connectors.open import open_connector
from dapu.warehouse.warehouse import open_warehouse
from scripts.connectors.stage import Stage, a_stage

_FAKER, _TAP = "7.2.1", "0.3.1"
_USERS = 300
_SHOP = f"""\
- name: shop
  driver: connector
  package: airbyte-source-faker
  version: {_FAKER}
  config: {{count: {_USERS}, seed: 1, always_updated: false}}
"""
_TASKS = {
    "shop.staging.users": "actions: [{do: airbyte, stream: users}]",
    "orders.staging.orders": "actions: [{do: singer, stream: orders}]",
}
_TABLE = "select count(*), sum(amount), max(note) from staging.orders"


def main() -> int:
    """Reads the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="where connectors are installed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dapu-") as name:
        folder = Path(name)
        (folder / ".dapu").mkdir()
        (folder / ".dapu/connectors").symlink_to(given.cache.resolve())
        with a_stage(folder, _SHOP + _orders(folder), _TASKS) as stage:
            faults = [*_commands(folder), *_airbyte(stage), *_singer(stage)]
    for fault in faults:
        print(f"FAULT: {fault}")
    print("real: all is as it must be" if not faults else f"real: {len(faults)} faults")
    return 1 if faults else 0


def _orders(folder: Path) -> str:
    """The tap's connection: it reads the files of a folder."""
    return f"""\
- name: orders
  driver: connector
  protocol: singer
  package: tap-jsonl
  version: {_TAP}
  config: {{path: {folder}/orders/*.jsonl, stream_name: orders, primary_keys: [id]}}
"""


def _commands(folder: Path) -> list[str]:
    connector = open_connector(open_warehouse(folder), "shop", lambda *_: None)
    streams = [str(name) for name in connector.discover()]
    return _differ(
        ("spec", "count" in connector.spec()["connectionSpecification"]["properties"], True),
        ("check", connector.check().succeeded, True),
        ("discover", sorted(streams), ["products", "purchases", "users"]),
    )


def _airbyte(stage: Stage) -> list[str]:
    first = _run(stage, "shop.staging.users")
    count = stage.rows("select count(*), count(distinct id) from staging.users")
    again = _run(stage, "shop.staging.users")
    after = stage.rows("select count(*), count(distinct id) from staging.users")
    return _differ(
        ("faker, the first run", first, ("done", _USERS)),
        ("faker, the table", count, [(_USERS, _USERS)]),
        ("faker, the second run", again, ("done", 0)),
        ("faker, the table after it", after, count),
    )


def _singer(stage: Stage) -> list[str]:
    folder = stage.folder / "orders"
    folder.mkdir()
    orders = [{"id": number, "amount": number + 0.25, "note": "old"} for number in range(1, 501)]
    _write(folder / "1.jsonl", orders, age=3600)
    first = _run(stage, "orders.staging.orders")
    table = stage.rows(_TABLE)
    news: list[dict[str, Any]] = [
        {"id": 7, "amount": 0.5, "note": "tab\tand ö"},
        {"id": 501, "amount": 1, "note": None},
    ]
    _write(folder / "2.jsonl", news, age=0)
    second = _run(stage, "orders.staging.orders")
    before, after = Decimal("125375"), Decimal("125375") - Decimal("7.25") + Decimal("1.5")
    return _differ(
        ("tap-jsonl, the first run", first, ("done", 500)),
        ("tap-jsonl, the table", table, [(500, before, "old")]),
        ("tap-jsonl, the second run", second[0], "done"),
        ("tap-jsonl, the table after it", stage.rows(_TABLE), [(501, after, "tab\tand ö")]),
    )


def _write(path: Path, lines: Sequence[dict[str, Any]], age: float) -> None:
    """age: seconds since the file was changed, as its time says."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    at = time.time() - age
    os.utime(path, (at, at))


def _run(stage: Stage, task: str) -> tuple[Any, ...]:
    """Runs a task; how it ended, and its rows."""
    job = stage.queue(task)
    with stage.worker() as worker:
        worker.join()
    status, rows, message = stage.rows(
        "select status, rows, message from meta.agenda where job = %s", (job,)
    )[0]
    print(f"{task}: {status}, {message}")
    return status, rows


def _differ(*checks: tuple[str, Any, Any]) -> list[str]:
    return [f"{what}: {found}, not {wanted}" for what, found, wanted in checks if found != wanted]


if __name__ == "__main__":
    sys.exit(main())
