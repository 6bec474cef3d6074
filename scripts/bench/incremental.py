"""Incremental work beside `MERGE` by hand: few changes in a table of many rows, with 3 indexes.

    ./scripts/bench/run incremental [--rows 10000000] [--runs 3]

By hand is the least that there is to do: the changed rows through a pipe into an unlogged table,
then `MERGE` (or `insert`) from it, in one transaction, into a copy of the same table. dapu and it
take turns; each round changes rows that none has changed before.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.bench.load.dapu_ways import Warehouse, postgres_connection
from scripts.bench.measure import BenchError, Series, run_pipe, show, verdict
from scripts.bench.servers import Postgres, clean_environment, running_postgres

_SOURCE, _WAREHOUSE = "source", "warehouse"
_TABLE, _BY_HAND = "sale", "by_hand"
_COLUMNS = ("id", "customer", "amount", "sold_on", "region", "note", "changed_at")
_MADE = (
    "create table {} (id bigint primary key, customer int, amount numeric(15,2), sold_on date, "
    "region text, note text, changed_at timestamp)"
)
_INDEXED = ("customer", "sold_on", "changed_at")
_ROWS = (
    "select i, (i * 7919 % 100000)::int, (i * 31 % 1000000) / 100.0, "
    "date '2020-01-01' + (i % 2000)::int, 'region ' || i % 50, 'note ' || md5(i::text), "
    "{} from generate_series({}::bigint, {}::bigint) i"
)
_OLD = "timestamp '2024-01-01' + i * interval '1 second'"
_FIRST_CHANGE = "timestamp '2030-01-01'"
_STAGED = "staged"
_GOAL = 1.3  # x by hand
_HEADING = ("work", "way", "s", "each run", "x by hand", "goal")


@dataclass(frozen=True)
class Work:
    """A kind of change. rows: how many of the source's rows each round changes, or adds."""

    name: str
    rows: int
    action: Mapping[str, Any]
    adds: bool = False

    @property
    def key(self) -> str:
        """A name for tables."""
        return f"{self.action['load']}_{self.rows}"


def _works(rows: int) -> list[Work]:
    merge = {"load": "merge", "key": ["id"], "watermark": {"column": "changed_at"}}
    append = {"load": "append", "watermark": {"column": "id"}}
    sizes = [size for size in (10_000, 100_000, 500_000) if size * 10 <= rows]
    return [
        *(Work(f"merge of {size:,}", size, merge) for size in sizes),
        Work("append of 10,000", 10_000, append, adds=True),
    ]


