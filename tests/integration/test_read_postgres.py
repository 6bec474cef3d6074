"""PostgreSQL as a source: every value arrives as it was."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as PgSession

from dapu.databases.postgres import PostgresSource
from dapu.definitions.templates import Statement
from dapu.errors import JobError
from tests.conftest import Database
from tests.integration.reading import Pulled, prepare, pull
from tests.services.postgres import Postgres


def make_source(server: Postgres, name: str, encoding: str) -> Database:
    server.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
    create = "create database {} template template0 encoding {} lc_collate 'C' lc_ctype 'C'"
    server.execute(sql.SQL(create).format(sql.Identifier(name), sql.Literal(encoding)))
    return Database(server, name)


@pytest.fixture(scope="module")
def source(postgres_server: Postgres) -> Iterator[Database]:
    """A database to read from; each test makes its own tables."""
    database = make_source(postgres_server, "read_source", "UTF8")
    yield database
    postgres_server.execute(sql.SQL("drop database read_source with (force)"))


def run(database: Database, statements: str) -> None:
    with closing(database.connect()) as session, session, session.cursor() as cursor:
        cursor.execute(statements)


def texts(database: Database, query: str) -> list[tuple[str | None, ...]]:
    """A query's values as PostgreSQL writes them in its text form."""
    with closing(database.connect()) as session, session.cursor() as cursor:
        cursor.execute("set timezone = 'UTC'; set extra_float_digits = 1")
        cursor.execute("set intervalstyle = postgres; set datestyle = iso")
        cursor.execute(f"select * from ({query}\n) q limit 0")
        assert cursor.description is not None
        names = ", ".join(
            '"{}"::text'.format(c.name.replace('"', '""')) for c in cursor.description
        )
        cursor.execute(f"select {names} from ({query}\n) q".replace("%", "%%"))
        return cursor.fetchall()


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def open_it(database: Database) -> PostgresSource:
    return PostgresSource("erp", {"dsn": database.uri})


def assert_arrives(target: PgSession, source: Database, query: str) -> Pulled:
    """Pulls a query twice: into a new table, and into the table that is there then."""
    expected = texts(source, query.rstrip().removesuffix(";"))
    arrived = pull(target, open_it(source), query)
    assert arrived.rows == expected
    assert pull(target, open_it(source), query).rows == expected
    return arrived


