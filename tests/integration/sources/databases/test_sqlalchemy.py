"""Databases that are read through SQLAlchemy: MariaDB and SQLite when told so, and DuckDB."""

from __future__ import annotations

import io
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession
from sqlalchemy.engine import make_url

from dapu.errors import ConfigurationError, JobError
from dapu.sources.databases.mysql.source import MySqlSource
from dapu.sources.databases.native_first import NativeFirst
from dapu.sources.databases.open import open_source
from dapu.sources.databases.source import Reader, Source
from dapu.sources.databases.sqlalchemy.casting import CastingSource
from dapu.sources.databases.sqlalchemy.source import GenericSource
from dapu.sources.databases.sqlite.source import SqliteSource
from dapu.statement import Statement
from dapu.warehouse.warehouse import Warehouse, open_warehouse
from tests.conftest import MakeWarehouse
from tests.services.mariadb import MariaDB
from tests.support.pull import Pulled, make_target, pull


@pytest.fixture
def maria(mariadb: MariaDB) -> Iterator[Any]:
    with closing(mariadb.connect()) as session, session.cursor() as cursor:
        cursor.execute("create or replace database generic")
        cursor.execute("use generic")
        cursor.execute("set sql_mode = ''")
        cursor.execute("set time_zone = '+00:00'")
        yield cursor


def open_maria(server: MariaDB) -> GenericSource:
    return GenericSource("shop", make_url(server.url("generic")), {})


MARIA = {
    "a bigint unsigned": ("18446744073709551615", "18446744073709551615", "numeric"),
    "b decimal(65,30)": ("0." + "1" * 30, "0." + "1" * 30, "numeric"),
    "c double": ("5e-324", "5e-324", "double precision"),
    "d date": ("'0001-01-01'", "0001-01-01", "date"),
    "e time(6)": ("'-838:59:59.000001'", "-838:59:59.000001", "interval"),
    "f datetime(6)": ("'2024-01-01 00:00:00.000001'", "2024-01-01 00:00:00.000001", "timestamp"),
    "g timestamp": (
        "'2024-03-31 01:30:00'",
        "2024-03-31 01:30:00+00",
        "timestamp with time zone",
    ),
    "h varchar(9) character set latin1": ("'é\\t\\\\N'", "é\t\\N", "text"),
    "i varbinary(9)": ("x'00ff'", "\\x00ff", "bytea"),
    "j bit(9)": ("b'100000001'", "\\x0101", "bytea"),
    "k json": ("'[1]'", "[1]", "text"),
    "l set('x', 'y')": ("'x,y'", "x,y", "text"),
    "m year": ("2155", "2155", "bigint"),
}


def test_mariadb_arrives_through_its_python_driver(
    mariadb: MariaDB, maria: Any, connection: PgSession
) -> None:
    maria.execute(f"create table t ({', '.join(MARIA)})")
    maria.execute(f"insert into t values ({', '.join(value for value, _, _ in MARIA.values())})")
    arrived = pull(connection, open_maria(mariadb), "select * from t where '%' <> ''")
    assert arrived.how == "SQLAlchemy, mysql+pymysql"
    assert list(arrived.row().values()) == [text for _, text, _ in MARIA.values()]
    kinds = [name.removesuffix(" without time zone") for name in arrived.types.values()]
    assert kinds == [type_name for _, _, type_name in MARIA.values()]
    assert pull(connection, open_maria(mariadb), "select * from t") == arrived


@pytest.mark.parametrize(
    ("declared", "arrives"),
    [("timestamptz", "2024-03-31 01:30:00+00"), ("timestamp", "2024-03-31 01:30:00")],
)
def test_a_moment_of_mariadb_is_the_same_in_a_warehouse_of_any_time_zone(
    mariadb: MariaDB, maria: Any, connection: PgSession, declared: str, arrives: str
) -> None:
    maria.execute("create table t (t timestamp)")
    maria.execute("insert into t values ('2024-03-31 01:30:00')")
    make_target(connection, f"t {declared}")
    with connection, connection.cursor() as cursor:
        cursor.execute("set timezone = 'Europe/Tallinn'")
    assert pull(connection, open_maria(mariadb), "select t from t").rows == [(arrives,)]


