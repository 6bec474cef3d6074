"""Incremental work beside `MERGE` by hand: few changes in a table of many rows, with 3 indexes.

    ./scripts/bench/run incremental [--rows 10000000] [--runs 3] [--only merge_10000 …] [--peers]

By hand is the least that there is to do: the changed rows through a pipe into an unlogged table,
then `MERGE` (or `insert`) from it, in one transaction, into a copy of the same table. Where nothing
says what changed, it is all rows. dapu and it take turns; each round changes rows that none has
changed before. --peers: dbt too, for what is transformed in the warehouse.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.incremental_peers import Dbt
from scripts.bench.incremental_works import (
    COLUMNS,
    FIRST_CHANGE,
    HAND,
    INDEXED,
    MADE,
    ROWS,
    SOURCE_TABLE,
    STAGED,
    Work,
    changed_at,
    works,
)
from scripts.bench.load.dapu_ways import Warehouse, postgres_connection
from scripts.bench.measure import BenchError, Series, run, run_pipe, show, verdict
from scripts.bench.servers import Postgres, clean_environment, running_postgres

_SOURCE, _WAREHOUSE = "source", "warehouse"
_OLD = "timestamp '2024-01-01' + i * interval '1 second'"
_GOAL = 1.3  # x by hand
_HEADING = ("work", "way", "s", "each run", "x by hand", "goal")
_BY_HAND, _WHOLE, _JOB, _DBT = "by hand", "`dapu run` as a whole", "… the job", "dbt"


@dataclass
class Bench:
    """The server with source and warehouse.

    round: counts the rounds, so that each changes anew.
    """

    postgres: Postgres
    warehouse: Warehouse
    dbt: Dbt | None
    rows: int
    runs: int
    round: int = 0

    def measure(self, work: Work) -> list[tuple[str, ...]]:
        """One kind of change, by each way in turn; the lines of the report."""
        table = f"dapu.{work.key}"
        task = self._define(work, table)
        self.warehouse.run(task)  # everything
        self._make_by_hand(table)
        dbt = self.dbt if work.peer is not None else None
        if dbt is not None and work.peer is not None:
            dbt.run(work.peer)
            self._index(dbt.table(work.peer), "id")
        names = (_BY_HAND, _WHOLE, _JOB, *([_DBT] if dbt is not None else []))
        series = {name: Series(name, []) for name in names}
        for _ in range(self.runs):
            since = self._change(work)
            self._settle()
            series[_BY_HAND].seconds.append(self._by_hand(work, since))
            self._settle()
            done = self.warehouse.run(task)
            series[_WHOLE].seconds.append(done.process.seconds)
            series[_JOB].seconds.append(done.seconds)
            self._check(work, {table: work.holds, HAND: work.holds})
            if dbt is not None and work.peer is not None:
                self._settle()
                series[_DBT].seconds.append(dbt.run(work.peer).seconds)
                self._check(work, {dbt.table(work.peer): dbt.holds(work.peer)})
        return [self._line(work, one, series[_BY_HAND]) for one in series.values()]

    def _define(self, work: Work, table: str) -> str:
        query = f"select {', '.join(COLUMNS)} from {SOURCE_TABLE}"
        if work.in_warehouse:
            query = query.replace(SOURCE_TABLE, f"public.{SOURCE_TABLE}")
        elif work.action["load"] != "history":
            self._execute(MADE.format(table))
        self._execute(f"drop table if exists {HAND}")
        return self.warehouse.define(f"postgres.{table}", work.action, query)

    def _make_by_hand(self, table: str) -> None:
        self._index(table)
        self._execute(f"create table {HAND} (like {table} including all)")
        self._execute(f"insert into {HAND} select * from {table}")

    def _index(self, table: str, *more: str) -> None:
        for column in (*more, *INDEXED):
            self._execute(f"create index on {table} ({column})")

    def _change(self, work: Work) -> str:
        """Changes or adds rows; returns the condition that finds them."""
        self.round += 1
        database = _WAREHOUSE if work.in_warehouse else _SOURCE
        if work.adds:
            last = int(self.postgres.execute(database, f"select max(id) from {SOURCE_TABLE}")[0][0])
            rows = ROWS.format(FIRST_CHANGE, last + 1, last + work.rows)
            self.postgres.execute(database, f"insert into {SOURCE_TABLE} {rows}")
            return f"id > {last}"
        self.postgres.execute(database, work.change(self.rows, self.round))
        return f"changed_at >= {changed_at(self.round)}"

    def _by_hand(self, work: Work, since: str) -> float:
        changed = f"select {', '.join(COLUMNS)} from {SOURCE_TABLE}"
        if not work.reads_all:
            changed += f" where {since}"
        if work.in_warehouse:
            taken_in = [one.format(rows=f"({changed})") for one in work.by_hand]
            return run(self._transaction(taken_in)).seconds
        self._execute(f"drop table if exists {STAGED}")
        empty = f"select {', '.join(COLUMNS)} from {HAND} limit 0"
        self._execute(f"create unlogged table {STAGED} as {empty}")
        read = self._psql(_SOURCE, f"copy ({changed}) to stdout (format binary)")
        taken_in = [one.format(rows=STAGED) for one in work.by_hand]
        write = self._transaction([f"copy {STAGED} from stdin (format binary)", *taken_in])
        return run_pipe(read, write).seconds

    def _transaction(self, statements: list[str]) -> tuple[str | Path, ...]:
        words = [word for one in (*statements, "commit") for word in ("-c", one)]
        return (*self._psql(_WAREHOUSE, "begin"), *words)

    def _check(self, work: Work, targets: dict[str, str]) -> None:
        """Each has the source's rows. targets: with the condition of those that count."""
        query = "select count(*), sum(amount), max(changed_at) from {} where {}"
        database = _WAREHOUSE if work.in_warehouse else _SOURCE
        wanted = self.postgres.execute(database, query.format(SOURCE_TABLE, "true"))
        for target, holds in targets.items():
            if self.postgres.execute(_WAREHOUSE, query.format(target, holds)) != wanted:
                raise BenchError(f"{target} has not the rows of the source")

    def _settle(self) -> None:
        for database in (_SOURCE, _WAREHOUSE):
            self.postgres.settle(database)

    def _execute(self, statement: str) -> None:
        self.postgres.execute(_WAREHOUSE, statement)

    def _psql(self, database: str, command: str) -> tuple[str | Path, ...]:
        return tuple(self.postgres.psql(database, command))

    def _line(self, work: Work, series: Series, hand: Series) -> tuple[str, ...]:
        ratio = series.median / hand.median
        goal = verdict(ratio, _GOAL) if series.name == _WHOLE else ""
        return (work.name, series.name, *series.shown(), f"{ratio:.2f}", goal)


