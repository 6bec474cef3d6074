"""A value that does not fit is told with what a person finds the row by."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession
from sqlalchemy.engine import make_url

from dapu.errors import JobError
from dapu.sources.databases.mysql.source import MySqlSource
from dapu.sources.databases.postgres.source import PostgresSource
from dapu.sources.databases.source import Source
from dapu.sources.databases.sqlalchemy.source import GenericSource
from dapu.sources.databases.sqlite.source import SqliteSource
from dapu.warehouse.database_url import parse_database_url
from tests.conftest import Database
from tests.services.mariadb import MariaDB
from tests.support.one_task import OneTask
from tests.support.pull import make_target, pull

Open = Callable[[str], Source]
SALES = (
    "create table sale (sale_id int, amount varchar(20), note varchar(20));"
    "insert into sale values (11, '1', 'a'), (17, '{0}', 'b'), (23, '2', 'c')"
)


@pytest.fixture(params=["postgres", "mariadb", "sqlite", "generic"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens a source that has `sale`, with a bad amount in its second row."""

    def postgres(bad: str) -> Source:
        database: Database = request.getfixturevalue("database")
        with closing(database.connect()) as session, session, session.cursor() as cursor:
            cursor.execute(SALES.format(bad))
        return PostgresSource("shop", {"dsn": database.uri})

    def mariadb(bad: str) -> Source:
        server: MariaDB = request.getfixturevalue("mariadb")
        with closing(server.connect()) as session, session.cursor() as cursor:
            for statement in ("create or replace database shop", "use shop", *_statements(bad)):
                cursor.execute(statement)
            session.commit()
        return MySqlSource("shop", parse_database_url(server.url("shop")), {})

    def sqlite(bad: str) -> Source:
        return SqliteSource("shop", _file(bad))

    def generic(bad: str) -> Source:
        return GenericSource("shop", make_url(f"sqlite:///{_file(bad)}"), {})

    def _statements(bad: str) -> list[str]:
        return SALES.format(bad).split(";")

    def _file(bad: str) -> str:
        path = tmp_path / "shop.db"
        with closing(sqlite3.connect(path)) as session, session:
            session.executescript(SALES.format(bad))
        return str(path)

    made: dict[str, Open] = {
        "postgres": postgres, "mariadb": mariadb, "sqlite": sqlite, "generic": generic,
    }  # fmt: skip
    return made[request.param]


def told(target: PgSession, source: Source, query: str, **options: Any) -> str:
    with pytest.raises(JobError) as failure:
        pull(target, source, query, **options)
    return str(failure.value)


QUERY = "select note, sale_id, amount from sale order by sale_id"


def test_key_and_value_of_the_row_are_reported(shop: Open, connection: PgSession) -> None:
    make_target(connection, "note text, sale_id int, amount int")
    message = told(connection, shop("abc"), QUERY, load="merge", key=["sale_id"])
    assert message == (
        'the column amount of staging.pulled cannot hold "abc" (row 2, sale_id 17): '
        'invalid input syntax for type integer: "abc"'
    )


def test_the_primary_key_of_the_table_is_reported(shop: Open, connection: PgSession) -> None:
    make_target(connection, "note text, sale_id int, amount int, primary key (note, sale_id)")
    message = told(connection, shop("abc"), QUERY, load="append")
    assert "(row 2, note b, sale_id 17): invalid" in message


def test_without_a_key_the_first_column_is_reported(shop: Open, connection: PgSession) -> None:
    make_target(connection, "note text, sale_id int, amount int")
    assert "(row 2, note b): invalid" in told(connection, shop("abc"), QUERY)


def test_a_value_that_must_be_there_is_reported_with_the_key(
    shop: Open, connection: PgSession
) -> None:
    make_target(connection, "sale_id int, amount text, note text not null")
    query = "select sale_id, amount, nullif(note, 'c') as note from sale order by sale_id"
    message = told(connection, shop("1"), query)
    assert message.startswith(
        "row 3, sale_id 23 has no value for the column note of staging.pulled, which is `not null`"
    )


def test_what_a_check_refuses_is_reported_with_the_key(shop: Open, connection: PgSession) -> None:
    make_target(connection, "sale_id int, amount text, note text check (note <> 'b')")
    message = told(connection, shop("1"), "select sale_id, amount, note from sale order by 1")
    assert message.startswith("row 2, sale_id 17 does not fit into staging.pulled: new row")


def open_postgres(database: Database, **libpq: Any) -> PostgresSource:
    return PostgresSource("shop", {"dsn": database.uri, **libpq})


NUMBERS = "from generate_series(1, 100000) n"


def test_rows_in_binary_are_reported_with_value_and_key(
    database: Database, connection: PgSession
) -> None:
    make_target(connection, "sale_id int, note varchar(5)")
    source = open_postgres(database)
    query = f"select n as sale_id, left('Łód ' || n, 10)::varchar(10) as note {NUMBERS}"
    message = told(connection, source, query)
    assert source.description == "PostgreSQL, COPY binary"
    assert message == (
        'the column note of staging.pulled cannot hold "Łód 10 (would be cut)" (row 10, '
        "sale_id 10): value too long for type character varying(5)"
    )


def test_no_key_is_reported_where_the_order_is_another_one_each_time(
    database: Database, connection: PgSession
) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(f"create table sale as select n as sale_id, 'ab'::varchar as note {NUMBERS}")
        cursor.execute("analyze sale")
    make_target(connection, "sale_id int, note varchar(1)")
    settings = "parallel_setup_cost=0", "parallel_tuple_cost=0", "min_parallel_table_scan_size=0"
    source = open_postgres(database, options=" ".join(f"-c {setting}" for setting in settings))
    message = told(connection, source, "select sale_id, note::varchar(9) as note from sale")
    assert message.startswith("the column note of staging.pulled cannot hold (row 1): value too")


def test_what_is_not_text_is_reported_with_column_value_and_key(
    connection: PgSession, tmp_path: Path
) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as session, session:
        session.executescript(
            "create table sale (sale_id int, note text); insert into sale values "
            "(11, 'two\nlines'), (17, cast(x'61ff62' as text))"
        )
    assert told(connection, SqliteSource("shop", str(path)), "select * from sale") == (
        r'the column note of staging.pulled cannot hold "a\xffb" (row 2, sale_id 17): '
        'invalid byte sequence for encoding "UTF8": 0xff'
    )
    query = "select sale_id, 'a' || char(0) || 'b' as note from sale"
    assert told(connection, SqliteSource("shop", str(path)), query) == (
        r'the column note of staging.pulled cannot hold "a\x00b" (row 1, sale_id 11): invalid byte '
        'sequence for encoding "UTF8": 0x00 (`nul_characters: remove` leaves it out)'
    )


def test_what_is_not_text_follows_the_policy_by_each_reader(task: OneTask, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop, shop:
        shop.execute("create table sale (id int, note text)")
        shop.execute("insert into sale values (1, 'é'), (2, cast(x'61ff62' as text))")
    url, query = f"url: sqlite:///{tmp_path}/shop.db", {"extract.sql": "select * from sale"}
    for reader in ("native", "generic"):
        action = f"do: database\nquery: extract.sql\nkey: [id]\nreader: {reader}\n"
        task.has(url, action, query)
        message = task.fails()
        assert message.startswith("the column note of staging.thing cannot hold"), message
        assert '(row 2, id 2): invalid byte sequence for encoding "UTF8"' in message
        task.has(url, f"{action}on_bad_value: null", query)
        task.run()
        assert task.rows() == [(1, "é"), (2, None)]