def test_names_with_percent_signs_are_asked_for(mariadb: MariaDB, maria: Any) -> None:
    maria.execute("create table t (`a%b``c` int, `%%s` int)")
    maria.execute("insert into t values (1, 2)")
    with closing(open_maria(mariadb)) as source:
        for name, value in (("a%b`c", 1), ("%%s", 2)):
            query = Statement((f"select max({source.quote(name)}) from t where 7 = ", ""), (7,))
            assert source.value(query) == value


def test_a_float_that_the_server_would_shorten_is_refused(
    mariadb: MariaDB, maria: Any, connection: PgSession
) -> None:
    maria.execute("create table t (f float)")
    maria.execute("insert into t values (16777215)")
    with pytest.raises(JobError, match=r"FLOAT column f with six digits only; write f \* 1e0"):
        pull(connection, open_maria(mariadb), "select f from t")
    assert pull(connection, open_maria(mariadb), "select f * 1e0 as f from t").rows == [
        ("16777215",)
    ]


def test_zero_dates_and_half_characters_have_their_policies(
    mariadb: MariaDB, maria: Any, connection: PgSession, tmp_path: Path
) -> None:
    maria.execute("create table t (d date)")
    maria.execute("insert into t values ('0000-00-00'), ('2024-01-01')")
    make_target(connection, "d date")
    with pytest.raises(JobError, match=r'column d of staging.pulled cannot hold "0000-00-00"'):
        pull(connection, open_maria(mariadb), "select d from t")
    arrived = pull(connection, open_maria(mariadb), "select d from t", zero_dates="null")
    assert arrived.rows == [(None,), ("2024-01-01",)]


def test_zero_dates_are_no_texts_where_nothing_is_there_yet(
    mariadb: MariaDB, maria: Any, connection: PgSession
) -> None:
    maria.execute("create table t (d date, f datetime)")
    maria.execute("insert into t values ('0000-00-00', '0000-00-00')")
    query = "select d, f from t"
    with pytest.raises(JobError, match=r"cannot hold .0000-00-00.*`zero_dates: null` puts null"):
        pull(connection, open_maria(mariadb), query)
    for _ in range(2):
        arrived = pull(connection, open_maria(mariadb), query, zero_dates="null")
        assert arrived.rows == [(None, None)]
        assert arrived.types == {"d": "date", "f": "timestamp without time zone"}


def test_a_read_that_is_stopped_and_a_connection_that_is_killed(
    mariadb: MariaDB, maria: Any, connection: PgSession
) -> None:
    maria.execute("create table t (v int)")
    maria.execute(f"insert into t values {', '.join(['(1)'] * 100)}")
    slow = Statement(("select a.v, sleep(0.001) as s from t a, t b, t c",))
    into = {"v": "bigint", "s": "bigint"}
    with closing(open_maria(mariadb)) as source:
        rows = source.read(slow, into)
        threading.Timer(0.3, source.stop).start()
        began = time.monotonic()
        with pytest.raises(JobError, match="the source `shop` broke off: "):
            rows.write(io.BytesIO())
        assert time.monotonic() - began < 5
    with closing(open_maria(mariadb)) as source:
        number = source.value(Statement(("select connection_id()",)))
        rows = source.read(slow, into)
        killing = threading.Timer(0.3, maria.execute, [f"kill {number}"])
        killing.start()
        with pytest.raises(JobError, match="the source `shop` broke off: "):
            rows.write(io.BytesIO())
        killing.join()