@dataclass
class Bench:
    """The server with source and warehouse. round: counts the rounds, so that each changes anew."""

    postgres: Postgres
    warehouse: Warehouse
    rows: int
    runs: int
    round: int = 0

    def measure(self, work: Work) -> list[tuple[str, ...]]:
        """One kind of change, by dapu and by hand in turn; the lines of the report."""
        table = f"dapu.{work.key}"
        self._make_targets(table)
        task = self.warehouse.define(
            f"postgres.{table}", work.action, f"select {', '.join(_COLUMNS)} from {_TABLE}"
        )
        self.warehouse.run(task)  # everything
        names = ("by hand", "`dapu run` as a whole", "… the job")
        hand, whole, job = (Series(name, []) for name in names)
        for _ in range(self.runs):
            since = self._change(work)
            self._settle()
            hand.seconds.append(self._by_hand(work, since))
            self._settle()
            done = self.warehouse.run(task)
            whole.seconds.append(done.process.seconds)
            job.seconds.append(done.seconds)
            self._check(table)
        return [self._line(work, series, hand) for series in (hand, whole, job)]

    def _make_targets(self, table: str) -> None:
        for target in (table, _BY_HAND):
            self._execute(f"drop table if exists {target}")
            self._execute(_MADE.format(target))
            for column in _INDEXED:
                self._execute(f"create index on {target} ({column})")
        rows = f"copy {_TABLE} to stdout (format binary)"
        into = f"copy {_BY_HAND} from stdin (format binary)"
        run_pipe(self._psql(_SOURCE, rows), self._psql(_WAREHOUSE, into))

    def _change(self, work: Work) -> str:
        """Changes or adds rows; returns the condition that finds them."""
        self.round += 1
        execute = self.postgres.execute
        if work.adds:
            last = int(execute(_SOURCE, f"select max(id) from {_TABLE}")[0][0])
            rows = _ROWS.format(_FIRST_CHANGE, last + 1, last + work.rows)
            execute(_SOURCE, f"insert into {_TABLE} {rows}")
            return f"id > {last}"
        changed_at = f"{_FIRST_CHANGE} + {self.round} * interval '1 day'"
        step = max(self.rows // work.rows, 1)
        execute(
            _SOURCE,
            f"update {_TABLE} set amount = amount + 1, note = 'round {self.round}', "
            f"changed_at = {changed_at} where id % {step} = {self.round % step}",
        )
        return f"changed_at = {changed_at}"

    def _by_hand(self, work: Work, since: str) -> float:
        self._execute(f"drop table if exists {_STAGED}")
        self._execute(f"create unlogged table {_STAGED} (like {_BY_HAND})")
        read = f"copy (select * from {_TABLE} where {since}) to stdout (format binary)"
        write = (
            *self._psql(_WAREHOUSE, "begin"),
            *("-c", f"copy {_STAGED} from stdin (format binary)"),
            *("-c", self._taken_in(work), "-c", "commit"),
        )
        return run_pipe(self._psql(_SOURCE, read), write).seconds

    def _taken_in(self, work: Work) -> str:
        if work.adds:
            return f"insert into {_BY_HAND} select * from {_STAGED}"
        others = ", ".join(f"{name} = s.{name}" for name in _COLUMNS if name != "id")
        return (
            f"merge into {_BY_HAND} t using {_STAGED} s on t.id = s.id "
            f"when matched then update set {others} "
            f"when not matched then insert values ({', '.join(f's.{n}' for n in _COLUMNS)})"
        )

    def _check(self, table: str) -> None:
        """Both have the source's rows."""
        query = "select count(*), sum(amount), max(changed_at) from {}"
        wanted = self.postgres.execute(_SOURCE, query.format(_TABLE))
        for target in (table, _BY_HAND):
            if self.postgres.execute(_WAREHOUSE, query.format(target)) != wanted:
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
        goal = verdict(ratio, _GOAL) if series.name.startswith("`dapu") else ""
        return (work.name, series.name, *series.shown(), f"{ratio:.2f}", goal)


@contextmanager
def _prepared(given: argparse.Namespace) -> Iterator[Bench]:
    folder = Path(tempfile.mkdtemp(prefix="dapu-bench-"))
    folder.chmod(0o755)  # psql may run as another user
    try:
        with running_postgres(_SOURCE, _WAREHOUSE) as postgres:
            postgres.execute(_SOURCE, _MADE.format(_TABLE))
            rows = _ROWS.format(_OLD, 1, given.rows)
            postgres.execute(_SOURCE, f"insert into {_TABLE} {rows}")
            postgres.execute(_SOURCE, f"create index on {_TABLE} (changed_at)")
            connections = {"postgres": postgres_connection(postgres, _SOURCE)}
            warehouse = Warehouse(folder / "warehouse", postgres, _WAREHOUSE, connections)
            postgres.execute(_WAREHOUSE, "create schema dapu")
            yield Bench(postgres, warehouse, given.rows, given.runs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    clean_environment()
    try:
        with _prepared(given) as bench:
            lines: list[tuple[str, ...]] = [_HEADING]
            for work in _works(given.rows):
                lines += bench.measure(work)
                print(f"measured: {work.name}", file=sys.stderr, flush=True)
            version = bench.postgres.version()
            print(f"PostgreSQL {version}, {given.rows:,} rows of 7 columns, 3 indexes and a key")
            print(f"{given.runs} runs, the middle one counts\n\n{show(lines)}")
    except BenchError as error:
        sys.exit(f"bench incremental: {error}")


if __name__ == "__main__":
    main()
