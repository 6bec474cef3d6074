"""Sources whose types come from the values: what becomes of a column when its values outgrow it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.services.mariadb import MariaDB
from tests.support.one_task import FOLDER, OneTask

Run = Callable[[str], object]
QUERY = {"q.sql": "select * from item"}


class Shop:
    """A source with a table `item` of two columns, `id` and `v`."""

    def __init__(self, url: str, run: Run) -> None:
        self.url, self.run = url, run

    def has(self, declared: str, *values: str) -> None:
        """A table with these values, numbered from 1."""
        self.run("drop table if exists item")
        self.run(f"create table item (id integer, v {declared})")
        self.adds(1, *values)

    def adds(self, first: int, *values: str) -> None:
        """More of them; SQL."""
        for number, value in enumerate(values, start=first):
            self.run(f"insert into item values ({number}, {value})")

    def task(self, task: OneTask, options: str = "load: replace", **files: str) -> None:
        reader = ", reader: generic" if "duckdb" in self.url else ""  # it goes by the values
        action = f"{{do: database, query: q.sql, {options}{reader}}}"
        task.has(f"url: {self.url}", action, QUERY | files)


def lite(folder: Path) -> Shop:
    session = sqlite3.connect(folder / "shop.db", isolation_level=None)
    return Shop(f"sqlite:///{folder}/shop.db", session.execute)


def duck(folder: Path) -> Shop:
    def run(statement: str) -> None:  # it is locked while it is open
        with duckdb.connect(folder / "shop.duckdb") as session:
            session.execute(statement)

    return Shop(f"duckdb:///{folder}/shop.duckdb", run)


KINDS = {"sqlite": lite, "duckdb": duck}


@pytest.fixture(params=list(KINDS))
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    return KINDS[request.param](tmp_path)


BIG = "36893488147419103232"
GROWING = {
    "sqlite": [
        ("boolean", "1", "2", "boolean", "bigint", ["1", "2"]),
        ("integer", "1", "2.5", "bigint", "numeric", ["1", "2.50"]),
        ("integer", "1", BIG, "bigint", "numeric", ["1", "36893488147419103000"]),
        ("date", "'2024-01-01'", "'2024-01-02 10:00'", "date", "timestamp without time zone",
         ["2024-01-01 00:00:00", "2024-01-02 10:00:00"]),
    ],
    "duckdb": [
        ("bigint", "1", "2.5", "bigint", "numeric", ["1.0", "2.5"]),
        ("hugeint", "1", BIG, "bigint", "numeric", ["1", BIG]),
        ("boolean", "true", "2", "boolean", "bigint", ["1", "2"]),
        ("date", "'2024-01-01'", "'2024-01-02 10:00'", "date", "timestamp without time zone",
         ["2024-01-01 00:00:00", "2024-01-02 10:00:00"]),
    ],
}  # fmt: skip
DECLARED = {"bigint": "decimal(9,1)", "boolean": "bigint", "date": "timestamp"}
MODES = ["load: replace", "load: append, watermark: {column: id}", "load: merge, key: [id]",
         "load: snapshot, key: [id]", "load: history, key: [id]"]  # fmt: skip


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("case", range(4))
def test_a_column_that_outgrew_its_type_is_widened(
    kind: str, case: int, task: OneTask, tmp_path: Path
) -> None:
    shop = KINDS[kind](tmp_path)
    declared, before, after, old_type, new_type, texts = GROWING[kind][case]
    shop.task(task, MODES[(case + list(KINDS).index(kind)) % len(MODES)])
    shop.has(declared, before)
    task.run()
    assert task.types()["v"] == old_type
    if kind == "duckdb" and declared in DECLARED:
        shop.run(f"alter table item alter v type {DECLARED[declared]}")
    shop.adds(2, after)
    told = new_type.removesuffix(" without time zone")
    assert f"the column v is widened from {old_type} to {told}" in task.run()
    assert task.types()["v"] == new_type
    assert task.rows("select distinct v::text from staging.thing order by 1") == [
        (text,) for text in texts
    ]
    assert "widened" not in task.run()


def test_a_table_with_steps_gets_the_statement_for_the_next_one(shop: Shop, task: OneTask) -> None:
    step = "create table staging.thing (id bigint primary key, v integer)"
    shop.task(task, MODES[2], **{"ver/001_create.sql": step})
    shop.has("double", "2.5")
    message = task.fails()
    assert 'column v of staging.thing cannot hold "2.5" (row 1' in message
    alter = 'alter table staging.thing alter column "v" type double precision;'
    assert f"; put this into the next step in ver/: {alter}" in message
    (task.folder / FOLDER / "ver/002_wider.sql").write_text(alter)
    task.run()
    assert task.rows() == [(1, 2.5)]


def test_a_bad_value_is_not_a_wider_type(shop: Shop, task: OneTask) -> None:
    shop.task(task)
    shop.has("bigint", "1")
    task.run()
    shop.has("varchar", "'1'", "'abc'")
    message = task.fails()
    assert 'column v of staging.thing cannot hold "abc" (row 2' in message
    assert "; fix the value, set `on_bad_value`, or let the column hold it, by hand or " in message
    assert message.endswith('alter table staging.thing alter column "v" type text;')
    assert task.types()["v"] == "bigint"
    shop.task(task, "load: replace, on_bad_value: reject")
    assert "1 row rejected" in task.run()
    assert task.types()["v"] == "bigint"


def test_what_does_not_fit_is_rejected_where_that_is_the_policy(shop: Shop, task: OneTask) -> None:
    shop.task(task, "load: replace, on_bad_value: 'null'")
    shop.has("bigint", "1")
    task.run()
    shop.has("double", "1.5", "2.5")
    assert "2 rows with bad values nulled" in task.run()
    assert task.rows() == [(1, None), (2, None)]


def test_columns_of_odd_names_grow_with_the_policy_for_zero_dates_too(
    task: OneTask, tmp_path: Path
) -> None:
    shop = lite(tmp_path)
    shop.run('create table item ("a:b" integer, "q""u%" boolean, "ü {x}" date)')
    shop.run("insert into item values (1, 1, '2024-01-01')")
    for policy in ("", ", zero_dates: 'null'"):
        shop.task(task, f"load: replace{policy}")
        task.execute("drop schema if exists staging cascade")
        shop.run("delete from item where rowid > 1")
        task.run()
        shop.run("insert into item values (2.5, 2, '2024-01-01 10:00')")
        assert task.run().count("is widened from") == 3
        types = {"a:b": "numeric", 'q"u%': "bigint", "ü {x}": "timestamp without time zone"}
        assert task.types() == types


def test_each_of_several_columns_grows(shop: Shop, task: OneTask) -> None:
    shop.task(task)
    shop.run("create table item (a integer, b integer, c integer)")
    shop.run("insert into item values (1, 1, 1)")
    task.run()
    shop.run("drop table item")
    shop.run("create table item (a double, b integer, c double)")
    shop.run("insert into item values (0.5, 1, 1), (1, 1, 0.25)")
    message = task.run()
    assert "the column a is widened from bigint to " in message
    assert "the column b" not in message
    assert "the column c is widened from bigint to " in message


def test_a_split_load_begins_anew_with_the_wider_type(shop: Shop, task: OneTask) -> None:
    shop.task(task, "load: replace, split: {column: id, parts: 3}")
    shop.has("integer", *map(str, range(9)))
    task.run()
    shop.run("alter table item alter v type double" if "duckdb" in shop.url else "select 1")
    shop.run("update item set v = 2.5 where id = 8")
    assert "the column v is widened from bigint to numeric, 3 parts" in task.run().replace(
        "double precision", "numeric"
    )
    assert task.rows("select sum(v), count(*) from staging.thing") == [(31.5, 9)]


def test_changed_blocks_widen_too(task: OneTask, tmp_path: Path) -> None:
    shop = lite(tmp_path)
    shop.task(task, "load: snapshot, key: [id], changes: blocks")
    shop.has("integer", "1", "2")
    task.run()
    shop.run("update item set v = 2.5 where id = 2")
    message = task.run()
    assert "1 updated" in message
    assert "the column v is widened from bigint to numeric" in message
    assert "none of 1 blocks changed" in task.run()


def test_the_read_that_broke_is_begun_anew_on_a_new_connection(
    mariadb: MariaDB, task: OneTask
) -> None:
    with mariadb.connect() as session, session.cursor() as cursor:
        cursor.execute("create or replace database grown")
        cursor.execute("use grown")
        cursor.execute("create table item as select seq as id, seq as v from seq_1_to_50000")
        session.commit()
        shop = Shop(mariadb.url("grown"), lambda statement: None)
        shop.task(task, "load: replace, reader: generic")
        task.run()
        cursor.execute("alter table grown.item modify v decimal(20,1)")
        cursor.execute("update grown.item set v = 0.5 where id = 1")
        session.commit()
    assert "the column v is widened from bigint to numeric" in task.run()
    assert task.rows("select count(*), min(v)::text from staging.thing") == [(50000, "0.5")]


DUCK_TYPES = """
    a bigint, b hugeint, c decimal(9,2), d double, e varchar, f boolean, g date, h timestamp,
    i timestamptz, j time, k interval, l blob, m uuid, n integer[], o struct(x integer), p json
