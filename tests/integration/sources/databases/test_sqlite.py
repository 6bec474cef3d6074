"""SQLite as a source: a column may hold values of any type, and each arrives as it was."""

from __future__ import annotations

import math
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as PgSession

from dapu.errors import JobError
from dapu.sources.databases.sqlite import source as reader
from dapu.sources.databases.sqlite.source import SqliteSource
from dapu.statement import Statement
from tests.support.pull import NASTY, Pulled, make_target, pull


class Shop:
    """A SQLite database in a file, which the tests fill."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.session = sqlite3.connect(path, isolation_level=None)

    def has(self, declared: str, *values: Any) -> None:
        """A table of one column with these values."""
        self.session.execute("drop table if exists t")
        self.session.execute(f"create table t (v {declared})")
        self.session.executemany("insert into t values (?)", [(value,) for value in values])

    def open(self) -> SqliteSource:
        return SqliteSource("shop", str(self.path))

    def pulled(self, target: PgSession, query: str = "select v from t", **options: Any) -> Pulled:
        return pull(target, self.open(), query, **options)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "odd name? #1%.db")
    with closing(shop.session):
        yield shop


HUGE = [2**63 - 1, -(2**63)]


@pytest.mark.parametrize(
    ("declared", "values", "type_name", "texts"),
    [
        ("integer", [1, None, *HUGE], "bigint", ["1", None, *map(str, HUGE)]),
        ("int", [1, 2.5], "numeric", ["1", "2.50"]),
        ("int", [HUGE[0], 1e300], "numeric", [str(HUGE[0]), str(int(Decimal("1e300")))]),
        ("real", [0.1, 1e-320, -0.5], "double precision", ["0.1", "1e-320", "-0.5"]),
        ("real", [math.inf, -math.inf], "double precision", ["Infinity", "-Infinity"]),
        ("decimal(15,2)", [3.14, 2.0], "numeric", ["3.14", "2"]),
        ("decimal(15,2)", [3.14, 1 / 3], "numeric", ["3.14", "0.3333333333333333"]),
        ("boolean", [0, 1, None], "boolean", ["false", "true", None]),
        ("boolean", [0, 2], "bigint", ["0", "2"]),
        ("text", ["a", None, *NASTY], "text", ["a", None, *NASTY]),
        ("text", ["a", 1, 2.5, b"\x00\xff"], "text", ["a", "1", "2.5", "\\x00FF"]),
        ("blob", [b"", b"\x00\xff", None], "bytea", ["\\x", "\\x00ff", None]),
        ("blob", [b"\xff", "text"], "text", ["\\xFF", "text"]),
        ("date", ["2024-02-29", "0001-01-01"], "date", ["2024-02-29", "0001-01-01"]),
        ("date", ["2024-02-29", None], "date", ["2024-02-29", None]),
        ("date", ["2023-02-29"], "text", ["2023-02-29"]),
        ("date", ["0000-01-01"], "text", ["0000-01-01"]),
        ("date", ["2024-02-29", "soon"], "text", ["2024-02-29", "soon"]),
        ("date", [1700000000], "bigint", ["1700000000"]),
        (
            "datetime",
            ["2024-02-29 23:59:59.123456", "2024-02-29T00:00"],
            "timestamp without time zone",
            ["2024-02-29 23:59:59.123456", "2024-02-29 00:00:00"],
        ),
        (
            "date",
            ["2024-02-29", "2024-02-29 10:00"],
            "timestamp without time zone",
            ["2024-02-29 00:00:00", "2024-02-29 10:00:00"],
        ),
        ("date", ["2024-02-29", "2024-02-29 10:00Z"], "text", None),
        ("datetime", ["2024-02-29 00:00:00.1234567"], "text", ["2024-02-29 00:00:00.1234567"]),
        ("datetime", ["2024-02-29 24:00:00"], "text", ["2024-02-29 24:00:00"]),
        (
            "timestamp",
            ["2024-02-29 23:30:00+05:30", "2024-02-29T00:00:00.5Z"],
            "timestamp with time zone",
            ["2024-02-29 18:00:00+00", "2024-02-29 00:00:00.5+00"],
        ),
        (
            "timestamp",
            [None, "2024-02-29 00:00Z"],
            "timestamp with time zone",
            [None, "2024-02-29 00:00:00+00"],
        ),
        ("timestamp", ["2024-02-29 00:00Z", "2024-02-29 00:00"], "text", None),
        ("varchar(10)", [], "text", []),
        ("anything", [None], "text", [None]),
    ],
)
def test_a_new_table_holds_each_value(
    shop: Shop,
    connection: PgSession,
    declared: str,
    values: Sequence[Any],
    type_name: str,
    texts: Sequence[str | None] | None,
) -> None:
    shop.has(declared, *values)
    arrived = shop.pulled(connection)
    assert arrived.types == {"v": type_name}
    assert arrived.column("v") == list(values if texts is None else texts)
    again = shop.pulled(connection)
    assert again == arrived


DECLARED = ["int", "decimal(15,2)", "real", "boolean", "text", "blob", "date", "datetime", "other"]
OF_ALL_KINDS = [
    *(None, 0, 2, 2.5, "text", b"", "2024-02-29", "2024-02-30", "0000-01-01"),
    *("2024-02-29 10:00", "2024-02-29T10:00Z", "2024-02-29 10:00+01:00", "2024-02-29 25:00"),
]


@pytest.mark.parametrize("declared", DECLARED)
def test_types_do_not_depend_on_which_rows_come_first(
    shop: Shop, declared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = list(product(OF_ALL_KINDS, repeat=2))
    names = [f"c{number}" for number in range(len(pairs))]
    shop.session.execute(f"create table t ({', '.join(f'{name} {declared}' for name in names)})")
    marks = ", ".join("?" * len(pairs))
    shop.session.executemany(f"insert into t values ({marks})", zip(*pairs, strict=True))

    def types() -> list[str]:
        with closing(shop.open()) as source:
            queries = [Statement((f"select {name} from t",)) for name in names]
            return [source.read(query, None).columns[0].type for query in queries]

    of_both = types()
    monkeypatch.setattr("dapu.sources.databases.sqlite.types._SAMPLE", "1")
    of_the_first_and_a_check = types()
    assert dict(zip(pairs, of_the_first_and_a_check, strict=True)) == dict(
        zip(pairs, of_both, strict=True)
    )


def test_a_table_that_is_there_says_how_values_are_read(shop: Shop, connection: PgSession) -> None:
    shop.session.execute("create table t (a, b, c, d, e, f)")
    shop.session.execute("insert into t values (5.0, 'a\\x41', 12.5, 12.5, 1, '2024-02-29 10:00')")
    make_target(connection, "a integer, b bytea, c text, d real, e boolean, f timestamptz")
    assert shop.pulled(connection, "select * from t").rows == [
        ("5", "\\x615c783431", "12.5", "12.5", "true", "2024-02-29 10:00:00+00")
    ]


@pytest.mark.parametrize(
    ("type_name", "value"),
    [("integer", 5.5), ("integer", "five"), ("integer", 2**40), ("date", "2023-02-29")],
)
def test_a_value_that_does_not_fit_is_reported_with_its_row(
    shop: Shop, connection: PgSession, type_name: str, value: Any
) -> None:
    shop.session.execute("create table t (v, w text)")
    shop.session.execute("insert into t values (null, 'two\r\nlines'), (?, '')", (value,))
    make_target(connection, f"w text, v {type_name}")
    with pytest.raises(JobError, match=r"column v of staging.pulled .*\(row 2\): ") as failure:
        shop.pulled(connection, "select w, v from t")
    assert str(value) in str(failure.value)


def test_text_with_nul_or_invalid_utf8_is_refused_or_mended(
    shop: Shop, connection: PgSession
) -> None:
    shop.session.execute("create table t (id integer, v text)")
    shop.session.execute("insert into t values (1, 'a' || char(0) || 'b')")
    with pytest.raises(JobError, match='invalid byte sequence for encoding "UTF8": 0x00'):
        shop.pulled(connection, "select * from t")
    mended = shop.pulled(connection, "select * from t", nul_characters="remove")
    assert mended.rows == [("1", "ab")]
    shop.session.execute("insert into t values (2, cast(x'61ff' as text))")
    with pytest.raises(JobError, match='invalid byte sequence for encoding "UTF8": 0xff'):
        shop.pulled(connection, "select id, v from t where id = 2")
    nulled = shop.pulled(connection, "select * from t", on_bad_value="null")
    assert nulled.rows == [("1", None), ("2", None)]


def test_columns_of_any_name_arrive(shop: Shop, connection: PgSession) -> None:
    names = ["Capital", "with space", 'quo"te', "select", "a%b", "a{b}", "ü" * 31, "x'y", "c0"]
    quoted = ", ".join('"{}"'.format(name.replace('"', '""')) for name in names)
    shop.session.execute(f"create table t ({quoted})")
    shop.session.execute(f"insert into t values ({', '.join(map(str, range(len(names))))})")
    arrived = shop.pulled(connection, "select * from t")
    assert list(arrived.types) == names
    assert arrived.rows == [tuple(map(str, range(len(names))))]


def test_two_columns_of_one_name_are_refused(shop: Shop, connection: PgSession) -> None:
    with pytest.raises(JobError, match="gives two columns `a`; rename one"):
        shop.pulled(connection, "select 1 as a, 2 as a")


@pytest.mark.parametrize("count", [300, 1999])
def test_a_table_of_many_columns_arrives(shop: Shop, connection: PgSession, count: int) -> None:
    # PostgreSQL ends at 1,600 columns; SQLite at 2,000.
    columns = ", ".join(f"{number} as c{number}" for number in range(count))
    if count > 1600:
        with pytest.raises(psycopg2.Error, match="tables can have at most 1600 columns"):
            shop.pulled(connection, f"select {columns}")
        return
    arrived = shop.pulled(connection, f"select {columns} union all select {columns}")
    assert arrived.rows == [tuple(map(str, range(count)))] * 2


def test_a_view_and_bound_values_and_a_comment_at_the_end(
    shop: Shop, connection: PgSession
) -> None:
    shop.has("real", 1.5, 2.5)
    shop.session.execute("create view doubled as select v * 2 as v from t")
    query = Statement(("select v from doubled where v > ", " -- the great ones\n;"), (4,))
    with closing(shop.open()) as source:
        rows = source.read(query, {"v": "numeric"})
        with connection, connection.cursor() as cursor:
            cursor.execute("create temp table t (v numeric)")
            assert rows.fill(cursor, sql.SQL("t")) == 1


def test_values_come_back_as_bounds(shop: Shop) -> None:
    shop.has("", 2**62, "text", 0.1, b"\xff")
    with closing(shop.open()) as source:
        for kind in ("integer", "text", "real", "blob"):
            query = f"select max(v) from t where typeof(v) = '{kind}'"
            value = source.value(Statement((query,)))
            found = Statement(("select count(*) from t where v = ", ""), (value,))
            assert source.value(found) == 1
        found = Statement(("select ", " = '2024-02-29'"), (date(2024, 2, 29),))
        assert source.value(found) == 1


def test_rows_that_a_program_writes_meanwhile_are_not_seen(
    shop: Shop, connection: PgSession
) -> None:
    shop.session.execute("pragma journal_mode = wal")
    shop.has("integer", 1)
    source = shop.open()
    shop.session.execute("insert into t values (2)")
    assert pull(connection, source, "select v from t").rows == [("1",)]
    assert shop.pulled(connection).rows == [("1",), ("2",)]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"connection `shop`: there is no file .*missing\.db"):
        SqliteSource("shop", str(tmp_path / "missing.db"))


def test_a_file_that_is_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    path.write_text("this is a text, and long enough to be looked at " * 100)
    with pytest.raises(JobError, match=r"shop\.db is not a SQLite database"):
        SqliteSource("shop", str(path))


def test_a_file_that_is_damaged(shop: Shop, connection: PgSession) -> None:
    shop.has("text", *["x" * 1000] * 1000)
    size = shop.path.stat().st_size
    with shop.path.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(size // 4))
    with pytest.raises(JobError, match=r"the source `shop` refuses the query: .*malformed"):
        shop.pulled(connection)


LOCK = """
import sqlite3, sys
session = sqlite3.connect(sys.argv[1], isolation_level=None)
session.execute("begin exclusive")
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_file_that_another_program_has_locked(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_BUSY", 100)
    shop.has("integer", 1)
    with subprocess.Popen(
        [sys.executable, "-c", LOCK, shop.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"locked\n"
        with pytest.raises(JobError, match=r"another program has locked it for more than 0\.1 s"):
            shop.open()


def test_a_broken_query(shop: Shop, connection: PgSession) -> None:
    with pytest.raises(JobError, match="the source `shop` refuses the query: no such table: q"):
        shop.pulled(connection, "select * from q")
    with pytest.raises(JobError, match="the query of `shop` gives no column"):
        shop.pulled(connection, "begin")


def test_a_read_can_be_stopped(shop: Shop, connection: PgSession) -> None:
    endless = "with recursive n(v) as (select 1 union all select v + 1 from n) select v from n"
    source = shop.open()
    rows = source.read(Statement((endless,)), {"v": "bigint"})

    class File:
        def write(self, data: bytes) -> int:
            source.stop()
            return len(data)

    with pytest.raises(JobError, match="refuses the query: interrupted"):
        rows.write(File())  # type: ignore[arg-type]
    source.close()


@pytest.mark.parametrize(
    ("target", "bad", "good"),
    [
        ("timestamp", "2024-01-01T10:00:00+02:00", "2024-01-01 10:00:00.123456"),
        ("timestamp", "2024-01-01 10:00+02", "2024-01-01"),
        ("timestamp(3)", "2024-01-01 10:00:00.1234", "2024-01-01 10:00:00.123"),
        ("timestamptz", "2024-01-01 10:00:00.1234567Z", "2024-01-01 10:00:00.123456+00"),
        ("timestamptz(0)", "2024-01-01 10:00:00.5", "2024-01-01 10:00:00+00:00"),
        ("date", "2024-02-01 13:45:00", "2024-02-01 00:00:00"),
        ("time", "10:00+05", "10:00"),
        ("numeric(10,2)", "1e-3", "1.50"),
        ("numeric(10,2)", 1.239, 1.23),
        ("numeric(10,1)", 1.23, 5),
        ("real", 1.23456789012, 0.1),
        ("double precision", 2**53 + 1, 2**53),
        ("double precision", "0.12345678901234567890", 1e300),
        ("varchar(3)", "abc  ", "abc"),
        ("interval(0)", "1.5 s", "1.5 days"),
    ],
)
def test_a_value_that_would_be_changed_in_silence_is_refused(
    shop: Shop, connection: PgSession, target: str, bad: Any, good: Any
) -> None:
    make_target(connection, f"v {target}")
    shop.has("", good, bad)
    with pytest.raises(JobError, match=r"\((would be|its .* would be) .*row 2"):
        shop.pulled(connection)
    assert len(shop.pulled(connection, on_bad_value="reject").rows) == 1
    shop.has("", good)
    assert len(shop.pulled(connection).rows) == 1