def test_faults_are_reported_in_the_drivers_words(mariadb: MariaDB, maria: Any) -> None:
    url = make_url(mariadb.url("generic"))
    with pytest.raises(JobError, match=r"`shop` is refused: Access denied .*\(error 1045\)"):
        GenericSource("shop", url, {"password": "hunter2"})
    with pytest.raises(ConfigurationError, match=r"connection `shop`: .*url and extra: .*'wrong'"):
        GenericSource("shop", url, {"wrong": 1})
    for option in ("charset=nonsense", "ssl=true", "read_timeout=0"):
        with pytest.raises(ConfigurationError, match="its driver does not take its url and extra"):
            GenericSource("shop", url.update_query_string(option), {})
    with pytest.raises(ConfigurationError, match=r"a file that .* name: .*No such file"):
        GenericSource("shop", url.update_query_string("ssl_ca=/no/such/file"), {})
    refused = pytest.raises(JobError, match=r"refuses the query: .*nothing.*\(error 1146\)")
    with closing(open_maria(mariadb)) as source, refused:
        source.read(Statement(("select * from nothing",)), None)
    with pytest.raises(
        ConfigurationError, match=r"needs the driver of oracle\+oracledb: .*install"
    ):
        GenericSource("shop", make_url("oracle+oracledb://u:p@h/d"), {})
    with pytest.raises(ConfigurationError, match=r"needs the driver of nosuch: .*install"):
        GenericSource("shop", make_url("nosuch://u:p@h/d"), {})


