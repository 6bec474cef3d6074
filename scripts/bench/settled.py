"""What a load leaves to be done: the first scan of its rows and the first vacuum, and their WAL."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import median

from scripts.bench.measure import BenchError, verdict
from scripts.bench.servers import Postgres

SETTLED_HEADING = ("settled", "x pipe", "WAL later")
GOAL = 0.75  # x pipe
_NAP = 1_000_000  # seconds; the server's first look at a database comes as late


@dataclass(frozen=True)
class Settled:
    """What comes after a load: the first scan and the first vacuum, in seconds, and their WAL."""

    seconds: float
    wal: int  # bytes


@dataclass
class Left:
    """The runs of one way of loading. seconds: the load as well."""

    seconds: list[float] = field(default_factory=list)
    wal: list[int] = field(default_factory=list)

    def add(self, load: float, settled: Settled) -> None:
        """One more run. load: its seconds."""
        self.seconds.append(load + settled.seconds)
        self.wal.append(settled.wal)

    def shown(self, pipe: Left) -> tuple[str, str, str]:
        """For a table: the middle run, beside the pipe's, and the WAL."""
        if not self.seconds:
            return ("", "", "")
        wal = f"{median(self.wal) / 1e6:,.0f} MB"
        return (f"{median(self.seconds):.2f}", f"{self._ratio(pipe):.2f}", wal)

    def verdict(self, pipe: Left) -> str:
        """The goal, and whether it is met."""
        return f"settled {verdict(self._ratio(pipe), GOAL)}"

    def _ratio(self, pipe: Left) -> float:
        return median(self.seconds) / median(pipe.seconds)


def let_autovacuum_sleep(server: Postgres) -> None:
    """Autovacuum is on, as it is by default, and comes to no table: it would between two runs."""
    for statement in (f"alter system set autovacuum_naptime = {_NAP}", "select pg_reload_conf()"):
        server.execute("postgres", statement)


def settle(server: Postgres, database: str, table: str, rows: int) -> Settled:
    """The first scan and the first vacuum. Raises BenchError when rows are missing.

    A checkpoint comes before, as it does within five minutes of a load: what changes a page after
    it writes the whole page to the WAL again.
    """
    server.execute(database, "checkpoint")
    before, began = _written(server), time.perf_counter()
    found = server.execute(database, f"select count(t) from {table} t")[0][0]
    server.execute(database, f"vacuum (freeze, analyze) {table}")
    seconds = time.perf_counter() - began
    if found != rows:
        raise BenchError(f"{table} has {found} rows; it must be {rows}")
    return Settled(seconds, _written(server) - before)


def _written(server: Postgres) -> int:
    query = "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
    return int(server.execute("postgres", query)[0][0])
