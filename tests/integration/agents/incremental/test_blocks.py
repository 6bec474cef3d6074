"""`changes: blocks`: only the blocks of rows that changed leave the source."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dapu.sources.databases.blocks import hashes
from tests.conftest import Database, MakeWarehouse
from tests.services.mariadb import MariaDB
from tests.support.one_task import OneTask
from tests.support.rounds import run_task
from tests.support.shops import Shop

TASK = "shop.staging.item"
FILES = {
    "routes/shop/route.yaml": "connection: shop",
    "routes/shop/staging/item/extract.sql": "select * from item",
    "routes/shop/staging/item/task.yaml": """\
        actions:
          - do: database
            query: extract.sql
            load: snapshot
            key: [id]
            changes: blocks
        """,
}
FILL = "insert into item select n, 'item ' || n, n / 7.0 from numbers where n <= 1000"


@pytest.fixture(params=["postgresql", "sqlite", "mysql", "duckdb"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, database: Database) -> Any:
    shop = Shop(request.param, tmp_path, database, request)
    yield shop
    shop.session.close()


@pytest.fixture
def folder(make_warehouse: MakeWarehouse, database: Database, shop: Shop,
           monkeypatch: pytest.MonkeyPatch) -> Path:  # fmt: skip
    monkeypatch.setattr(hashes, "SIZE", 100)
    connections = database.connections_yaml() + f"- name: shop\n  url: {shop.url}\n"
    return make_warehouse({**FILES, "connections.yaml": connections})


def target(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.connect() as session, session.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def run(folder: Path) -> str:
    outcome = run_task(folder, TASK)
    assert outcome.status == "done", outcome.message
    return outcome.message


def test_only_what_changed_is_read(folder: Path, shop: Shop, database: Database) -> None:
    shop.run(FILL)
    assert run(folder).startswith("1,000 rows, table made")
    assert run(folder).startswith("0 rows, none of 10 blocks changed")

    shop.run("update item set name = 'new' where id = 555")
    assert run(folder).startswith(
        "100 rows, 0 inserted, 1 updated, 0 deleted, 99 unchanged, 1 ranges of 10 blocks read"
    )
    shop.run("delete from item where id in (1, 2, 1000)")
    shop.run("insert into item values (-5, 'first', 1), (2000, 'last', 2)")
    message = run(folder)
    assert ", 2 inserted, 0 updated, 3 deleted, " in message
    assert message.count("2 ranges of 10 blocks read") == 1

    found = target(database, "select count(*), sum(id), min(name) from staging.item")
    cursor = shop.session.cursor()
    cursor.execute("select count(*), sum(id), min(name) from item")
    assert [tuple(map(str, found[0]))] == [tuple(map(str, cursor.fetchone()))]
    assert run(folder).startswith("0 rows, none of 10 blocks changed")


def test_blocks_that_grow_are_cut(folder: Path, shop: Shop, database: Database) -> None:
    shop.run(FILL)
    run(folder)
    shop.run("insert into item select 1000 + n, 'more', 0 from numbers where n <= 450")
    assert "450 inserted" in run(folder)
    assert target(database, "select count(*), max(rows) <= 200 from meta.block") == [(15, True)]
    assert run(folder).startswith("0 rows, none of 15 blocks changed")
    shop.run("delete from item")
    assert "1450 deleted" in run(folder).replace(",", "").replace("1 450", "1450")
    assert target(database, "select count(*) from staging.item") == [(0,)]


def test_an_empty_source_is_one_block(folder: Path, shop: Shop, database: Database) -> None:
    run(folder)
    assert run(folder).startswith("0 rows, none of 1 blocks changed")
    shop.run("insert into item values (1, 'a', 1)")
    assert "1 inserted" in run(folder)


def test_a_change_of_the_last_digit_is_seen(folder: Path, shop: Shop, database: Database) -> None:
    shop.run("insert into item values (1, 'a', 1.0001), (2, null, null), (3, '', 0)")
    run(folder)
    shop.run("update item set price = 1.0002 where id = 1")
    assert "1 updated" in run(folder)
    shop.run("update item set name = '' where id = 2")
    assert "1 updated" in run(folder)
    assert target(database, "select id, name, price::text from staging.item order by id") == [
        (1, "a", target(database, "select price::text from staging.item where id = 1")[0][0]),
        (2, "", None),
        (3, "", target(database, "select price::text from staging.item where id = 3")[0][0]),
    ]


def test_rejected_rows_of_blocks_that_are_not_read_stay(
    task: OneTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "SIZE", 3)
    shop = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    shop.execute("create table item (id integer primary key, n integer)")
    shop.executemany("insert into item values (?, ?)", [(n, n) for n in range(1, 31)])
    shop.execute("update item set n = 'bad' where id in (2, 15, 29)")
    action = """
        do: database
        query: extract.sql
        load: snapshot
        key: [id]
        changes: blocks
        on_bad_value: reject
        """
    task.has(f"url: sqlite:///{tmp_path}/shop.db", action, {"extract.sql": "select * from item"})
    task.make_table("id bigint, n bigint")
    task.run()
    rejected = "select (record ->> 'id')::int from staging.thing__rejected order by 1"
    assert task.rows(rejected) == [(2,), (15,), (29,)]
    shop.execute("update item set n = 100 where id in (15, 28)")
    task.run()
    assert task.rows(rejected) == [(2,), (29,)]
    assert task.rows("select count(*) from staging.thing") == [(28,)]
    shop.close()


@pytest.mark.parametrize("reader", ["native", "generic"])
def test_a_table_of_more_columns_than_a_function_takes(
    task: OneTask, tmp_path: Path, reader: str
) -> None:
    names = [f"c{number}" for number in range(1500)]
    with sqlite3.connect(tmp_path / "shop.db", isolation_level=None) as shop:
        shop.execute(f"create table item (id integer primary key, {', '.join(names)})")
        shop.execute("insert into item (id, c1498, c1499) values (1, 1498, 1)")
        options = "do: database, query: q.sql, load: snapshot, key: [id], changes: blocks"
        options += f", reader: {reader}"
        files = {"q.sql": "select * from item"}
        task.has(f"url: sqlite:///{tmp_path}/shop.db", f"{{{options}}}", files)
        assert task.run().startswith("1 row, table made")
        assert task.run().startswith("0 rows, none of 1 blocks changed")
        shop.execute("update item set c1499 = 0")
        assert "1 updated" in task.run()
    assert task.rows("select c1498, c1499 from staging.thing") == [(1498, 0)]


CHANGES = {
    "postgresql": {
        "v numeric": ("1.00", "1.000"), "v float8": ("'-0'", "0"), "v point": ("'1,2'", "'1,3'"),
        "v staging.pair": ("row(1.0)::staging.pair", "row(1.00)::staging.pair"),

    },
    "mysql": {"v float": ("16777215", "16777216"), "v double": ("0.1", "0.10000000000000002")},
    "sqlite": {"v real": ("0.1", "0.10000000000000002")},
    "duckdb": {"v double": ("0.1", "0.10000000000000002"),
               "v varchar collate nocase": ("'a'", "'A'"),
               "v varchar[]": ("['a, b']", "['a', 'b']"), "v blob": ("'a'", "'\\x00a'")},
}  # fmt: skip


def test_a_change_that_the_source_takes_for_none_is_seen(
    folder: Path, shop: Shop, database: Database
) -> None:
    if shop.kind == "postgresql":
        shop.run("create schema staging")
        shop.run("create type staging.pair as (a numeric)")
    for declared, (before, after) in CHANGES[shop.kind].items():
        shop.run("drop table item")
        shop.run(f"create table item (id int primary key, {declared})")
        shop.run(f"insert into item values (1, {before})")
        with database.connect() as session, session.cursor() as cursor:
            cursor.execute("create schema if not exists staging")
            cursor.execute("drop table if exists staging.item")
            cursor.execute("create table staging.item (id int primary key, v text)")
        run(folder)
        shop.run(f"update item set v = {after}")
        assert "1 updated" in run(folder), declared


def test_a_key_that_others_order_otherwise_is_reported(folder: Path, shop: Shop) -> None:
    keys = {
        "postgresql": "int4send(id)",
        "sqlite": "cast(id as blob)",
        "mysql": "sec_to_time(id)",
        "duckdb": "to_days(id)",
    }
    query = folder / "routes/shop/staging/item/extract.sql"
    query.write_text(f"select {keys[shop.kind]} as id, name from item")
    shop.run(FILL)
    outcome = run_task(folder, TASK)
    assert "key whose first column (id) is a number, a date or a timestamp" in outcome.message


def test_a_key_that_many_rows_share_is_cut_once(
    folder: Path, shop: Shop, database: Database
) -> None:
    task = folder / "routes/shop/staging/item/task.yaml"
    task.write_text(task.read_text().replace("key: [id]", "key: [tenant, id]"))
    query = folder / "routes/shop/staging/item/extract.sql"
    query.write_text("select 1 as tenant, id, name from item")
    shop.run(FILL)
    for _ in range(2):
        run(folder)
        assert target(database, "select low, rows from meta.block order by number") == [
            (None, 0),
            ("1", 1000),
        ]
    assert run(folder).startswith("0 rows, none of 2 blocks changed")


def test_blocks_of_another_key_or_of_an_emptied_table_are_of_no_use(
    folder: Path, shop: Shop, database: Database
) -> None:
    query = folder / "routes/shop/staging/item/extract.sql"
    query.write_text("select id, price, name from item")
    shop.run(FILL)
    run(folder)
    task = folder / "routes/shop/staging/item/task.yaml"
    task.write_text(task.read_text().replace("key: [id]", "key: [price]"))
    assert run(folder).startswith("1,000 rows, 0 inserted, 0 updated, 0 deleted")
    assert run(folder).startswith("0 rows, none of")
    with database.connect() as session:
        session.cursor().execute("truncate staging.item")
    assert run(folder).startswith("1,000 rows, 1,000 inserted")


def test_what_the_same_values_become_in_the_table_is_a_change(
    folder: Path, shop: Shop, database: Database
) -> None:
    task = folder / "routes/shop/staging/item/task.yaml"
    task.write_text(task.read_text() + "    schema_change: {added: ignore}\n")
    shop.run("insert into item values (1, 'a', 1)")
    run(folder)
    shop.run("alter table item rename column name to title")
    assert "the new column title is left out, the column name is no longer" in run(folder)
    assert run(folder).startswith("0 rows, none of 1 blocks changed")
    task.write_text(task.read_text().replace("added: ignore", "added: add"))
    assert "1 updated, 0 deleted, 0 unchanged, the new column title" in run(folder)
    assert target(database, "select name, title from staging.item") == [("a", "a")]
    assert run(folder).startswith("0 rows, none of 1 blocks changed")


def test_rows_that_were_rejected_come_with_another_policy(task: OneTask, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db", isolation_level=None) as shop:
        shop.execute("create table item (id integer primary key, n integer)")
        shop.execute("insert into item values (1, 1)")
        for policy, rows in (("reject", [(1, 1)]), ("'null'", [(1, 1), (2, None)])):
            options = f"load: snapshot, key: [id], changes: blocks, on_bad_value: {policy}"
            files = {"q.sql": "select * from item"}
            url = f"url: sqlite:///{tmp_path}/shop.db"
            task.has(url, f"{{do: database, query: q.sql, {options}}}", files)
            task.run()
            shop.execute("insert or ignore into item values (2, 'bad')")
            task.run()
            assert task.rows() == rows
            assert task.run().startswith("0 rows, none of 1 blocks changed")


def test_a_row_without_a_key_that_comes_later_is_reported(folder: Path, shop: Shop) -> None:
    (folder / "routes/shop/staging/item/extract.sql").write_text(
        "select case when name = 'none' then null else id end as id, price from item"
    )
    shop.run(FILL)
    run(folder)
    shop.run("update item set name = 'none' where id = 500")
    outcome = run_task(folder, TASK)
    assert outcome.status == "waiting"  # for its next try
    assert " without a value" in outcome.message or " no value in the key (id)" in outcome.message


@pytest.mark.parametrize("reader", ["native", "generic"])
def test_a_text_that_is_not_utf8_is_hashed_too(task: OneTask, tmp_path: Path, reader: str) -> None:
    options = "load: snapshot, key: [id], changes: blocks, on_bad_value: 'null'"
    files = {"q.sql": "select * from item"}
    url = f"url: sqlite:///{tmp_path}/shop.db"
    task.has(url, f"{{do: database, query: q.sql, reader: {reader}, {options}}}", files)
    with sqlite3.connect(tmp_path / "shop.db", isolation_level=None) as shop:
        shop.execute("create table item (id integer primary key, v text)")
        shop.execute("insert into item values (1, 'a'), (2, cast(x'61ff' as text)), (3, 'x')")
        task.run()
        assert task.run().startswith("0 rows, none of 1 blocks changed")
        for value in ("'b'", "cast(x'62' as blob)", "hex('b')"):
            shop.execute(f"update item set v = {value} where id = 1")
            assert "1 updated" in task.run(), value
    assert task.rows() == [(1, "62"), (2, None), (3, "x")]


def test_a_row_that_mariadb_cannot_hash_is_read_each_time(task: OneTask, mariadb: MariaDB) -> None:
    with closing(mariadb.connect()) as session, session.cursor() as cursor:
        cursor.execute("create or replace database blocks")
        cursor.execute("create table blocks.item (id int primary key, a longtext, b longtext)")
        cursor.execute("insert into blocks.item values (1, repeat('x', 9e6), repeat('x', 9e6))")
        session.commit()
        options = "load: snapshot, key: [id], changes: blocks, reader: generic"
        files = {"q.sql": "select * from item"}
        task.has(
            f"url: {mariadb.url('blocks')}", f"{{do: database, query: q.sql, {options}}}", files
        )
        task.run()
        cursor.execute("update blocks.item set a = repeat('z', 9e6)")
        session.commit()
    assert "1 updated" in task.run()
