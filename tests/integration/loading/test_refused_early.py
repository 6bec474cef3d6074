"""A row that the server refuses ends the reading there, not at the end of the source."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import BinaryIO, cast

import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as PgSession
from sqlalchemy.engine import make_url

from dapu.errors import JobError
from dapu.loading.load import load
from dapu.loading.options import LoadOptions
from dapu.rows.rows import Column, CopyRows
from dapu.sources.databases.mysql.source import MySqlSource
from dapu.sources.databases.postgres.source import PostgresSource
from dapu.sources.databases.source import Source
from dapu.sources.databases.sqlalchemy.source import GenericSource
from dapu.sources.databases.sqlite.source import SqliteSource
from dapu.statement import Statement
from dapu.warehouse.database_url import parse_database_url
from tests.conftest import Database
from tests.services.mariadb import MariaDB
from tests.support.pull import NAME, make_target, pull

ROWS = 2_000_000  # the tenth does not fit; the shortest of these readers' bytes are 18 million
NUMBERS = f"generate_series(1, {ROWS}) n"
RECURSIVE = (
    f"with recursive s (n) as (select 1 union all select n + 1 from s where n < {ROWS}) "
    "select n as id, case n when 10 then 'ten' else n end as amount from s"
)


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    """A database without a table."""
    path = tmp_path / "shop.db"
    sqlite3.connect(path).close()
    path.touch()
    return path


@pytest.fixture(params=["text", "binary", "mariadb", "sqlite", "generic"])
def source(request: pytest.FixtureRequest) -> tuple[Source, str, str]:
    """A source, its query, and the type in the target that the tenth row does not fit."""
    match request.param:
        case "text" | "binary":
            database: Database = request.getfixturevalue("database")
            shop = PostgresSource("shop", {"dsn": database.uri})
            value = "case n when 10 then 'ten' else (n % 90)::text end"
            if request.param == "text":
                return shop, f"select n as id, {value} as amount from {NUMBERS}", "integer"
            query = f"select n as id, ({value})::varchar(9) as amount from {NUMBERS}"
            return shop, query, "character varying(2)"
        case "mariadb":
            server: MariaDB = request.getfixturevalue("mariadb")
            query = f"select seq as id, if(seq = 10, 'ten', seq) as amount from seq_1_to_{ROWS}"
            url = parse_database_url(server.url("mysql"))
            return MySqlSource("shop", url, {}), query, "integer"
    path = request.getfixturevalue("sqlite_file")
    if request.param == "sqlite":
        return SqliteSource("shop", str(path)), RECURSIVE, "integer"
    return GenericSource("shop", make_url(f"sqlite:///{path}"), {}), RECURSIVE, "integer"


def counted(rows: CopyRows) -> tuple[CopyRows, list[int]]:
    """The rows, and the sizes of the pieces that were written of them."""
    sizes: list[int] = []

    class Counting:
        def __init__(self, file: BinaryIO) -> None:
            self._file = file

        def write(self, data: bytes) -> int:
            sizes.append(len(data))
            return self._file.write(data)

        def writelines(self, lines: list[bytes]) -> None:
            self.write(b"".join(lines))

    def write(file: BinaryIO) -> None:
        rows.write(cast(BinaryIO, Counting(file)))

    return replace(rows, write=write), sizes


def test_little_of_the_source_is_read_and_the_row_is_reported(
    source: tuple[Source, str, str], connection: PgSession
) -> None:
    shop, query, amount = source
    make_target(connection, f"id integer, amount {amount}")
    options = LoadOptions.model_validate({"do": "database", "load": "replace"})
    with closing(shop), connection.cursor() as cursor:
        read = shop.read(Statement((query,)), {"id": "integer", "amount": amount})
        rows, sizes = counted(cast(CopyRows, read))
        with pytest.raises(JobError) as failure:
            load(cursor, NAME, rows, options)
    told = str(failure.value)
    assert told.startswith("the column amount of staging.pulled cannot hold"), told
    assert '"ten' in told
    assert "(row 10, id 10): " in told
    assert sum(sizes) < 5_000_000


def test_the_row_is_looked_for_in_what_postgres_had_when_it_was_read(
    database: Database, connection: PgSession
) -> None:
    make_target(connection, "id integer, amount integer check (amount <> 10)")
    with connection, connection.cursor() as cursor:
        cursor.execute(
            f"create table sale as select n as id, n as amount from {NUMBERS} limit 500000"
        )
    shop = PostgresSource("shop", {"dsn": database.uri})
    options = LoadOptions.model_validate({"do": "database", "load": "append"})
    with closing(shop), connection.cursor() as cursor:
        rows = shop.read(Statement(("select * from sale",)), None)

        def stop() -> None:
            with closing(database.connect()) as other, other, other.cursor() as meanwhile:
                meanwhile.execute("update sale set id = -id")
            rows.stop()

        with pytest.raises(JobError, match="row 10, id 10 does not fit"):
            load(cursor, NAME, replace(rows, stop=stop), options)


def test_what_a_trigger_says_of_each_row_is_not_a_refusal(
    sqlite_file: Path, connection: PgSession
) -> None:
    make_target(connection, "id integer, amount text")
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            create function staging.say() returns trigger language plpgsql as $$ begin
                raise notice E'ERROR C22P02 % %', new.id, repeat('VERROR C22P02 ', new.id %% 40);
                return new;
            end $$;
            create trigger say before insert on staging.pulled
                for each row execute function staging.say()
            """.replace("%%", "%")
        )
    query = RECURSIVE.replace(str(ROWS), "100000")
    arrived = pull(connection, SqliteSource("shop", str(sqlite_file)), query)
    assert len(arrived.rows) == 100_000


@pytest.mark.parametrize("policy", ["null", "reject"])
def test_a_policy_takes_all_rows(policy: str, sqlite_file: Path, connection: PgSession) -> None:
    make_target(connection, "id integer, amount integer")
    query = RECURSIVE.replace(str(ROWS), "100000")
    source = SqliteSource("shop", str(sqlite_file))
    arrived = pull(connection, source, query, on_bad_value=policy)
    assert len(arrived.rows) == (100_000 if policy == "null" else 99_999)
    assert arrived.column("amount").count(None) == (1 if policy == "null" else 0)


def test_a_source_that_pauses_is_not_waited_for(connection: PgSession) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("create table t (id integer)")
    stopped = Event()

    def write(file: BinaryIO) -> None:
        file.write(b"ten\n" + b"1\n" * 500_000)
        file.flush()
        assert stopped.wait(30)

    rows = CopyRows([Column("id", "integer")], "csv", write, stopped.set)
    with pytest.raises(JobError, match=r'"ten" \(row 1\)'), connection.cursor() as cursor:
        rows.fill(cursor, sql.Identifier("t"))
    assert stopped.is_set()