@contextmanager
def _prepared(given: argparse.Namespace) -> Iterator[Bench]:
    folder = Path(tempfile.mkdtemp(prefix="dapu-bench-"))
    folder.chmod(0o755)  # psql may run as another user
    try:
        with running_postgres(_SOURCE, _WAREHOUSE) as postgres:
            for database in (_SOURCE, _WAREHOUSE):  # in the warehouse it is for `transform`
                postgres.execute(database, MADE.format(SOURCE_TABLE))
                rows = ROWS.format(_OLD, 1, given.rows)
                postgres.execute(database, f"insert into {SOURCE_TABLE} {rows}")
                postgres.execute(database, f"create index on {SOURCE_TABLE} (changed_at)")
            connections = {"postgres": postgres_connection(postgres, _SOURCE)}
            warehouse = Warehouse(folder / "warehouse", postgres, _WAREHOUSE, connections)
            postgres.execute(_WAREHOUSE, "create schema dapu")
            dbt = Dbt(postgres, _WAREHOUSE, folder / "dbt") if given.peers else None
            yield Bench(postgres, warehouse, dbt, given.rows, given.runs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _chosen(given: argparse.Namespace) -> list[Work]:
    known = works(given.rows)
    if unknown := set(given.only or ()) - {work.key for work in known}:
        raise BenchError(f"no kind of work is {', '.join(unknown)}")
    return [work for work in known if given.only is None or work.key in given.only]


def main() -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="+", help="kinds of work: merge_10000, blocks, history …")
    parser.add_argument("--peers", action="store_true", help="dbt too")
    given = parser.parse_args()
    clean_environment()
    try:
        with _prepared(given) as bench:
            lines: list[tuple[str, ...]] = [_HEADING]
            peer = f", {bench.dbt.make()}" if bench.dbt is not None else ""
            for work in _chosen(given):
                lines += bench.measure(work)
                print(f"measured: {work.name}", file=sys.stderr, flush=True)
            versions = f"PostgreSQL {bench.postgres.version()}{peer}"
            print(f"{versions}, {given.rows:,} rows of 7 columns, 3 indexes and a key")
            print(f"{given.runs} runs, the middle one counts\n\n{show(lines)}")
    except BenchError as error:
        sys.exit(f"bench incremental: {error}")


if __name__ == "__main__":
    main()