"""


def test_a_table_without_rows_gets_the_types_that_the_driver_tells(
    task: OneTask, tmp_path: Path
) -> None:
    shop = duck(tmp_path)
    shop.task(task)
    shop.run(f"create table item ({DUCK_TYPES})")
    task.run()
    types = task.types()
    assert list(types.values()) == [
        *("bigint", "numeric", "numeric", "double precision", "text", "boolean", "date"),
        *("timestamp without time zone", "timestamp with time zone", "time without time zone"),
        *("interval", "bytea", "uuid", "jsonb", "jsonb", "text"),
    ]
    values = "1, 1, 1.5, 0.5, 'e', true, '2024-01-01', '2024-01-01', '2024-01-01', '10:00', "
    more = "interval 1 day, '\\x00', uuid(), [1], {'x': 1}, '{}'"
    shop.run(f"insert into item values ({values}{more})")
    task.run()
    assert task.types() == types


def test_mariadb_reports_its_types_too(mariadb: MariaDB, task: OneTask) -> None:
    with mariadb.connect() as session, session.cursor() as cursor:
        cursor.execute("create or replace database grown")
        cursor.execute("use grown")
        cursor.execute(
            "create table item (a int, b decimal(9,2), c double, d date, e datetime, f time, "
            "g bit(3), h varchar(9), i blob)"
        )
        session.commit()
    Shop(mariadb.url("grown"), lambda statement: None).task(task, "load: replace, reader: generic")
    task.run()
    assert list(task.types().values()) == [
        *("bigint", "numeric", "double precision", "date", "timestamp without time zone"),
        *("interval", "bytea", "text", "text"),
    ]


@pytest.mark.parametrize("mode", ["load: replace", MODES[2]])
@pytest.mark.parametrize("reader", ["native", "generic"])
def test_a_column_takes_the_type_of_its_first_values(
    task: OneTask, tmp_path: Path, mode: str, reader: str
) -> None:
    shop = lite(tmp_path)
    shop.task(task, f"{mode}, reader: {reader}")
    shop.run("create table item (id integer, v, w)")
    shop.run("insert into item values (1, null, 'a')")
    task.run()
    task.run()
    assert task.types() == {"id": "bigint", "v": "text", "w": "text"}
    task.execute("create view staging.seen as select v from staging.thing")
    shop.run("insert into item values (2, 5, null)")
    message = task.run()
    assert "the column v, which had no value, is bigint now" in message
    assert "views that read it made again: staging.seen" in message
    assert task.rows("select * from staging.thing order by id") == [(1, None, "a"), (2, 5, None)]
    shop.run("update item set w = 7")
    task.run()
    assert task.types() == {"id": "bigint", "v": "bigint", "w": "text"}


def test_a_column_of_another_kind_without_values_takes_the_first_ones(
    task: OneTask, tmp_path: Path
) -> None:
    shop = lite(tmp_path)
    shop.task(task, MODES[2])
    shop.has("date", "null")
    task.run()
    assert task.types()["v"] == "date"
    shop.adds(2, "1700000000")
    assert "the column v, which had no value, is bigint now" in task.run()
    assert task.rows() == [(1, None), (2, 1700000000)]


def test_a_table_made_by_hand_keeps_its_types(shop: Shop, task: OneTask) -> None:
    shop.task(task, MODES[2])
    task.make_table("id text primary key, v text")
    shop.has("integer", "5")
    task.run()
    assert task.rows() == [("1", "5")]


def test_a_table_with_steps_keeps_a_text_without_values(task: OneTask, tmp_path: Path) -> None:
    shop = lite(tmp_path)
    step = "create table staging.thing (id bigint primary key, v text)"
    shop.task(task, "load: replace", **{"ver/001_create.sql": step})
    shop.has("integer", "null")
    task.run()
    shop.adds(2, "5")
    task.run()
    assert task.rows() == [(1, None), (2, "5")]


def test_a_domain_is_not_a_type_that_grows(shop: Shop, task: OneTask) -> None:
    task.execute("create schema staging; create domain staging.small as int check (value < 3)")
    task.execute("create table staging.thing (id int, v staging.small)")
    shop.task(task)
    shop.has("integer", "1", "5")
    message = task.fails()
    assert message.startswith('the column v of staging.thing cannot hold "5" (row 2, id 2): value')
    assert "violates check constraint" in message
    shop.task(task, "load: replace, on_bad_value: reject")
    assert "1 row rejected" in task.run()
    assert task.types()["v"] == "staging.small"


def test_what_no_type_helps_is_reported_once(shop: Shop, task: OneTask) -> None:
    task.make_table("id int, v bigint not null")
    shop.task(task)
    shop.has("integer", "1", "null")
    assert task.fails().startswith("row 2, id 2 has no value for the column v of staging.thing")


def test_a_column_whose_declaration_grew_is_widened_when_a_value_needs_it(
    task: OneTask, tmp_path: Path
) -> None:
    shop = duck(tmp_path)
    action = "{do: database, query: q.sql, load: merge, key: [id]}"
    task.has(f"url: {shop.url}", action, QUERY)
    shop.has("integer", "1")
    task.run()
    shop.run("alter table item alter v type hugeint")
    assert "widened" not in task.run()
    shop.adds(2, BIG)
    assert "the column v is widened from integer to numeric(39,0)" in task.run()
    assert task.rows("select v from staging.thing order by id") == [(1,), (int(BIG),)]
