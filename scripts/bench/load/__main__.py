"""The pull engine beside raw pipes, and with --peers beside other programs that do its job.

    ./scripts/bench/run load [--peers] [--rows 1000000] [--runs 3] [--big] [--only postgres …]

It starts a PostgreSQL (source and warehouse) and a MariaDB, with the durability that they have by
default, listening on loopback, and fills them and a SQLite file with the rows that
../shared/bench/lineitem.py makes. Then each way of loading runs in turn, so many times; what is
shown is the middle run. All targets have a primary key on l_id.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import nan
from pathlib import Path

from scripts.bench.load.big import measure_big
from scripts.bench.load.changes import HEADING, PROXIED, Changes
from scripts.bench.load.dapu_ways import Warehouse, postgres_connection
from scripts.bench.load.peers import Peers
from scripts.bench.load.proxy import Counter, counting_proxy
from scripts.bench.load.sources import SOURCE, WAREHOUSE, Places, Source, versions
from scripts.bench.measure import BenchError, Series, Table, megabytes, show, verdict
from scripts.bench.servers import (
    clean_environment,
    fill_mariadb,
    fill_postgres,
    fill_sqlite,
    make_csv,
    running_postgres,
)
from scripts.bench.settled import SETTLED_HEADING, Left, let_autovacuum_sleep, settle
from tests.services.mariadb import missing_programs, running_mariadb

_FASTER = {"sling": 3.0, "dlt": 6.0, "dlt, its files not compressed": 6.0}
_PROCESS, _JOB = "dapu replace, `dapu run` as a whole", "dapu replace, the job in it"
_FIRST_PROCESS, _FIRST = "dapu first load, `dapu run` as a whole", "dapu first load, the job in it"
_FIRST_GOAL = 1.15  # x pipe, for the load that makes its table
_REPLACE = {"load": "replace", "key": ["l_id"]}


class LoadTable(Table):
    """The ways of one source. left: what each left to be done, where that is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.left: dict[str, Left] = defaultdict(Left)


@dataclass(frozen=True)
class Bench:
    """All that one measurement needs."""

    places: Places
    sources: list[Source]
    warehouse: Warehouse
    counter: Counter
    peers: Peers | None
    rows: int
    runs: int

    def measure(self) -> dict[str, LoadTable]:
        """Runs each way of each source in turn. Returns the tables by the source's name."""
        tables = {source.name: LoadTable() for source in self.sources}
        for number in range(self.runs):
            for source in self.sources:
                self._round(source, tables[source.name], number + 1)
        return tables

    def _round(self, source: Source, table: LoadTable, number: int) -> None:
        def report(what: str, seconds: float) -> None:
            progress(f"run {number}, {source.name}: {what}: {seconds:.2f} s")

        self.places.empty_raw_table()
        self._settle()
        table.add(source.raw, source.pipe().seconds)
        self._look_what_is_left(table, source.raw, "raw_lineitem")
        self._check("raw_lineitem")
        report(source.raw, table[source.raw].seconds[-1])
        for job_name, process_name, is_first in (
            (_FIRST, _FIRST_PROCESS, True),
            (_JOB, _PROCESS, False),
        ):
            self._dapu(source, table, job_name, process_name, is_first)
            report(job_name, table[job_name].seconds[-1])
        for peer in self.peers.ways() if self.peers else ():
            self._peer(source, table, peer)
            report(peer, table[peer].seconds[-1] if peer in table else nan)

    def _dapu(
        self, source: Source, table: LoadTable, job_name: str, process_name: str, is_first: bool
    ) -> None:
        name = f"dapu.from_{source.name}"
        task = self.warehouse.define(f"{source.name}.{name}", {**_REPLACE, **source.action})
        if is_first:
            self.places.postgres.execute(WAREHOUSE, f"drop table if exists {name}")
        self._settle()
        job = self.warehouse.run(task, "--full")  # a file too that did not change
        table.add(process_name, job.process.seconds, job.memory)
        self._look_what_is_left(table, process_name, name)
        table.add(job_name, job.seconds, job.memory)
        self._check(name)

    def _peer(self, source: Source, table: LoadTable, peer: str) -> None:
        assert self.peers is not None
        self._settle()
        try:
            measured = self.peers.ways()[peer](source.peer)
            self._check(self.peers.table(peer.partition(",")[0], source.peer))
        except BenchError as error:
            table.failed[peer] = str(error).splitlines()[-1]
        else:
            table.add(peer, measured.seconds, measured.memory)

    def _look_what_is_left(self, table: LoadTable, way: str, target: str) -> None:
        settled = settle(self.places.postgres, WAREHOUSE, target, self.rows)
        table.left[way].add(table[way].seconds[-1], settled)

    def _settle(self) -> None:
        self.places.postgres.settle(WAREHOUSE)

    def _check(self, table: str) -> None:
        """No way may be fast because it left rows out, or did without the key."""
        execute = self.places.postgres.execute
        count = execute(WAREHOUSE, f"select count(*) from {table}")[0][0]
        keys = execute(
            WAREHOUSE,
            f"select count(*) from pg_index where indrelid = '{table}'::regclass and indisunique",
        )[0][0]
        if count != self.rows or keys != 1:
            raise BenchError(f"{table} has {count} rows and {keys} keys; it must be {self.rows}, 1")