VALUES: dict[str, list[str | None]] = {
    "smallint": ["-32768", "32767"],
    "integer": ["-2147483648", "2147483647"],
    "bigint": ["-9223372036854775808", "9223372036854775807"],
    "numeric": ["NaN", "Infinity", "-Infinity", "1e-16000", "9" * 5000, "-0.000"],
    "numeric(7,3)": ["1234.567", "-0.001", "NaN"],
    "numeric(5,-2)": ["1234500", "-100"],
    "real": ["NaN", "Infinity", "-Infinity", "-0", "0.1", "1e-45", "3.4028235e38", "16777217"],
    "double precision": ["NaN", "Infinity", "-0", "0.1", "5e-324", "1.7976931348623157e308"],
    "boolean": ["true", "false"],
    "bit(3)": ["101"],
    "bit varying": ["1010101010101010101", ""],
    "bytea": ["\\x00ff5c0a", "\\x", "\\x2e0a"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    "date": ["0001-01-01 BC", "4713-01-01 BC", "5874897-12-31", "infinity", "-infinity"],
    "time": ["00:00:00.000001", "24:00:00"],
    "timetz": ["12:34:56.123456+05:30", "00:00:00-15:59:59"],
    "timestamp": ["4713-01-01 00:00:00 BC", "294276-12-31 23:59:59.999999", "infinity"],
    "timestamp(3)": ["2024-02-29 23:59:59.999"],
    "timestamptz": ["2024-03-31 01:30:00.000001+00", "0044-03-15 00:00:00 BC", "-infinity"],
    "json": ['{"a": 123456789012345678901234567890.10, "a": 1e400, "b" : "\\u00e9"}', "null"],
    "jsonb": ['{"a": 123456789012345678901234567890.10}', '"\\ud83d\\ude00"'],
    "inet": ["::1/64", "192.168.0.1/24"],
    "cidr": ["10.0.0.0/8"],
    "macaddr8": ["08:00:2b:01:02:03:04:05"],
    "point": ["(1e-300,-0)"],
    "polygon": ["((0,0),(1,1),(2,0))"],
    "tsvector": ["'a':1A 'b c':2"],
    "tsquery": ["'a' & !'b'"],
    "int4range": ["empty", "[1,)", "(,)"],
    "tsrange": ['["2024-01-01 00:00:00",infinity)'],
    "nummultirange": ["{[1,2),(3,4]}", "{}"],
    "pg_lsn": ["16/B374D848"],
    '"char"': ["a", ""],
    "name": ["Ünïcode"],
    "oid": ["4294967295"],
    "jsonpath": ['$."a"[*]?(@ > 1)'],
    "integer[]": ["{}", "[0:1]={1,NULL}", "{{1,2},{3,4}}"],
    "text[]": ['{"a,b","\\"","\\\\",NULL,"NULL",""}'],
    "character(3)[]": ['{"a  ","bcd"}'],
    "character varying(5)[]": ['{é,"{}"}'],
    "numeric(5,2)[]": ["{1.20,NaN}"],
    "bytea[]": ['{"\\\\x00ff"}'],
    "date[]": ["{infinity,0044-03-15 BC}"],
    "character(3)": ["ab ", "   "],
    "character varying(5)": ["ab   ", "ééééé"],
}


# What has no binary form, or one that means something else in another database.
TEXT_ONLY: dict[str, list[str | None]] = {
    "interval": ["1 year -2 days +03:04:05.000006", "-178000000 years", "infinity"],
    "interval day to second(2)": ["1 day 02:03:04.56"],
    "interval[]": ['{"1 mon -1 days"}'],
    "money": ["-92233720368547758.08", "1234.56", None],
    "money[]": ["{1.50,NULL}"],
    "regtype": ["timestamp with time zone"],
    "regclass[]": ["{pg_class,pg_type}"],
    "aclitem": ["=r/postgres"],
}


# Types that are named otherwise than in VALUES are left out.
SAME = {name: name for name in VALUES if not re.match("time|interval day", name)}


def make_table(
    database: Database, values: Mapping[str, Sequence[str | None]], name: str = "t"
) -> None:
    """A table with a column for each type and a row for each value, the last without any."""
    columns = ", ".join(f"{quoted(type_name)} {type_name}" for type_name in values)
    with closing(database.connect()) as session, session, session.cursor() as cursor:
        cursor.execute(f"drop table if exists {name}; create table {name} ({columns})")
        rows = itertools.zip_longest(*values.values())
        marks = ", ".join(["%s"] * len(values))
        for row in [*rows, [None] * len(values)]:
            cursor.execute(f"insert into {name} values ({marks})", row)


@pytest.mark.parametrize("form", ["binary", "text"])
def test_each_type_arrives_as_it_was(source: Database, connection: PgSession, form: str) -> None:
    make_table(source, VALUES)
    # A column that has no binary form makes all go as text.
    query = "select * from t" if form == "binary" else "select *, 1::money as m from t"
    arrived = pull(connection, open_it(source), query)
    assert arrived.how == f"PostgreSQL, COPY {form}"
    expected = texts(source, "select * from t")
    for position, type_name in enumerate(VALUES):
        assert arrived.column(type_name) == [row[position] for row in expected], type_name
    assert {name: type_name for name, type_name in arrived.types.items() if name in SAME} == SAME


def test_what_means_something_else_in_another_database_goes_as_text(
    source: Database, connection: PgSession
) -> None:
    make_table(source, TEXT_ONLY)
    arrived = pull(connection, open_it(source), "select * from t")
    assert arrived.how == "PostgreSQL, COPY text"
    assert list(zip(arrived.types.values(), arrived.rows[0], strict=True)) == [
        ("interval", "1 year -2 days +03:04:05.000006"),
        ("interval day to second(2)", "1 day 02:03:04.56"),
        ("interval[]", '{"1 mon -1 days"}'),
        ("numeric", "-92233720368547758.08"),
        ("numeric[]", "{1.50,NULL}"),
        ("text", "timestamp with time zone"),
        ("text", "{pg_class,pg_type}"),
        ("text", "=r/postgres"),
    ]
    assert arrived.column("interval")[1:3] == ["-178000000 years", "infinity"]


def test_a_target_that_is_there_keeps_its_types(source: Database, connection: PgSession) -> None:
    run(
        source,
        "drop table if exists t; create table t (a bit(5), b varchar(9), c numeric(9,2), "
        "d timestamp(3), e char(2), f varchar(3)[]); "
        "insert into t values ('10101', 'x', 1.25, '2024-01-01 00:00:00.125', 'y', '{a,b}')",
    )
    columns = (
        "a bit(5), b varchar(9), c numeric(9,2), d timestamp(3), e char(2), f varchar(3)[], "
        "n integer, s varchar(20), k varchar(9)"
    )
    prepare(connection, columns)
    query = "select *, count(*) over () as n, sum(1) over ()::text as s, 'x' as k from t"
    first = pull(connection, open_it(source), query)
    assert first.how == "PostgreSQL, COPY text"  # a count is a bigint, and is to be an integer
    assert first.rows == texts(source, query)
    assert first.types["n"] == "integer"
    assert first.types["k"] == "character varying(9)"
    same = pull(connection, open_it(source), "select a, b, c, d, e, f from t")
    assert same.how == "PostgreSQL, COPY binary"
    assert same.types == first.types


OWN_TYPES = r"""
drop schema if exists own cascade; create schema own; set search_path = own;
create type mood as enum ('ok', 'so so');
create domain price as numeric(7,3) check (value > 0);
create type pair as (a integer, b text);
create type span as range (subtype = float8);
create table t (m mood, ms mood[], p price, ps price[], c pair, r span);
insert into t values
    ('so so', '{ok,NULL}', 1.250, '{1.5}', row(1, 'a "b" \ c'), '[1,2)'),
    (null, null, null, null, null, null);
"""


def test_types_of_the_source_alone_go_as_their_text(
    source: Database, connection: PgSession
) -> None:
    run(source, OWN_TYPES)
    arrived = assert_arrives(connection, source, "select *, row(1, 'x') as w from own.t")
    assert arrived.types == {
        "m": "text",
        "ms": "text",
        "p": "numeric(7,3)",
        "ps": "text",
        "c": "text",
        "r": "text",
        "w": "text",
    }


def test_an_enum_of_the_warehouse_takes_the_text_of_the_sources(
    source: Database, connection: PgSession
) -> None:
    run(source, OWN_TYPES)
    with connection, connection.cursor() as cursor:
        cursor.execute("create type feeling as enum ('so so', 'good')")
    prepare(connection, "m feeling")
    arrived = pull(connection, open_it(source), "select m from own.t")
    assert (arrived.types, arrived.rows) == ({"m": "feeling"}, [("so so",), (None,)])


ODD_SETTINGS = {
    "timezone": "Asia/Kathmandu",
    "datestyle": "SQL, DMY",
    "intervalstyle": "sql_standard",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "client_encoding": "LATIN1",
    "search_path": "pg_catalog",
}
ODD_VALUES = r"""
drop table if exists public.t;
create table public.t as select timestamptz '2024-03-31 01:30:00.000001+00' as at,
    date '2024-12-11' as day, timestamp '2024-12-11 10:00:00.5' as local,
    0.1::float8 + 0.2 as d, 1::real / 3 as f,
    '\x00ff5c'::bytea as b, 'é😀\' as e, '12:00:00+05:45'::timetz as z
"""


@pytest.mark.parametrize("form", ["binary", "text"])
def test_settings_of_the_sources_role_change_no_value(
    source: Database, connection: PgSession, form: str
) -> None:
    run(source, ODD_VALUES)
    expected = texts(source, "select * from public.t")
    with closing(source.connect()) as session, session, session.cursor() as cursor:
        for name, value in ODD_SETTINGS.items():
            setting = sql.SQL("alter role postgres in database read_source set {} = {}")
            cursor.execute(setting.format(sql.Identifier(name), sql.Literal(value)))
    try:
        more = "" if form == "binary" else ", interval '-1 mon +2 days -3:00' as m"
        arrived = pull(connection, open_it(source), f"select *{more} from public.t")
    finally:
        run(source, "alter role postgres in database read_source reset all")
    assert arrived.how == f"PostgreSQL, COPY {form}"
    assert [row[: len(expected[0])] for row in arrived.rows] == expected
    assert form == "binary" or arrived.column("m") == ["-1 mons +2 days -03:00:00"]


NASTY = [
    "",
    " ",
    "\\N",
    "\\.",
    "a\tb",
    "line\nfeed",
    "carriage\rreturn\r\n",
    "back\\slash\\",
    "\"double\", 'single'",
    "NULL",
    "😀 \U0001d518\U0001d52b \U00010000 \U0010fffd",
    "e\u0301 \u200b \ufeff \u2028",
    "\x01\x1b\x7f",
]


@pytest.mark.parametrize("form", ["binary", "text"])
def test_text_of_every_kind_arrives(source: Database, connection: PgSession, form: str) -> None:
    make_table(source, {"text": [*NASTY]})
    more = "" if form == "binary" else ", 1::money as m"
    arrived = pull(connection, open_it(source), f'select "text"{more} from t')
    assert arrived.column("text") == [*NASTY, None]


NAMES = [
    "Capital",
    "with space",
    'quo"te',
    "select",
    "a%b",
    "a{b}",
    "ü" * 31 + "z",
    "semi;colon--",
    "tab\tname",
    "a\\b",
    "ctid_",
    "😀",
]


def test_columns_of_any_name_arrive(source: Database, connection: PgSession) -> None:
    columns = ", ".join(f"{number} as {quoted(name)}" for number, name in enumerate(NAMES))
    arrived = assert_arrives(connection, source, f"select {columns}")
    assert list(arrived.types) == NAMES


def test_a_table_of_300_columns_arrives(source: Database, connection: PgSession) -> None:
    columns = ", ".join(f"{number} as c{number}, 'x'::text as t{number}" for number in range(150))
    assert_arrives(connection, source, f"select {columns} from generate_series(1, 3)")


def test_a_table_without_rows_arrives(source: Database, connection: PgSession) -> None:
    run(source, "drop table if exists t; create table t (a integer not null, b numeric(5,2))")
    arrived = assert_arrives(connection, source, "select * from t;\n")
    assert (arrived.types, arrived.rows) == ({"a": "integer", "b": "numeric(5,2)"}, [])


def test_a_query_may_end_in_a_comment(source: Database, connection: PgSession) -> None:
    assert assert_arrives(connection, source, "select 1 as a -- one").rows == [("1",)]


def test_a_query_without_columns_is_refused(source: Database, connection: PgSession) -> None:
    run(source, "drop table if exists t; create table t (); insert into t default values")
    with pytest.raises(JobError, match="the query of `erp` gives no column"):
        pull(connection, open_it(source), "select * from t")


def test_a_latin1_database_is_read_as_unicode(
    postgres_server: Postgres, connection: PgSession
) -> None:
    source = make_source(postgres_server, "read_latin1", "LATIN1")
    run(source, "create table t (v text); insert into t values ('é¿ß£'), ('\\\t')")
    assert pull(connection, open_it(source), "select v from t").rows == [("é¿ß£",), ("\\\t",)]


def test_text_that_is_no_utf8_is_refused(postgres_server: Postgres, connection: PgSession) -> None:
    source = make_source(postgres_server, "read_ascii", "SQL_ASCII")
    run(
        source,
        "create table t (id integer, v text); "
        "insert into t values (1, convert_from('\\xc3a9', 'SQL_ASCII')), "
        "(2, convert_from('\\xe9', 'SQL_ASCII'))",
    )
    assert pull(connection, open_it(source), "select v from t where id = 1").rows == [("é",)]
    with pytest.raises(JobError, match=r"row 2.* invalid byte sequence"):
        pull(connection, open_it(source), "select id, v from t")
    marked = pull(connection, open_it(source), "select id, v, 1::money from t", on_bad_value="null")
    assert marked.column("v") == ["é", None]


def test_a_broken_query_is_told_as_the_source_tells_it(source: Database) -> None:
    with closing(open_it(source)) as session, pytest.raises(JobError) as failure:
        session.read(Statement(("select nothing from nowhere",)), None)
    expected = 'the source `erp` refuses the query: relation "nowhere" does not exist'
    assert str(failure.value) == expected


def test_a_source_that_fails_in_the_middle_leaves_nothing(
    source: Database, connection: PgSession, capfd: pytest.CaptureFixture[str]
) -> None:
    query = "select 1 / (90000 - n) as v from generate_series(1, 100000) n"
    with pytest.raises(JobError, match="the source `erp` refuses the query: division by zero"):
        pull(connection, open_it(source), query)
    query = (
        "select n, case when n = 90000 then pg_terminate_backend(pg_backend_pid()) end as ended "
        "from generate_series(1, 100000) n"
    )
    with pytest.raises(JobError, match="the source `erp` broke off: server closed"):
        pull(connection, open_it(source), query)
    with connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('staging.pulled')")
        assert cursor.fetchone() == (None,)
    assert not capfd.readouterr().err, "psycopg2 prints a fault of its own"


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    libpq = {"host": "127.0.0.1", "port": 1, "user": "u", "password": "hunter2", "dbname": "d"}
    with pytest.raises(JobError, match=r"the connection `erp` is refused: .*port 1") as failure:
        PostgresSource("erp", libpq)
    assert "hunter2" not in str(failure.value)


def test_bounds_come_back_as_they_were(source: Database) -> None:
    run(
        source,
        "drop table if exists t; create table t as "
        "select 0.1::real as f, timestamptz '2024-10-27 00:30:00.123456+00' as at",
    )
    with closing(open_it(source)) as session:
        for name in ("f", "at"):
            low = session.value(Statement((f"select max({name}) from t",)))
            again = Statement((f"select count(*) from t where {name} = ", ""), (low,))
            assert session.value(again) == 1


@pytest.mark.parametrize("value", ["infinity", "-infinity", "0044-03-15 BC", "12024-01-01"])
def test_what_is_no_bound_is_refused(source: Database, value: str) -> None:
    with closing(open_it(source)) as session:
        for type_name in ("date", "timestamp", "timestamptz"):
            with pytest.raises(JobError, match="is no point from which rows can be read on"):
                session.value(Statement((f"select '{value}'::{type_name}",)))


def test_a_text_whose_spaces_would_be_cut_is_refused(
    source: Database, connection: PgSession
) -> None:
    prepare(connection, "v varchar(3)")
    with pytest.raises(JobError, match="value too long for type character varying"):
        pull(connection, open_it(source), "select 'abc  '::varchar as v")
    assert pull(connection, open_it(source), "select 'abc'::varchar as v").rows == [("abc",)]


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
    source: Database, connection: PgSession, target: str, bad: str, good: str
) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("create schema staging")
        cursor.execute("create domain staging.price as numeric(7,2) check (value > 0)")
        cursor.execute(f"create table staging.pulled (v {target})")
    query = f"select {bad} as v union all select {good}"
    arrived = pull(connection, open_it(source), query, on_bad_value="reject")
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
    source: Database, connection: PgSession, target: str, values: str
) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("create schema staging")
        cursor.execute("create domain staging.price as numeric(7,2) check (value > 0)")
        cursor.execute(f"create table staging.pulled (v {target})")
    query = f"select v from (values {values}) as given (v)"
    arrived = pull(connection, open_it(source), query, on_bad_value="null")
    assert [value is None for value in arrived.column("v")] == [True, False]


def test_kinds_that_lose_something_are_told_with_the_statement(
    source: Database, connection: PgSession
) -> None:
    prepare(connection, "v timestamp")
    with connection, connection.cursor() as cursor:
        cursor.execute("insert into staging.pulled values (now())")
    with pytest.raises(JobError, match='alter column "v" type timestamp with time zone;'):
        pull(connection, open_it(source), "select now() as v")


def test_a_missing_value_is_rejected_though_types_agree(
    source: Database, connection: PgSession
) -> None:
    prepare(connection, "v integer not null")
    query = "select 1 as v union all select null"
    arrived = pull(connection, open_it(source), query, on_bad_value="reject")
    assert arrived.rows == [("1",)]
