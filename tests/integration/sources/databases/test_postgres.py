"""PostgreSQL as a source: every value arrives as it was."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from contextlib import closing

import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as PgSession

from dapu.errors import JobError
from tests.conftest import Database
from tests.support.erp import assert_arrives, open_it, run, texts
from tests.support.pull import NASTY, make_target, pull


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


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
def test_each_type_arrives_as_it_was(erp: Database, connection: PgSession, form: str) -> None:
    make_table(erp, VALUES)
    # A column that has no binary form makes all go as text.
    query = "select * from t" if form == "binary" else "select *, 1::money as m from t"
    arrived = pull(connection, open_it(erp), query)
    assert arrived.how == f"PostgreSQL, COPY {form}"
    expected = texts(erp, "select * from t")
    for position, type_name in enumerate(VALUES):
        assert arrived.column(type_name) == [row[position] for row in expected], type_name
    assert {name: type_name for name, type_name in arrived.types.items() if name in SAME} == SAME


def test_what_means_something_else_in_another_database_goes_as_text(
    erp: Database, connection: PgSession
) -> None:
    make_table(erp, TEXT_ONLY)
    arrived = pull(connection, open_it(erp), "select * from t")
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


def test_a_target_that_is_there_keeps_its_types(erp: Database, connection: PgSession) -> None:
    run(
        erp,
        "drop table if exists t; create table t (a bit(5), b varchar(9), c numeric(9,2), "
        "d timestamp(3), e char(2), f varchar(3)[]); "
        "insert into t values ('10101', 'x', 1.25, '2024-01-01 00:00:00.125', 'y', '{a,b}')",
    )
    columns = (
        "a bit(5), b varchar(9), c numeric(9,2), d timestamp(3), e char(2), f varchar(3)[], "
        "n integer, s varchar(20), k varchar(9)"
    )
    make_target(connection, columns)
    query = "select *, count(*) over () as n, sum(1) over ()::text as s, 'x' as k from t"
    first = pull(connection, open_it(erp), query)
    assert first.how == "PostgreSQL, COPY text"  # a count is a bigint, and is to be an integer
    assert first.rows == texts(erp, query)
    assert first.types["n"] == "integer"
    assert first.types["k"] == "character varying(9)"
    same = pull(connection, open_it(erp), "select a, b, c, d, e, f from t")
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


def test_types_of_the_source_alone_go_as_their_text(erp: Database, connection: PgSession) -> None:
    run(erp, OWN_TYPES)
    arrived = assert_arrives(connection, erp, "select *, row(1, 'x') as w from own.t")
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
    erp: Database, connection: PgSession
) -> None:
    run(erp, OWN_TYPES)
    with connection, connection.cursor() as cursor:
        cursor.execute("create type feeling as enum ('so so', 'good')")
    make_target(connection, "m feeling")
    arrived = pull(connection, open_it(erp), "select m from own.t")
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
    erp: Database, connection: PgSession, form: str
) -> None:
    run(erp, ODD_VALUES)
    expected = texts(erp, "select * from public.t")
    with closing(erp.connect()) as session, session, session.cursor() as cursor:
        for name, value in ODD_SETTINGS.items():
            setting = sql.SQL("alter role postgres in database read_source set {} = {}")
            cursor.execute(setting.format(sql.Identifier(name), sql.Literal(value)))
    try:
        more = "" if form == "binary" else ", interval '-1 mon +2 days -3:00' as m"
        arrived = pull(connection, open_it(erp), f"select *{more} from public.t")
    finally:
        run(erp, "alter role postgres in database read_source reset all")
    assert arrived.how == f"PostgreSQL, COPY {form}"
    assert [row[: len(expected[0])] for row in arrived.rows] == expected
    assert form == "binary" or arrived.column("m") == ["-1 mons +2 days -03:00:00"]


@pytest.mark.parametrize("form", ["binary", "text"])
def test_text_of_every_kind_arrives(erp: Database, connection: PgSession, form: str) -> None:
    make_table(erp, {"text": [*NASTY]})
    more = "" if form == "binary" else ", 1::money as m"
    arrived = pull(connection, open_it(erp), f'select "text"{more} from t')
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


def test_columns_of_any_name_arrive(erp: Database, connection: PgSession) -> None:
    columns = ", ".join(f"{number} as {quoted(name)}" for number, name in enumerate(NAMES))
    arrived = assert_arrives(connection, erp, f"select {columns}")
    assert list(arrived.types) == NAMES


def test_a_table_of_300_columns_arrives(erp: Database, connection: PgSession) -> None:
    columns = ", ".join(f"{number} as c{number}, 'x'::text as t{number}" for number in range(150))
    assert_arrives(connection, erp, f"select {columns} from generate_series(1, 3)")


def test_a_table_without_rows_arrives(erp: Database, connection: PgSession) -> None:
    run(erp, "drop table if exists t; create table t (a integer not null, b numeric(5,2))")
    arrived = assert_arrives(connection, erp, "select * from t;\n")
    assert (arrived.types, arrived.rows) == ({"a": "integer", "b": "numeric(5,2)"}, [])


def test_a_query_may_end_in_a_comment(erp: Database, connection: PgSession) -> None:
    assert assert_arrives(connection, erp, "select 1 as a -- one").rows == [("1",)]


def test_a_query_without_columns_is_refused(erp: Database, connection: PgSession) -> None:
    run(erp, "drop table if exists t; create table t (); insert into t default values")
    with pytest.raises(JobError, match="the query of `erp` gives no column"):
        pull(connection, open_it(erp), "select * from t")
