"""PostgreSQL as a source: what cannot arrive as it is, is refused, and what breaks is told."""

from __future__ import annotations

from contextlib import closing

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.errors import JobError
from dapu.sources.databases.postgres.source import PostgresSource
from dapu.statement import Statement
from tests.conftest import Database
from tests.services.postgres import Postgres
from tests.support.erp import make_source, open_it, run
from tests.support.pull import make_target, pull


def test_a_latin1_database_is_read_as_unicode(
    postgres_server: Postgres, connection: PgSession
) -> None:
    erp = make_source(postgres_server, "read_latin1", "LATIN1")
    run(erp, "create table t (v text); insert into t values ('é¿ß£'), ('\\\t')")
    assert pull(connection, open_it(erp), "select v from t").rows == [("é¿ß£",), ("\\\t",)]


def test_text_that_is_not_utf8_is_refused(postgres_server: Postgres, connection: PgSession) -> None:
    erp = make_source(postgres_server, "read_ascii", "SQL_ASCII")
    run(
        erp,
        "create table t (id integer, v text); "
        "insert into t values (1, convert_from('\\xc3a9', 'SQL_ASCII')), "
        "(2, convert_from('\\xe9', 'SQL_ASCII'))",
    )
    assert pull(connection, open_it(erp), "select v from t where id = 1").rows == [("é",)]
    with pytest.raises(JobError, match=r"row 2.* invalid byte sequence"):
        pull(connection, open_it(erp), "select id, v from t")
    marked = pull(connection, open_it(erp), "select id, v, 1::money from t", on_bad_value="null")
    assert marked.column("v") == ["é", None]


def test_a_broken_query_is_reported_in_the_sources_words(erp: Database) -> None:
    with closing(open_it(erp)) as session, pytest.raises(JobError) as failure:
        session.read(Statement(("select nothing from nowhere",)), None)
    expected = 'the source `erp` refuses the query: relation "nowhere" does not exist'
    assert str(failure.value) == expected


def test_a_source_that_fails_in_the_middle_leaves_nothing(
    erp: Database, connection: PgSession, capfd: pytest.CaptureFixture[str]
) -> None:
    query = "select 1 / (90000 - n) as v from generate_series(1, 100000) n"
    with pytest.raises(JobError, match="the source `erp` refuses the query: division by zero"):
        pull(connection, open_it(erp), query)
    query = (
        "select n, case when n = 90000 then pg_terminate_backend(pg_backend_pid()) end as ended "
        "from generate_series(1, 100000) n"
    )
    with pytest.raises(JobError, match="the source `erp` broke off: server closed"):
        pull(connection, open_it(erp), query)
    with connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('staging.pulled')")
        assert cursor.fetchone() == (None,)
    assert not capfd.readouterr().err, "psycopg2 prints a fault of its own"


def test_a_server_that_is_not_there_is_reported_without_the_password() -> None:
    libpq = {"host": "127.0.0.1", "port": 1, "user": "u", "password": "hunter2", "dbname": "d"}
    with pytest.raises(JobError, match=r"the connection `erp` is refused: .*port 1") as failure:
        PostgresSource("erp", libpq)
    assert "hunter2" not in str(failure.value)


def test_bounds_come_back_as_they_were(erp: Database) -> None:
    run(
        erp,
        "drop table if exists t; create table t as "
        "select 0.1::real as f, timestamptz '2024-10-27 00:30:00.123456+00' as at",
    )
    with closing(open_it(erp)) as session:
        for name in ("f", "at"):
            low = session.value(Statement((f"select max({name}) from t",)))
            again = Statement((f"select count(*) from t where {name} = ", ""), (low,))
            assert session.value(again) == 1


@pytest.mark.parametrize("value", ["infinity", "-infinity", "0044-03-15 BC", "12024-01-01"])
def test_what_is_not_a_bound_is_refused(erp: Database, value: str) -> None:
    with closing(open_it(erp)) as session:
        for type_name in ("date", "timestamp", "timestamptz"):
            with pytest.raises(JobError, match="is not a point from which rows can be read on"):
                session.value(Statement((f"select '{value}'::{type_name}",)))


def test_a_text_whose_spaces_would_be_cut_is_refused(erp: Database, connection: PgSession) -> None:
    make_target(connection, "v varchar(3)")
    with pytest.raises(JobError, match="value too long for type character varying"):
        pull(connection, open_it(erp), "select 'abc  '::varchar as v")
    assert pull(connection, open_it(erp), "select 'abc'::varchar as v").rows == [("abc",)]


def make_target_of_prices(connection: PgSession, column: str) -> None:
    """The table that is loaded, with a column that may be of the domain `staging.price`."""
    make_target(connection, "")
    with connection, connection.cursor() as cursor:
        cursor.execute("create domain staging.price as numeric(7,2) check (value > 0)")
        cursor.execute(f"alter table staging.pulled add column {column}")


@pytest.mark.parametrize(
    ("target", "bad", "good"),
    [
        ("integer", "'x'::text", "'1'::text"),
        ("timestamp", "'2024-01-01 10:00+02'::text", "'2024-01-01 10:00:00'::text"),
        ("timestamp", "'2024-01-01 10:00+02'::timestamptz", "'infinity'::timestamptz"),
        ("staging.price", "'0'::text", "'1.50'::text"),
    ],
)
def test_a_policy_is_asked_before_a_column_becomes_text(
    erp: Database, connection: PgSession, target: str, bad: str, good: str
) -> None:
    make_target_of_prices(connection, f"v {target}")
    query = f"select {bad} as v union all select {good}"
    arrived = pull(connection, open_it(erp), query, on_bad_value="reject")
    assert len(arrived.rows) == 1
    assert arrived.types["v"] in ("integer", "timestamp without time zone", "numeric(7,2)")


@pytest.mark.parametrize(
    ("target", "values"),
    [
        ("varchar(3)", "('abcd'::varchar(9)), ('abc')"),
        ("char(2)", "('abc'::char(9)), ('ab')"),
        ("bit(2)", "(b'101'::bit(9)), (b'10')"),
        ("staging.price", "(0::numeric(7,2)), (1.50::numeric(7,2))"),
    ],
)
def test_a_policy_is_asked_though_types_agree(
    erp: Database, connection: PgSession, target: str, values: str
) -> None:
    make_target_of_prices(connection, f"v {target}")
    query = f"select v from (values {values}) as given (v)"
    arrived = pull(connection, open_it(erp), query, on_bad_value="null")
    assert [value is None for value in arrived.column("v")] == [True, False]


def test_kinds_that_lose_something_are_reported_with_the_statement(
    erp: Database, connection: PgSession
) -> None:
    make_target(connection, "v timestamp")
    with connection, connection.cursor() as cursor:
        cursor.execute("insert into staging.pulled values (now())")
    with pytest.raises(JobError, match='alter column "v" type timestamp with time zone;'):
        pull(connection, open_it(erp), "select now() as v")


def test_a_missing_value_is_rejected_though_types_agree(
    erp: Database, connection: PgSession
) -> None:
    make_target(connection, "v integer not null")
    query = "select 1 as v union all select null"
    arrived = pull(connection, open_it(erp), query, on_bad_value="reject")
    assert arrived.rows == [("1",)]
