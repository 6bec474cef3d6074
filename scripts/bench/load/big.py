"""Ten times the rows of `bench load`: whether a worker's memory stays what it was."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing

from scripts.bench.load.dapu_ways import Warehouse
from scripts.bench.load.sources import SOURCE, Places
from scripts.bench.measure import Series
from scripts.bench.servers import TABLE, definition, with_header

_BIG = "big"
_TIMES = 10

Action = dict[str, str]


def measure_big(
    places: Places, warehouse: Warehouse, sources: Collection[str]
) -> dict[str, Series]:
    """Loads ten times the rows from each source, twice: into no table, and in place of one."""
    found: dict[str, Series] = {}
    for name in [name for name in _MAKE if name in sources]:
        action = {"load": "replace", "key": ["l_id"], **_MAKE[name](places)}
        query = f"select * from {_BIG}"
        task = warehouse.define(f"{name}.dapu.big_from_{name}", action, query)
        jobs = [warehouse.run(task, "--full"), warehouse.run(task, "--full")]
        memory = max(job.memory for job in jobs)
        found[name] = Series(name, [jobs[1].seconds], memory)
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


# Each makes ten times the rows, and returns what an action needs beside a query to read them.


def _in_postgres(places: Places) -> Action:
    for statement in [*_statements(), f"vacuum analyze {_BIG}"]:
        places.postgres.execute(SOURCE, statement)
    return {}


def _in_mariadb(places: Places) -> Action:
    assert places.mariadb is not None
    with closing(places.mariadb.connect(SOURCE)) as session, session.cursor() as cursor:
        for statement in _statements():
            cursor.execute(statement)
    return {}


def _in_sqlite(places: Places) -> Action:
    with closing(sqlite3.connect(places.sqlite)) as session:
        session.execute("pragma synchronous = off")
        for statement in _statements():
            session.execute(statement)
        session.commit()
    return {}


def _in_csv(places: Places) -> Action:
    named = with_header(places.csv)
    file = named.with_name(f"{_BIG}.csv")
    with file.open("wb") as target:
        for number in range(_TIMES):
            with named.open("rb") as source:
                header = next(source)
                if number == 0:
                    target.write(header)
                target.writelines(_raised(source, number))
    return {"do": "file", "file": file.name}


def _raised(lines: Iterable[bytes], number: int) -> Iterator[bytes]:
    """The lines with keys of a range of their own."""
    for line in lines:
        key, rest = line.split(b",", 1)
        yield b"%d,%s" % (int(key) + number * 1_000_000_000, rest)


_MAKE: dict[str, Callable[[Places], Action]] = {
    "postgres": _in_postgres,
    "mariadb": _in_mariadb,
    "sqlite": _in_sqlite,
    "csv": _in_csv,
}
