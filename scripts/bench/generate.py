#!/usr/bin/env python
"""How long it takes to generate the definitions of a large source, and to look at it again.

    ./scripts/bench/run generate [--tables 1000] [--columns 20]

The sources are PostgreSQL (an embedded one) and SQLite; each table has a key, an indexed change
column, comments where the database has them, and ten rows.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from dapu.generate.definitions.generator import WantedTables, generate, write
from dapu.warehouse.warehouse import Warehouse, open_warehouse

_MOST = 30.0  # seconds that a thousand tables may take
_CONNECTIONS = """\
- {name: main, driver: embedded, path: postgres}
- {name: erp, url: 'sqlite:///erp.db'}
"""
_AT_ONCE = 100  # tables in a transaction: each is a lock


def _statements(tables: int, columns: int, schema: str, comment: str) -> Iterator[str]:
    more = ", ".join(f"c{number} numeric(12, 2)" for number in range(columns - 3))
    for number in range(tables):
        name = f"{schema}t{number}"
        yield f"create table {name} (id int primary key, name varchar(50), at timestamp, {more})"
        yield f"create index i{number} on {'t' if not comment else schema + 't'}{number} (at)"
        values = ", ".join(f"({row}, 'x', '2024-01-01 00:00:00')" for row in range(10))
        yield f"insert into {name} (id, name, at) values {values}"
        if comment:
            yield comment.format(name=name)


def _fill_sqlite(path: Path, tables: int, columns: int) -> None:
    with closing(sqlite3.connect(path)) as session, session:
        for statement in _statements(tables, columns, "", ""):
            session.execute(statement)


def _fill_postgres(warehouse: Warehouse, tables: int, columns: int) -> None:
    comment = "comment on column {name}.name is 'What people call it'"
    statements = list(_statements(tables, columns, "erp.", comment))
    with warehouse.session("bench") as session, session.cursor() as cursor:
        cursor.execute("create schema erp")
        for start in range(0, len(statements), _AT_ONCE):
            cursor.execute(";".join(statements[start : start + _AT_ONCE]))
            session.commit()


def _timed(act: Callable[[], Counter[str]]) -> tuple[float, Counter[str]]:
    start = time.perf_counter()
    outcomes = act()
    return time.perf_counter() - start, outcomes


def _generate(warehouse: Warehouse, route: str) -> Counter[str]:
    outcomes = Counter[str]()
    tables = ["erp.*"] if route == "main" else []
    for one in generate(warehouse, WantedTables(route, f"from_{route}", tables, load="merge")):
        write(one)
        outcomes[one.outcome] += 1
    return outcomes


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--columns", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dapu-bench-") as name:
        folder = Path(name)
        (folder / "warehouse.yaml").write_text("")
        (folder / "connections.yaml").write_text(_CONNECTIONS)
        warehouse = open_warehouse(folder)
        _fill_sqlite(folder / "erp.db", given.tables, given.columns)
        _fill_postgres(warehouse, given.tables, given.columns)
        print(f"{given.tables:,} tables of {given.columns} columns; goal {_MOST:.0f} s for 1,000\n")
        print("| source | generated, s | looked at again, s |")
        print("| --- | --- | --- |")
        for label, route in (("PostgreSQL", "main"), ("SQLite", "erp")):
            first, made = _timed(lambda route=route: _generate(warehouse, route))  # type: ignore[misc]
            again, same = _timed(lambda route=route: _generate(warehouse, route))  # type: ignore[misc]
            assert made["new"] == same["unchanged"] == given.tables, (made, same)
            print(f"| {label} | {first:.1f} | {again:.1f} |")


if __name__ == "__main__":
    main()