def report(source: Source, table: LoadTable) -> str:
    """What one source's ways took, beside the goals."""
    raw, whole = table[source.raw].median, table[_PROCESS].median
    lines = [("way", "s", "each run", "x pipe", "x dapu", "memory", *SETTLED_HEADING, "goal")]
    for name, series in table.items():
        goal, beside_dapu = "", ""
        if name in (_PROCESS, _FIRST_PROCESS):
            wanted = source.goal if name == _PROCESS else _FIRST_GOAL
            goal = f"{verdict(series.median / raw, wanted)}, "
            goal += f"{table.left[name].verdict(table.left[source.raw])} (x pipe)"
        elif not name.startswith("dapu") and name != source.raw:
            beside_dapu = f"{series.median / whole:.2f}"
            if name in _FASTER:
                faster = verdict(series.median / whole, _FASTER[name], at_least=True)
                goal = f"{faster} (x dapu)"
        ratio = f"{series.median / raw:.2f}"
        memory, left = megabytes(series.memory), table.left[name].shown(table.left[source.raw])
        lines.append((name, *series.shown(), ratio, beside_dapu, memory, *left, goal))
    failed = [f"\n{name} failed: {reason}" for name, reason in table.failed.items()]
    return f"{source.title} to PostgreSQL\n{show(lines)}{''.join(failed)}"


def memory_report(tables: dict[str, LoadTable], big: dict[str, Series]) -> str:
    """The most memory of a worker, for each source and size."""
    lines = [("memory of `dapu run`, children included", "s", "peak", "goal")]
    for name, table in tables.items():
        for size, series in (("", table[_JOB]), (", ten times the rows", big.get(name))):
            if series is not None:
                goal = f"{verdict(series.memory / 1e6, 150)} (MB)"
                lines.append((name + size, series.shown()[0], megabytes(series.memory), goal))
    return show(lines)


def progress(text: str) -> None:
    """For who waits; the results alone go to standard output."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def prepared(given: argparse.Namespace) -> Iterator[Bench]:
    """Starts the servers and fills them; stops and removes all of it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="dapu-bench-"))
    folder.chmod(0o755)  # psql may run as another user
    try:
        with ExitStack() as stack:
            progress(f"makes {given.rows:,} rows, and fills the servers")
            places = _fill(stack, folder, given)
            sources = _sources(places, given.only)
            server = places.postgres
            counter = stack.enter_context(counting_proxy(server.host, server.port))
            connections = {source.name: source.connection for source in sources}
            connections[PROXIED] = postgres_connection(server, SOURCE, counter.port)
            warehouse = Warehouse(folder / "warehouse", server, WAREHOUSE, connections)
            peers = Peers(server, WAREHOUSE, folder) if given.peers else None
            if peers is not None:
                peers.install()
            yield Bench(places, sources, warehouse, counter, peers, given.rows, given.runs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(stack: ExitStack, folder: Path, given: argparse.Namespace) -> Places:
    file = make_csv(folder, given.rows)
    postgres = stack.enter_context(running_postgres(SOURCE, WAREHOUSE))
    let_autovacuum_sleep(postgres)
    fill_postgres(postgres, SOURCE, file)
    mariadb = None
    if "mariadb" in given.only:
        if missing := missing_programs():
            progress(f"leaves out MariaDB: there is no {missing[0]} (Debian's mariadb-server)")
        else:
            mariadb = stack.enter_context(running_mariadb())
            fill_mariadb(mariadb, SOURCE, file)
    sqlite = folder / "lineitem.db"
    fill_sqlite(sqlite, file)
    return Places(postgres, mariadb, sqlite, file)


def _sources(places: Places, only: list[str]) -> list[Source]:
    found = [places.postgres_source(), places.sqlite_source(), places.csv_source()]
    if places.mariadb is not None:
        found.insert(1, places.mariadb_source())
    return [source for source in found if source.name in only]


def main() -> None:
    """Measures, and prints the tables."""
    names = ["postgres", "mariadb", "sqlite", "csv"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", action="store_true", help="sling, dlt and ingestr too")
    parser.add_argument("--big", action="store_true", help="ten times the rows too, for the memory")
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    given = parser.parse_args()
    clean_environment()
    try:
        with prepared(given) as bench:
            _print(bench, given.big)
    except BenchError as error:
        sys.exit(f"bench load: {error}")


def _print(bench: Bench, wants_big: bool) -> None:
    print(f"{bench.rows:,} rows of 16 columns; {bench.runs} runs, the middle one counts")
    print(versions(bench.places))
    if bench.peers is not None:
        print(", ".join(bench.peers.versions.values()))
    tables = bench.measure()
    for source in bench.sources:
        print(f"\n{report(source, tables[source.name])}")
    if "postgres" in tables:
        replace = tables["postgres"][_JOB].median
        server = bench.places.postgres
        changes = Changes(
            server, bench.warehouse, bench.counter, bench.rows, bench.runs, replace
        ).report()
        print(f"\nPostgreSQL to PostgreSQL, loaded before\n{show([HEADING, *changes])}")
    big = measure_big(bench.places, bench.warehouse, tables) if wants_big else {}
    print(f"\n{memory_report(tables, big)}")


if __name__ == "__main__":
    main()
