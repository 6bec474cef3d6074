"""What `bench load` measures where little or nothing changed: merge, snapshot and blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scripts.bench.load.dapu_ways import NotThere, Warehouse
from scripts.bench.load.proxy import Counter
from scripts.bench.load.sources import SOURCE, WAREHOUSE
from scripts.bench.measure import Series, megabytes, verdict
from scripts.bench.servers import TABLE, Postgres

PROXIED = "proxied"  # the route through the counter
HEADING = ("load", "s", "each run", "x replace", "memory", "goal")
_CHANGING = "changing"
_KEY = ["l_id"]
_CHANGED = 100  # one row in so many: 10,000 of a million
_WRITTEN = (
    "select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint "
    "from pg_stat_user_tables where schemaname = 'dapu' and relname = '{}'"
)

Row = tuple[str, ...]


@dataclass(frozen=True)
class Changes:
    """Loads of PostgreSQL tables that were loaded before.

    replace: what a replacing load of the same rows takes, in seconds.
    """

    server: Postgres
    warehouse: Warehouse
    counter: Counter
    rows: int
    runs: int
    replace: float

    def report(self) -> list[Row]:
        """The lines of the report; a load that dapu does not know yet is reported as such."""
        lines: list[Row] = []
        for name, measure in (
            ("merge", self._merge),
            ("snapshot", self._snapshot),
            ("blocks", self._blocks),
        ):
            try:
                lines += measure()
            except NotThere:
                lines.append((name, "not there yet", "", "", "", ""))
        return lines

    def _merge(self) -> list[Row]:
        """One row in a hundred changed, and has a new time stamp."""
        self._make_changing()
        action = {"load": "merge", "key": _KEY, "watermark": {"column": "l_modified"}}
        query = f"select * from {_CHANGING}"
        task = self.warehouse.define("postgres.dapu.merge", action, query)
        self.warehouse.run(task)
        series = self._measured(task, self._change)
        goal = f"{verdict(series.median, 1.5)} (s)"
        return [self._line(f"merge of {self.rows // _CHANGED:,} changed rows", series, goal)]

    def _snapshot(self) -> list[Row]:
        """Nothing changed, and nothing may be written."""
        task = self.warehouse.define("postgres.dapu.snapshot", {"load": "snapshot", "key": _KEY})
        self.warehouse.run(task)
        before = self._written("snapshot")
        series = self._measured(task)
        written = self._written("snapshot") - before
        return [
            self._line("snapshot, nothing changed", series, self._in_replaces(series, 1.5)),
            (f"  rows written: {written:,}", "", "", "", "", verdict(written, 0)),
        ]

    def _blocks(self) -> list[Row]:
        """Nothing changed, and next to nothing may be moved."""
        action = {"load": "snapshot", "key": _KEY, "changes": "blocks"}
        task = self.warehouse.define("postgres.dapu.blocks", action)
        self.warehouse.run(task)
        series = self._measured(task)
        proxied = self.warehouse.define(f"{PROXIED}.dapu.blocks_proxied", action)
        everything, nothing = self._moved(proxied), self._moved(proxied)
        share = nothing / everything
        moved = f"  bytes moved: {nothing:,} of {everything:,} = {share:.2%}"
        return [
            self._line("blocks, nothing changed", series, self._in_replaces(series, 0.6)),
            (moved, "", "", "", "", f"{verdict(share * 100, 1)} (%)"),
        ]

    def _make_changing(self) -> None:
        for statement in (
            f"create table {_CHANGING} (like {TABLE} including all)",
            f"insert into {_CHANGING} select * from {TABLE}",
            f"vacuum analyze {_CHANGING}",
        ):
            self.server.execute(SOURCE, statement)

    def _change(self, number: int) -> None:
        # A table of its own, so that the other measurements keep their rows.
        changed = f"l_comment = 'round {number}', l_modified = '2025-01-01'::date + {number}"
        where = f"l_id % {_CHANGED} = {number}"
        self.server.execute(SOURCE, f"update {_CHANGING} set {changed} where {where}")

    def _measured(self, task: str, before: Callable[[int], None] = lambda _: None) -> Series:
        series = Series(task, [])
        for number in range(self.runs):
            before(number)
            self.server.settle(SOURCE)
            self.server.settle(WAREHOUSE)
            job = self.warehouse.run(task)
            series.seconds.append(job.seconds)
            series.memory = max(series.memory, job.memory)
        return series

    def _in_replaces(self, series: Series, goal: float) -> str:
        return f"{verdict(series.median / self.replace, goal)} (x replace)"

    def _line(self, name: str, series: Series, goal: str) -> Row:
        ratio = f"{series.median / self.replace:.2f}"
        return (name, *series.shown(), ratio, megabytes(series.memory), goal)

    def _written(self, table: str) -> int:
        return int(self.server.execute(WAREHOUSE, _WRITTEN.format(table))[0][0])

    def _moved(self, task: str) -> int:
        before = self.counter.received
        self.warehouse.run(task)
        return self.counter.received - before
