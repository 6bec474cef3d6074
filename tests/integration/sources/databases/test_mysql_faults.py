"""MariaDB as a source: what cannot be read as it is, is refused, and what breaks is told."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
from psycopg2.extensions import connection as PgSession
from sqlalchemy.engine import make_url

from dapu.errors import ConfigurationError, JobError, NotNative
from dapu.sources.databases.mysql.source import MySqlSource
from dapu.sources.databases.native_first import NativeFirst
from dapu.sources.databases.sqlalchemy.source import GenericSource
from dapu.statement import Statement
from dapu.warehouse.database_url import parse_database_url
from tests.services.mariadb import MariaDB
from tests.support.command import wait_until
from tests.support.maria_shop import Shop
from tests.support.pull import make_target, pull


def test_one_state_is_read(shop: Shop, connection: PgSession) -> None:
    shop.has("int", "1")
    source = shop.open()
    shop.run("insert into t (v) values (2)")
    assert pull(connection, source, "select v from t").rows == [("1",)]


def test_a_query_that_cannot_be_wrapped_is_read_generically(
    shop: Shop, connection: PgSession
) -> None:
    shop.has("int", "1")
    with closing(shop.open()) as native, pytest.raises(NotNative, match="reader: auto"):
        native.read(Statement(("show tables",)), None)
    source = NativeFirst(shop.open(), lambda: GenericSource("shop", make_url(shop.url), {}))
    arrived = pull(connection, source, "show tables")
    assert arrived.rows == [("t",)]
    assert arrived.how.startswith("SQLAlchemy, mysql+pymysql, since it cannot stand inside another")


def test_bounds_come_back_as_they_were(shop: Shop) -> None:
    shop.run("create table t (f float, at datetime(6), ts timestamp(6) null, s varchar(9))")
    shop.run("insert into t values (0.1, '2024-01-01 00:00:00.123456', now(6), 'it''s \\\\ %s')")
    with closing(shop.open()) as source:
        for name in ("f", "at", "ts", "s"):
            value = source.value(Statement((f"select max({name}) from t",)))
            again = Statement(
                (f"select count(*) from t where '%' <> '' and {name} = ", ""), (value,)
            )
            assert source.value(again) == 1, name


@contextmanager
def longest_packet(shop: Shop, size: int) -> Iterator[None]:
    shop.run(f"set global max_allowed_packet = {size}")
    try:
        yield
    finally:
        shop.run("set global max_allowed_packet = 16777216")


def test_a_row_that_is_too_long_for_the_server_is_refused(
    shop: Shop, connection: PgSession
) -> None:
    shop.run("create table t (v longtext)")
    shop.run("insert into t values (repeat('x', 600000)), (null)")
    refused = pytest.raises(JobError, match="a row that is too long for it to write")
    with longest_packet(shop, 1 << 20), refused:
        shop.pulled(connection, "select v, v as w from t")


@pytest.mark.parametrize("length", [65_500, 65_536, (1 << 24) - 8, (1 << 24) + 70_000])
def test_a_long_row_arrives(shop: Shop, connection: PgSession, length: int) -> None:
    """Values have lengths of 1, 3 or 8 bytes before them, and packets end at 16 MB."""
    shop.run("create table t (id int, v longtext)")
    with longest_packet(shop, 1 << 26):
        shop.session.ping()
        shop.run("insert into t values (1, 'x'), (3, 'y')")
        query = f"select id, if(id < 2, v, repeat(v, {length})) as v from t"
        arrived = shop.pulled(connection, query)
    assert arrived.column("v") == ["x", "y" * length]


def test_a_value_that_the_server_cut_is_refused(shop: Shop, connection: PgSession) -> None:
    shop.has("int", "1")
    with pytest.raises(JobError, match="the source `shop` cut a value: Result of repeat"):
        shop.pulled(connection, "select id, repeat('x', 20000000) as v from t")


SLOW = "select a.v, sleep(0.01) as s from t a, t b, t c"


def test_a_killed_connection_leaves_nothing(shop: Shop, connection: PgSession) -> None:
    shop.has("int", *["1"] * 100)
    source = shop.open()
    number = source.value(Statement(("select connection_id()",)))
    timer = threading.Timer(0.3, shop.run, [f"kill {number}"])
    timer.start()
    with pytest.raises(JobError, match="the source `shop` broke off: "):
        pull(connection, source, SLOW)
    timer.join()
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass('staging.pulled')")
        assert cursor.fetchone() == (None,)


def test_a_read_can_be_stopped(shop: Shop) -> None:
    shop.has("int", *["1"] * 100)
    with closing(shop.open()) as source:
        rows = source.read(Statement((SLOW,)), None)
        threading.Timer(0.3, source.stop).start()
        began = time.monotonic()
        with pytest.raises(JobError, match="the source `shop` broke off"):
            rows.write(io.BytesIO())
        assert time.monotonic() - began < 5
        source.stop()  # a second time it does nothing
    with shop.session.cursor() as cursor:

        def only_this_one_runs() -> bool:
            cursor.execute(
                "select count(*) from information_schema.processlist where info like '%sleep(0%'"
            )
            return cursor.fetchone() == (1,)

        wait_until(only_this_one_runs)


def test_who_is_not_let_in_is_reported_without_the_password(mariadb: MariaDB, shop: Shop) -> None:
    wrong = {"password": "hunter2"}
    url = parse_database_url(shop.url)
    with pytest.raises(
        JobError, match=r"connection `shop` is refused: Access denied.*1045"
    ) as failure:
        MySqlSource("shop", url, wrong)
    assert "hunter2" not in str(failure.value)
    with pytest.raises(JobError, match=r"`shop` is refused: Unknown database 'nothing'"):
        MySqlSource("shop", replace(url, database="nothing"), {})
    with pytest.raises(JobError, match=r"`shop` is refused: Can't connect to MySQL server"):
        MySqlSource("shop", replace(url, port=1), {})


@pytest.mark.parametrize(
    ("options", "extra", "message"),
    [
        ("?nosuch=1", {}, "'nosuch'"),
        ("", {"connect_timeout": "soon"}, "'str'"),
        ("?read_timeout=soon", {}, "`read_timeout` in the url is a whole number, not `soon`"),
        ("?compress=true", {}, "compress .* not supported"),
        ("?ssl=true", {}, "does not take its url and extra"),
        ("?ssl_ca=/no/such/file", {}, "a file that .* `ssl_.*No such file"),
    ],
)
def test_an_option_that_the_driver_does_not_take_is_reported(
    options: str, extra: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"connection `shop`: .*{message}"):
        MySqlSource("shop", parse_database_url(f"mysql://db/shop{options}"), extra)


def test_a_broken_query_is_reported_in_the_servers_words(shop: Shop) -> None:
    with closing(shop.open()) as source:
        for query in ("select * from nothing", "selec 1"):
            with pytest.raises(JobError, match=r"`shop` refuses the query: .*error 1[01]"):
                source.read(Statement((query,)), None)


@pytest.mark.parametrize(
    ("declared", "value", "target"),
    [
        ("varchar(9)", "'abc   '", "varchar(3)"),
        ("varchar(40)", "'1.239'", "numeric(10,2)"),
        ("varchar(40)", "'2024-01-01 10:00:00+02'", "timestamp"),
        ("varchar(40)", "'2024-01-01 10:00:00'", "date"),
        ("varchar(40)", "'1.23456789'", "real"),
    ],
)
def test_a_text_that_would_be_changed_in_silence_is_refused(
    shop: Shop, connection: PgSession, declared: str, value: str, target: str
) -> None:
    make_target(connection, f"id integer, v {target}")
    shop.has(declared, value)
    with pytest.raises(JobError, match=r"\(would be changed\)"):
        shop.pulled(connection, "select id, v from t")
    arrived = shop.pulled(connection, "select id, v from t", on_bad_value="null")
    assert arrived.rows == [("1", None)]


def test_a_column_whose_times_would_lose_a_part_is_widened_or_refused(
    shop: Shop, connection: PgSession
) -> None:
    make_target(connection, "v date, w timestamp(0)")
    shop.run("create or replace table t (v datetime(6), w timestamp(6), x time(6))")
    assert shop.pulled(connection, "select v from t").types["v"] == "timestamp without time zone"
    with connection, connection.cursor() as cursor:
        cursor.execute("insert into staging.pulled (w) values (now())")
    with connection, connection.cursor() as cursor:
        cursor.execute("insert into staging.pulled (w) values ('2024-01-01')")
    with pytest.raises(JobError, match=r'alter table staging.pulled alter column "w" type timest'):
        shop.pulled(connection, "select w from t")
