"""Chinook in SQLite and PostgreSQL: what is generated loads all its rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extras import execute_batch

from tests.conftest import Database
from tests.support import chinook
from tests.support.generating import Generating


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return chinook.fixture(tmp_path_factory.mktemp("chinook"))


def in_sqlite(path: Path, rows: list[dict[str, Any]]) -> str:
    with closing(sqlite3.connect(path)) as session, session:
        for statement in chinook.statements():
            session.execute(statement)
        for statement, values in chinook.inserts(rows, "?"):
            session.executemany(statement, values)
    return f"url: sqlite:///{path}"


def in_postgres(database: Database, rows: list[dict[str, Any]]) -> str:
    with closing(database.connect()) as session, session, session.cursor() as cursor:
        for statement in chinook.statements():
            cursor.execute(statement)
        for statement, values in chinook.inserts(rows, "%s"):
            execute_batch(cursor, statement, values, page_size=1000)
    return (
        f"driver: pg\nhost: {database.server.socket_directory}\n"
        f"database: {database.name}\nusername: {database.server.username}"
    )


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_all_of_chinook(
    generating: Generating,
    database: Database,
    tmp_path: Path,
    kind: str,
    rows: list[dict[str, Any]],
) -> None:
    if kind == "sqlite":
        generating.reads(in_sqlite(tmp_path / "chinook.db", rows))
    else:
        generating.reads(in_postgres(database, rows))
    done = generating.generate(
        "--load", "merge", *[f"--tables={t.lower()}" for t in chinook.TABLES]
    )
    assert "generate: 11 new" in done.out
    generating.load()
    counts = " union all ".join(
        f"select '{table}', count(*) from staging.{table.lower()}" for table in chinook.TABLES
    )
    assert dict(generating.rows(counts)) == chinook.ROWS
    total = "select sum(unitprice * quantity), count(distinct trackid) from staging.invoiceline"
    assert generating.rows(total) == [(Decimal("2328.60"), 1984)]
    first = "select firstname, company, city from staging.customer where customerid = 1"
    embraer = "Embraer - Empresa Brasileira de Aeronáutica S.A."
    assert generating.rows(first) == [("Luís", embraer, "São José dos Campos")]
    assert generating.types("invoice")["invoicedate"].startswith("timestamp")
    assert "key: [playlistid, trackid]" in generating.file("playlisttrack/task.yaml").read_text()
    # Once more: nothing is loaded twice.
    generating.run("run", "erp.staging.playlisttrack")
    assert dict(generating.rows(counts)) == chinook.ROWS