def test_a_panic_of_a_native_driver_fails_the_job_and_not_the_worker(
    mariadb: MariaDB, maria: Any, connection: PgSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PanicException(BaseException):
        """As drivers written in Rust raise it."""

    def panic(*_: Any) -> None:
        raise PanicException("index out of bounds")

    monkeypatch.setattr("sqlalchemy.engine.CursorResult.fetchmany", panic)
    with pytest.raises(JobError, match="the source `shop` broke off: index out of bounds"):
        pull(connection, open_maria(mariadb), "select 1 as a")


DUCK = """
select 170141183460469231731687303715884105727::hugeint as a, 'nan'::float as b,
    '-inf'::double as c, 1.50::decimal(38,10) as d, [1, 2, null] as e,
    {'x': 1.25::decimal(5,2), 'y': 'z'} as f, '123e4567-e89b-12d3-a456-426655440000'::uuid as g,
    '\\xc3\\xa9\\x00'::blob as h, interval '26 hours' as i, time '12:34:56.123456' as j,
    timestamptz '2024-01-01 00:00:00.000001+02' as k, date '2024-02-29' as l,
    'a'::enum('a', 'b') as m, true as n, chr(9) || '\\N' as o, null as p
"""


def test_duckdb_arrives(tmp_path: Path, connection: PgSession) -> None:
    def opened() -> GenericSource:
        return GenericSource("duck", make_url(f"duckdb:///{tmp_path}/shop.duckdb"), {})

    arrived = pull(connection, opened(), DUCK)
    assert arrived.how == "SQLAlchemy, duckdb"
    assert list(zip(arrived.types.values(), arrived.rows[0], strict=True)) == [
        ("numeric", "170141183460469231731687303715884105727"),
        ("double precision", "NaN"),
        ("double precision", "-Infinity"),
        ("numeric", "1.5000000000"),
        ("jsonb", "[1, 2, null]"),
        ("jsonb", '{"x": 1.25, "y": "z"}'),
        ("uuid", "123e4567-e89b-12d3-a456-426655440000"),
        ("bytea", "\\xc3a900"),
        ("interval", "26:00:00"),
        ("time without time zone", "12:34:56.123456"),
        ("timestamp with time zone", "2023-12-31 22:00:00.000001+00"),
        ("date", "2024-02-29"),
        ("text", "a"),
        ("boolean", "true"),
        ("text", "\t\\N"),
        ("text", None),
    ]
    assert pull(connection, opened(), DUCK).rows == arrived.rows
    with closing(opened()) as source:
        found = Statement(('select max("a%b") from (select ', ' as "a%b")'), (7,))
        assert source.value(found) == 7
        with pytest.raises(JobError, match="`duck` refuses the query: Catalog Error: Table with"):
            source.read(Statement(("select * from nothing",)), None)


def test_all_rows_of_several_batches_arrive(tmp_path: Path, connection: PgSession) -> None:
    def opened() -> GenericSource:
        return GenericSource("duck", make_url(f"duckdb:///{tmp_path}/shop.duckdb"), {})

    query = "select range as n, repeat('x', 100) as t from range(25000)"
    for _ in range(2):
        arrived: Pulled = pull(connection, opened(), query)
        assert sorted(int(n or -1) for n in arrived.column("n")) == list(range(25000))


CONNECTIONS = """
- name: lite
  url: sqlite:///shop.db
- name: maria
  url: mysql://dapu:secret@127.0.0.1:{port}/generic
- name: mysqldb
  url: mysql+mysqldb://dapu:secret@127.0.0.1:{port}/generic
- name: snow
  url: 'snowflake://me@account/shop'
- name: duck
  url: 'duckdb:///:memory:'
- name: shared
  driver: files
  path: .
"""


@pytest.fixture
def warehouse(mariadb: MariaDB, maria: Any, make_warehouse: MakeWarehouse) -> Warehouse:
    folder = make_warehouse({})
    file = folder / "connections.yaml"
    file.write_text(file.read_text() + CONNECTIONS.format(port=mariadb.port))
    sqlite3.connect(folder / "shop.db").execute("create table t (v)").connection.close()
    return open_warehouse(folder)


@pytest.mark.parametrize(
    ("name", "reader", "kind"),
    [
        ("lite", "auto", SqliteSource),
        ("lite", "native", SqliteSource),
        ("lite", "generic", GenericSource),
        ("maria", "auto", NativeFirst),
        ("maria", "native", MySqlSource),
        ("maria", "generic", GenericSource),
        ("duck", "auto", NativeFirst),
        ("duck", "native", CastingSource),
        ("duck", "generic", GenericSource),
    ],
)
def test_the_reader_is_chosen_and_can_be_forced(
    warehouse: Warehouse, name: str, reader: Reader, kind: type[Source]
) -> None:
    with closing(open_source(warehouse, name, reader)) as source:
        assert isinstance(source, kind)


@pytest.mark.parametrize(
    ("name", "reader", "message"),
    [
        ("snow", "native", "no native reader for snowflake, which `snow` is"),
        ("main", "generic", "PostgreSQL, which `main` is, has no generic reader"),
        ("mysqldb", "native", r"write the url of `mysqldb` as mysql\+pymysql://"),
        ("mysqldb", "auto", r"needs the driver of mysql\+mysqldb"),
        ("shared", "auto", "the connection `shared` is not a database"),
    ],
)
def test_a_reader_that_there_is_not_is_reported(
    warehouse: Warehouse, name: str, reader: Reader, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        open_source(warehouse, name, reader)


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("numeric(10,2)", "1.239::decimal(10,3)"), ("real", "1.23456789012::double"),
        ("timestamp(0)", "timestamp '2024-01-01 10:00:00.5'"), ("varchar(3)", "'abc   '"),
        ("timestamp", "timestamptz '2024-01-01 10:00:00+02'"),
        ("date", "timestamp '2024-01-01 10:00:00'"),
    ],
)  # fmt: skip
def test_a_value_that_would_be_changed_in_silence_is_refused(
    tmp_path: Path, connection: PgSession, target: str, value: str
) -> None:
    make_target(connection, f"v {target}")
    url = make_url(f"duckdb:///{tmp_path}/shop.duckdb")
    with pytest.raises(JobError, match=r"\((would be|its zone would be|its time of day would be) "):
        pull(connection, GenericSource("shop", url, {}), f"select {value} as v")
    source = GenericSource("shop", url, {})
    assert pull(connection, source, f"select {value} as v", on_bad_value="null").rows == [(None,)]


def test_a_rejected_row_has_the_value_as_it_was(tmp_path: Path, connection: PgSession) -> None:
    make_target(connection, "v numeric(10,2)")
    source = GenericSource("shop", make_url(f"duckdb:///{tmp_path}/shop.duckdb"), {})
    query = "select unnest([1.239, 1.23])::decimal(10,3) as v"
    pull(connection, source, query, on_bad_value="reject")
    with connection.cursor() as cursor:
        cursor.execute("select record ->> 'v', reason from staging.pulled__rejected")
        assert cursor.fetchall() == [
            ("1.239", "v: '1.239' does not fit numeric(10,2) (would be rounded)")
        ]
