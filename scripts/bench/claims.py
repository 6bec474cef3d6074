"""What a claim takes, by how many jobs wait, and what the server thinks of them.

    ./scripts/bench/run claims [--waiting 1000 10000 100000] [--explain]

A claim is what a worker asks for its next job. The agenda is filled by SQL, with a task for each
job; the claims are those of a worker, one after the other, each kept. In `no statistics` nobody
analyzed the registry's tables; in `those of an idle agenda` somebody did before anything waited;
in `behind a paused route` so many jobs wait for another route, which is paused, and they are
more urgent.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from dapu.registry import agenda, workers
from dapu.registry.store import Registry
from dapu.registry.version import registry_of
from dapu.warehouse.postgres_session import Session
from scripts.bench.jobs import warehouse_of
from scripts.bench.measure import show

_CLAIMS = 100
_ROUTE = """
insert into meta.route (route, connection, paused_by) values ('paused', 'main', 'bench')
on conflict do nothing
"""
_FILL_REGISTRY = """
insert into meta.registry (task, route, schema_name, table_name, hash, definition, pause, priority,
    retries, retry_wait, timeout)
select concat_ws('.', %(route)s, %(route)s, n), %(route)s, %(route)s, n, hash, definition,
    pause, priority, retries, retry_wait, timeout
from meta.registry, generate_series(1, %(count)s) n where task = 'none.s.t0'
"""
_FILL_AGENDA = """
insert into meta.agenda (task, route, priority, cause)
select task, route, %(priority)s, 'run' from meta.registry
where route = %(route)s and task <> 'none.s.t0'
"""


class Agenda:
    """A registry with an agenda that can be filled anew."""

    def __init__(self, session: Session, registry: Registry) -> None:
        self._session, self._registry = session, registry
        self._cursor: Any = session.cursor()
        self.run("set statement_timeout to 20000")
        self._registry.run(self._cursor, "worker.settings_for_claims")
        self._worker = workers.enrol(self._cursor, registry)

    def run(self, statement: str, **values: object) -> None:
        """SQL of the bench."""
        self._cursor.execute(statement, values or None)

    def empty(self) -> None:
        """No jobs, no tasks but the first, no statistics."""
        self.run("truncate meta.agenda cascade")
        self.run("delete from meta.registry where task <> 'none.s.t0'")
        self.run("delete from pg_catalog.pg_statistic where starelid = 'meta.agenda'::regclass")

    def fill(self, count: int, route: str, priority: int) -> None:
        """So many more tasks, each with a job that waits."""
        self.run(_ROUTE)
        self.run(_FILL_REGISTRY, route=route, count=count)
        self.run(_FILL_AGENDA, route=route, priority=priority)

    def claims(self) -> float:
        """Milliseconds of one, the middle of many."""
        taken = []
        for _ in range(_CLAIMS):
            began = time.perf_counter()
            claim = agenda.claim(self._cursor, self._registry, self._worker, self._session.backend)
            taken.append(time.perf_counter() - began)
            assert claim is not None
        return 1000 * median(taken)

    def explained(self) -> str:
        """How the server goes about the next one."""
        self.run("begin")
        self.run(f'explain (analyze, buffers) execute "agenda.claim" ({self._worker}, 1)')
        plan = "\n".join(line for (line,) in self._cursor.fetchall())
        self.run("rollback")
        return plan


def _alone(filled: Agenda, count: int) -> None:
    filled.fill(count, "none", 5)


def _analyzed(filled: Agenda, count: int) -> None:
    filled.fill(count, "none", 5)
    filled.run("analyze meta.agenda, meta.registry")


def _idle(filled: Agenda, count: int) -> None:
    filled.fill(count, "none", 5)
    filled.run("update meta.agenda set status = 'done', ended_at = now()")
    filled.run("vacuum analyze meta.agenda, meta.registry")
    filled.run(_FILL_AGENDA, route="none", priority=5)


def _behind(filled: Agenda, count: int) -> None:
    filled.fill(2 * _CLAIMS, "none", 5)
    filled.fill(count, "paused", 1)


_CASES = {
    "no statistics": _alone,
    "analyzed": _analyzed,
    "those of an idle agenda": _idle,
    "behind a paused route": _behind,
}


@contextmanager
def _prepared() -> Iterator[Agenda]:
    with warehouse_of(1) as warehouse, warehouse.session("bench") as session:
        session.autocommit = True
        yield Agenda(session, registry_of(warehouse))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--waiting", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--explain", action="store_true", help="show the plan of the last one")
    given = parser.parse_args()
    lines = [("ms a claim, jobs that wait", *(f"{count:,}" for count in given.waiting))]
    with _prepared() as filled:
        for name, case in _CASES.items():
            taken = []
            for count in given.waiting:
                filled.empty()
                case(filled, count)
                taken.append(f"{filled.claims():.2f}")
            lines.append((name, *taken))
        print(show(lines))
        if given.explain:
            print(filled.explained())


if __name__ == "__main__":
    main()
