"""Those who read a table while `load: replace` puts another in its place, and other loads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.loading.modes.replace import replace
from dapu.loading.table.relation import create, describe
from dapu.rows.rows import Column, CopyRows
from dapu.statement import TableName
from tests.conftest import Database

NAME = TableName("staging", "line")


@pytest.fixture
def table(connection: PgSession) -> None:
    """A table that a view reads, and that refers to another."""
    _run(
        connection,
        """
        create schema staging;
        create table staging.invoice (id integer primary key);
        insert into staging.invoice values (1), (2);
        create table staging.line (invoice integer references staging.invoice);
        insert into staging.line values (1);
        create view staging.reading as select invoice from staging.line;
        """,
    )


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def _run(session: PgSession, statement: str) -> Any:
    with session, session.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else None


def _write(file: Any) -> None:
    file.write(b"2\n")


def _replace(session: PgSession) -> str:
    rows = CopyRows([Column("invoice", "integer")], "csv", _write)
    with session, session.cursor() as cursor:
        return str(replace(cursor, NAME, describe(cursor, NAME), rows))


def _wait_for_lock(session: PgSession, pid: int) -> None:
    """Until a session waits for a lock."""
    query = f"select exists (select from pg_locks where pid = {pid} and not granted)"
    for _ in range(500):
        if _run(session, query) == [(True,)]:
            return
        threading.Event().wait(0.01)
    raise AssertionError("it does not wait")


@pytest.mark.usefixtures("table")
def test_a_reader_of_a_view_that_waits_with_the_swap_is_not_its_deadlock(
    connection: PgSession, database: Database, pool: ThreadPoolExecutor
) -> None:
    with closing(database.connect()) as first, closing(database.connect()) as second:
        with first.cursor() as cursor:  # its transaction holds the table
            cursor.execute("select * from staging.line")
        swap = pool.submit(_replace, connection)
        _wait_for_lock(second, connection.info.backend_pid)
        read = pool.submit(_run, second, "select * from staging.reading")
        time.sleep(0.1)
        first.commit()
        assert swap.result() == "1 row"
        assert read.result() in ([(1,)], [(2,)])


@pytest.mark.usefixtures("table")
def test_a_reader_of_a_table_that_is_referred_to_holds_up_no_other_reader(
    connection: PgSession, database: Database, pool: ThreadPoolExecutor
) -> None:
    with closing(database.connect()) as first, closing(database.connect()) as second:
        with first.cursor() as cursor:
            cursor.execute("select * from staging.invoice")
        swap = pool.submit(_replace, connection)
        _wait_for_lock(second, connection.info.backend_pid)
        _run(second, "set statement_timeout = '1s'")
        assert _run(second, "select * from staging.line") == [(1,)]
        assert _run(first, "select * from staging.line") == [(1,)]
        first.commit()
        assert swap.result() == "1 row"
    assert _run(connection, "select * from staging.line") == [(2,)]


def test_two_first_loads_may_make_one_schema(
    connection: PgSession, database: Database, pool: ThreadPoolExecutor
) -> None:
    with closing(database.connect()) as first:
        with first.cursor() as cursor:
            create(cursor, TableName("staging", "one"), [Column("id", "integer")])
        second = pool.submit(_replace, connection)
        with closing(database.connect()) as watcher:
            _wait_for_lock(watcher, connection.info.backend_pid)
        first.commit()
        assert second.result() == "1 row, table made"
