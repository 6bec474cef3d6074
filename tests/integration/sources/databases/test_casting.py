"""DuckDB as a source: what its driver would shorten goes as text, and every value arrives exactly.

The same reader reads SQL Server and Oracle, with casts of their own: see test_source_casts.py.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from psycopg2.extensions import connection as PgSession
from sqlalchemy.engine import make_url

from dapu.errors import JobError, NotNative
from dapu.rows.exactness import exactness
from dapu.sources.databases.native_first import NativeFirst
from dapu.sources.databases.sqlalchemy.casting import CastingSource
from dapu.sources.databases.sqlalchemy.source import GenericSource
from dapu.statement import Statement
from tests.support.pull import make_target, pull

Open = Callable[[], CastingSource]


@pytest.fixture
def duck(tmp_path: Path) -> Open:
    url = make_url(f"duckdb:///{tmp_path}/shop.duckdb")
    return lambda: CastingSource("duck", url, {})


# A value in SQL, the type of a new table's column, and what PostgreSQL shows there.
VALUES = [
    ("170141183460469231731687303715884105727::hugeint", "numeric(39,0)",
     "170141183460469231731687303715884105727"),
    ("18446744073709551615::ubigint", "numeric(20,0)", "18446744073709551615"),
    ("-12345678901234567890.0123456789::decimal(38,10)", "numeric(38,10)",
     "-12345678901234567890.0123456789"),
    ("'170141183460469231731687303715884105728'::bignum", "numeric",
     "170141183460469231731687303715884105728"),
    ("'nan'::double", "double precision", "NaN"),
    ("0.1::float", "double precision", "0.10000000149011612"),
    ("date '12024-02-29'", "date", "12024-02-29"),
    ("date '0044-03-15 (BC)'", "date", "0044-03-15 BC"),
    ("date '-infinity'", "date", "-infinity"),
    ("timestamp '0044-03-15 (BC) 10:00:00.000001'", "timestamp without time zone",
     "0044-03-15 10:00:00.000001 BC"),
    ("'infinity'::timestamp", "timestamp without time zone", "infinity"),
    ("timestamp_ns '2024-01-01 10:00:00.123456000'", "timestamp without time zone",
     "2024-01-01 10:00:00.123456"),
    ("timestamptz '2024-01-01 00:00:00.000001+02'", "timestamp with time zone",
     "2023-12-31 22:00:00.000001+00"),
    ("timestamptz '0044-03-15 (BC) 10:00:00+00'", "timestamp with time zone",
     "0044-03-15 10:00:00+00 BC"),
    ("'-infinity'::timestamptz", "timestamp with time zone", "-infinity"),
    ("time '24:00:00'", "time without time zone", "24:00:00"),
    ("timetz '12:34:56.123456-03:30'", "time with time zone", "12:34:56.123456-03:30"),
    ("interval '-1 year -2 months 3 days -04:05:06.5'", "interval",
     "-1 years -2 mons +3 days -04:05:06.5"),
    ("interval '400 hours'", "interval", "400:00:00"),
    ("'{\"a\": 12345678901234567890.123}'::json", "jsonb", '{"a": 12345678901234567890.123}'),
    ("[1, 2, null]", "jsonb", "[1, 2, null]"),
    ("[date '12024-02-29', date '-infinity']", "jsonb", '["12024-02-29", "-infinity"]'),
    ("{'i': interval '1 month', 't': timestamp_ns '2024-01-01 10:00:00.123456789'}", "jsonb",
     '{"i": "1 month", "t": "2024-01-01 10:00:00.123456789"}'),
    ("{'x': 1.25::decimal(5,2), 'y': 'z'}", "jsonb", '{"x": 1.25, "y": "z"}'),
    ("'a'::enum('a', 'b')", "text", "a"),
    ("'\\xc3\\xa9\\x00'::blob", "bytea", "\\xc3a900"),
    ("chr(9) || '\\N' || chr(128512)", "text", "\t\\N\N{GRINNING FACE}"),
    ("''", "text", ""),
]  # fmt: skip


def test_each_value_arrives_as_it_is(duck: Open, connection: PgSession) -> None:
    values = ", ".join(f"{value} as v{n}" for n, (value, _, _) in enumerate(VALUES))
    nulls = ", ".join("null" for _ in VALUES)
    arrived = pull(connection, duck(), f"select {values} union all select {nulls}")
    given, missing = sorted(arrived.rows, key=lambda row: row[0] is None)
    found = zip((value for value, _, _ in VALUES), arrived.types.values(), given, strict=True)
    assert list(found) == VALUES
    assert set(missing) == {None}
    assert arrived.how == "SQLAlchemy, duckdb, exact texts"


def test_odd_zones_of_old_times_do_not_matter(duck: Open, connection: PgSession) -> None:
    source = duck()
    source.rows(Statement(("set timezone = 'Europe/Amsterdam'",)))  # +00:19:32 until 1937
    arrived = pull(connection, source, "select timestamptz '1900-01-01 00:00:00+00' as v")
    assert arrived.rows == [("1900-01-01 00:00:00+00",)]


def test_columns_of_any_name_and_a_table_without_rows(duck: Open, connection: PgSession) -> None:
    names = ["a b", "Order", 'qu"ote', "50%", "{x}", "ümläut", "select"]
    given = ", ".join(f"date '2024-01-0{n}' as {_quoted(x)}" for n, x in enumerate(names, start=1))
    arrived = pull(connection, duck(), f"select {given} where 1 = 0;")
    assert (list(arrived.types), arrived.rows) == (names, [])
    arrived = pull(connection, duck(), f"select {given}")
    assert arrived.rows == [tuple(f"2024-01-0{n}" for n in range(1, 8))]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def test_the_query_s_own_values_are_bound(duck: Open, connection: PgSession) -> None:
    with closing(duck()) as source:
        query = Statement(("select ", " as n, ", " as t"), (7, datetime(2024, 1, 1, tzinfo=UTC)))
        rows = source.read(query, None)
        assert [column.type for column in rows.columns] == ["integer", "timestamp with time zone"]


def test_what_postgresql_cannot_hold_is_a_policy(duck: Open, connection: PgSession) -> None:
    query = "select 1 as id, timestamp_ns '2024-01-01 10:00:00.123456789' as at"
    with pytest.raises(JobError, match=r'column at .* cannot hold "2024-01-01 10:00:00.123456789 '):
        pull(connection, duck(), query)
    assert pull(connection, duck(), query, on_bad_value="null").rows == [("1", None)]


@pytest.mark.parametrize(
    ("target", "value", "text"),
    [
        ("numeric(10,2)", "1.230::decimal(10,3)", "1.23"),
        ("integer", "12::hugeint", "12"),
        ("date", "'2024-02-29'", "2024-02-29"),
        ("varchar(3)", "'abc'", "abc"),
        ("text", "date '2024-02-29'", "2024-02-29"),
        ("timestamp", "date '2024-02-29'", "2024-02-29 00:00:00"),
    ],
)
def test_a_table_that_is_there_keeps_the_types_that_hold_the_values(
    duck: Open, connection: PgSession, target: str, value: str, text: str
) -> None:
    make_target(connection, f"v {target}")
    assert pull(connection, duck(), f"select {value} as v").rows == [(text,)]


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("varchar(3)", "'abc   '"),
        ("integer", "1.5::decimal(3,1)"),
        ("date", "'2024-02-30'"),
        ("numeric(10,2)", "1.239::decimal(10,3)"),
        ("real", "1.23456789012::double"),
        ("timestamp(0)", "timestamp '2024-01-01 10:00:00.5'"),
        ("timestamp", "timestamptz '2024-01-01 10:00:00+02'"),
        ("date", "timestamp '2024-01-01 10:00:00'"),
    ],
)
def test_a_value_that_would_be_changed_in_silence_is_refused(
    duck: Open, connection: PgSession, target: str, value: str
) -> None:
    make_target(connection, f"v {target}")
    with pytest.raises(JobError, match=r"cannot hold|would"):
        pull(connection, duck(), f"select {value} as v", schema_change={"retyped": "fail"})


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("select union_value(n := 1) as v", r"the column v has a type that is not known \(UNION"),
        ("pragma version", "it cannot stand inside another query"),
    ],
)
def test_what_it_cannot_read_the_generic_reader_reads(
    duck: Open, connection: PgSession, tmp_path: Path, query: str, why: str
) -> None:
    with closing(duck()) as native, pytest.raises(NotNative, match=why):
        native.read(Statement((query,)), None)
    url = make_url(f"duckdb:///{tmp_path}/shop.duckdb")
    source = NativeFirst(duck(), lambda: GenericSource("duck", url, {}))
    assert pull(connection, source, query).how.startswith("SQLAlchemy, duckdb, since ")


def test_a_broken_query_is_reported_in_the_databases_words(
    duck: Open, connection: PgSession, tmp_path: Path
) -> None:
    url = make_url(f"duckdb:///{tmp_path}/shop.duckdb")
    source = NativeFirst(duck(), lambda: GenericSource("duck", url, {}))
    with pytest.raises(JobError, match=r"`duck` refuses the query: Catalog Error: Table with name"):
        pull(connection, source, "select * from nothing")


# What the casts of SQL Server and Oracle write, by their documentation.
WRITTEN = [
    ("timestamp", "2024-02-29 10:00:00.1234560", "2024-02-29 10:00:00.123456"),
    ("timestamptz", "2024-02-29 10:00:00.1234560 +02:00", "2024-02-29 08:00:00.123456+00"),
    ("timestamptz", "0001-01-01 00:00:00.0000000 -14:00", "0001-01-01 14:00:00+00"),
    ("time", "23:59:59.9999990", "23:59:59.999999"),
    ("uuid", "6F9619FF-8B86-D011-B42D-00C04FC964FF", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
    ("timestamp", "0044-03-15 10:00:00 BC", "0044-03-15 10:00:00 BC"),
    ("timestamp", "0044-03-15 10:00:00.123456000 BC", "0044-03-15 10:00:00.123456 BC"),
    ("timestamptz", "2024-02-29 10:00:00.123456000+00", "2024-02-29 10:00:00.123456+00"),
    ("timestamptz", "0044-03-15 10:00:00.123456000+00 BC", "0044-03-15 10:00:00.123456+00 BC"),
    ("interval", "-1 years -2 months", "-1 years -2 mons"),
    ("interval", "-3 days -4 hours -5 minutes -6.5 seconds", "-3 days -04:05:06.5"),
    ("interval", "0 days 0 hours 0 minutes .000001 seconds", "00:00:00.000001"),
    ("numeric", "-.5", "-0.5"),
    ("numeric", "1.234567E-70", "0." + "0" * 69 + "1234567"),
]


@pytest.mark.parametrize(("kind", "written", "value"), WRITTEN)
def test_postgresql_reads_what_the_casts_write(
    connection: PgSession, kind: str, written: str, value: str
) -> None:
    exact = exactness(kind)
    assert exact is None or exact.reason(written) is None
    with connection.cursor() as cursor:
        cursor.execute("set timezone = 'UTC'")
        cursor.execute(f"select cast(%s as {kind})::text", (written,))
        assert cursor.fetchone() == (value,)
