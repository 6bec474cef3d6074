"""Ten times the rows of `bench load`: whether a worker's memory stays what it was."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing

from scripts.bench_load_dapu import Warehouse
from scripts.bench_load_measure import Series
from scripts.bench_load_servers import TABLE, definition
from scripts.bench_load_sources import SOURCE, Places

_BIG = "big"
_TIMES = 10


def measure_big(places: Places, warehouse: Warehouse, sources: Iterable[str]) -> dict[str, Series]:
    """Loads ten times the rows from each source, twice: into no table, and in place of one."""
    found: dict[str, Series] = {}
    for name in sources:
        _RUN[name](places)
        action = {"load": "replace", "key": ["l_id"]}
        query = f"select * from {_BIG}"
        task = warehouse.define(f"{name}.dapu.big_from_{name}", action, query)
        jobs = [warehouse.run(task), warehouse.run(task)]
        memory = max(job.memory for job in jobs)
        found[name] = Series(name, [job.seconds for job in jobs], memory)
    return found


def _statements() -> list[str]:
    """SQL that all the databases take: the table, and the rows again under higher numbers."""
    key, *others = re.findall(r"^\s+(l_\w+)", definition(), re.MULTILINE)
    rows = ", ".join(others)
    again = [
        f"insert into {_BIG} select {key} + {number} * (select count(*) from {TABLE}), {rows} "
        f"from {TABLE}"
        for number in range(_TIMES)
    ]
    return [definition(_BIG), *again]


def _in_postgres(places: Places) -> None:
    for statement in [*_statements(), f"vacuum analyze {_BIG}"]:
        places.postgres.execute(SOURCE, statement)


def _in_mariadb(places: Places) -> None:
    assert places.mariadb is not None
    with closing(places.mariadb.connect(SOURCE)) as session, session.cursor() as cursor:
        for statement in _statements():
            cursor.execute(statement)


def _in_sqlite(places: Places) -> None:
    with closing(sqlite3.connect(places.sqlite)) as session:
        session.execute("pragma synchronous = off")
        for statement in _statements():
            session.execute(statement)
        session.commit()


_RUN: dict[str, Callable[[Places], None]] = {
    "postgres": _in_postgres,
    "mariadb": _in_mariadb,
    "sqlite": _in_sqlite,
}
