#!/usr/bin/env python
"""How long it takes to prove that a table holds its source's rows, and how much of them moves.

    ./scripts/bench/run verify [--rows 10000000] [--runs 3]

One PostgreSQL has both databases; the source is reached through a proxy on loopback that counts the
bytes which come back. It loads the table, verifies it, changes twenty rows of it all over, and
verifies it again. Beside that stands a plain `count(*)` of both sides, one after the other.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.bench.load.proxy import Counter, counting_proxy
from scripts.bench.servers import Postgres, running_postgres

_TASK = "shop.staging.sale"
_FILL = """
create table sale (sale_id bigint primary key, customer_id integer not null, product text not null,
    amount numeric(12,2), note text, sold_on date, changed_at timestamptz, is_paid boolean);
insert into sale select i, mod(i * 7919, 100000), 'product ' || mod(i, 1000),
    mod(i * 31, 1000000) / 100.0, case when mod(i, 3) > 0 then repeat('note ', mod(i, 9)::int) end,
    date '2020-01-01' + mod(i, 2000)::int, timestamptz '2020-01-01' + i * interval '7 seconds',
    mod(i, 2) = 0
from generate_series(1, {rows}::bigint) i
"""
_CHANGE = "update staging.sale set amount = amount + 1 where mod(sale_id, {rows} / 20) = 7"
_FILES = {
    "connections.yaml": (
        "- {{name: main, driver: pg, host: 127.0.0.1, port: {port}, database: warehouse,"
        " username: postgres}}\n"
        "- {{name: shop, driver: pg, host: 127.0.0.1, port: {counted}, database: shop,"
        " username: postgres}}\n"
    ),
    "warehouse.yaml": "",
    "routes/shop/route.yaml": "connection: shop\n",
    "routes/shop/staging/sale/task.yaml": (
        "actions:\n  - {{do: database, query: q.sql, load: snapshot, key: [sale_id]}}\n"
    ),
    "routes/shop/staging/sale/q.sql": "select * from sale\n",
}


def _dapu(*arguments: str | Path, status: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dapu", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != status:
        raise SystemExit(f"dapu {arguments[0]}: {done.stdout}{done.stderr}")
    return done.stdout


def _write(folder: Path, server: Postgres, counter: Counter) -> None:
    for name, text in _FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(port=server.port, counted=counter.port))


def _measure(what: str, counter: Counter, loaded: int, runs: int, act: Callable[[], Any]) -> Any:
    seconds, moved, answer = list[float](), 0, None
    for _ in range(runs):
        before, started = counter.received, time.perf_counter()
        answer = act()
        seconds.append(time.perf_counter() - started)
        moved = counter.received - before
    share = f"{100 * moved / loaded:>8.3f}" if loaded else " " * 8
    print(f"{what:<40} {statistics.median(seconds):>8.2f} {moved:>15,} {share}", flush=True)
    return answer, moved


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as place,
        running_postgres("shop", "warehouse") as server,
        counting_proxy("127.0.0.1", server.port) as counter,
    ):
        folder = Path(place)
        server.execute("shop", _FILL.format(rows=given.rows))
        server.settle("shop")
        _write(folder, server, counter)
        _dapu("versioner", folder)
        _dapu("registrar", folder)
        print(f"{given.rows:,} rows of 8 columns, PostgreSQL {server.version()}")
        print(f"{'':<40} {'seconds':>8} {'bytes moved':>15} {'% of load':>9}")
        _, loaded = _measure("dapu run", counter, 0, 1, lambda: _dapu("run", folder, _TASK))
        server.settle("warehouse")

        def count() -> None:
            server.execute("shop", "select count(*) from sale")
            server.execute("warehouse", "select count(*) from staging.sale")

        _measure("count(*) of both sides", counter, loaded, given.runs, count)

        def verify(status: int) -> dict[str, Any]:
            found: dict[str, Any] = json.loads(
                _dapu("verify", folder, _TASK, "--json", status=status)
            )
            return found

        same, _ = _measure("dapu verify, the same", counter, loaded, given.runs, lambda: verify(0))
        server.execute("warehouse", _CHANGE.format(rows=given.rows))
        other, _ = _measure(
            "dapu verify, 20 rows changed", counter, loaded, given.runs, lambda: verify(1)
        )
        print(
            f"{same['blocks']:,} blocks; {other['differing']} rows found, in "
            f"{other['blocks_differing']} blocks, of which {other['rows_read']:,} rows were read"
        )


if __name__ == "__main__":
    main()
