"""`changes: blocks` where the key is a text or a uuid: each database has an order of its own."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from dapu.sources.databases.blocks import hashes
from tests.conftest import Database
from tests.support.one_task import OneTask
from tests.support.shops import IN_BLOCKS, Shop

# What collations put in another order than bytes do, pad with spaces, or take for the same.
ODD = ["", " ", "a", "A", "a ", "a\t", "a\n", "ä", "Ä", "b", "B", "é", "z", "Z", "~", "_x", "-1",
       "10", "9", "010", "it's", "back\\slash", '"', "%s", ":p1", "?", "{k}", "ß", "ss",
       "\uffee", "\U0001f600", "\U00010000"]  # fmt: skip
TYPES = {
    "postgresql": "varchar(60)",
    "mysql": "varchar(60) character set utf8mb4 collate utf8mb4_general_ci",
    "sqlite": "text collate nocase",
    "duckdb": "varchar collate nocase",
}


@pytest.fixture(params=["postgresql", "sqlite", "mysql", "duckdb"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, database: Database) -> Any:
    shop = Shop(request.param, tmp_path, database, request)
    yield shop
    shop.session.close()


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "SIZE", 10)


def has_texts(shop: Shop, task: OneTask) -> None:
    """A source's table whose key is a text, and the task that reads it."""
    shop.run(f"create table thing (k {TYPES[shop.kind]}, v varchar(40))")
    task.has(f"url: {shop.url}", IN_BLOCKS, {"q.sql": "select * from thing"})


def put(shop: Shop, rows: dict[str, str]) -> None:
    """Makes these the rows of the source's table."""
    mark = "?" if shop.kind in ("sqlite", "duckdb") else "%s"
    shop.run("begin")
    shop.run("delete from thing")
    shop.session.cursor().executemany(
        f"insert into thing values ({mark}, {mark})", list(rows.items())
    )
    shop.run("commit")


def test_texts_in_any_collation(shop: Shop, task: OneTask) -> None:
    """Rows come, go and change at random; afterwards source and table are the same, each time."""
    has_texts(shop, task)
    chance = random.Random(5)
    rows = dict.fromkeys(ODD, "0") | {f"item {n}": "0" for n in range(300)}
    put(shop, rows)
    assert task.run().startswith("332 rows, table made")
    assert task.rows("select count(*) > 20 from meta.block") == [(True,)]
    assert task.run().startswith("0 rows, none of ")
    for number in range(6):
        for key in chance.sample(sorted(rows), 3):
            del rows[key]
        for key in chance.sample(ODD, 2):
            rows[key] = str(number)
        rows[f"item {chance.randrange(400)}"] = str(number)
        put(shop, rows)
        assert "ranges of" in task.run()
        assert dict(task.rows()) == rows
    assert task.run().startswith("0 rows, none of ")


def test_one_change_reads_one_block(shop: Shop, task: OneTask) -> None:
    has_texts(shop, task)
    put(shop, {f"item {n:03}": "0" for n in range(200)})
    task.run()
    shop.run("update thing set v = '1' where k = 'item 055'")
    assert task.run().startswith("10 rows, 0 inserted, 1 updated, 0 deleted, 9 unchanged")
    shop.run("insert into thing values ('item 200', 'new')")
    assert task.run().startswith("11 rows, 1 inserted, 0 updated, 0 deleted, 10 unchanged")


@pytest.mark.parametrize("shop", ["postgresql", "mysql"], indirect=True)
def test_uuids(shop: Shop, task: OneTask) -> None:
    shop.run("create table thing (k uuid primary key, v varchar(40))")
    task.has(f"url: {shop.url}", IN_BLOCKS, {"q.sql": "select * from thing"})
    chance = random.Random(7)
    keys = [str(UUID(int=chance.getrandbits(128), version=4)) for _ in range(200)]
    put(shop, dict.fromkeys(keys, "0"))
    task.run()
    assert task.types()["k"] == "uuid"
    shop.run(f"update thing set v = '1' where k = '{keys[5]}'")
    shop.run(f"delete from thing where k = '{keys[9]}'")
    assert ", 0 inserted, 1 updated, 1 deleted, " in task.run()
    left = {key: "1" if key == keys[5] else "0" for key in keys if key != keys[9]}
    assert dict(task.rows("select k::text, v from staging.thing")) == left


def test_a_key_that_is_not_text_in_the_table_is_reported(shop: Shop, task: OneTask) -> None:
    """There 010 and 10 are one, and 9 comes before 10."""
    shop.run(f"create table thing (k {TYPES[shop.kind]}, v varchar(40))")
    task.make_table("k bigint primary key, v text")
    task.has(f"url: {shop.url}", IN_BLOCKS, {"q.sql": "select * from thing"})
    put(shop, {str(n): "0" for n in range(100)})
    assert "it may be a text or a uuid, if it is one in the table too" in task.fails()


def test_a_text_that_loses_characters_is_reported(shop: Shop, task: OneTask) -> None:
    """It would have another place among the rows of the table than among those of the source."""
    shop.run(f"create table thing (k {TYPES[shop.kind]}, v varchar(40))")
    action = IN_BLOCKS + "nul_characters: remove\n"
    task.has(f"url: {shop.url}", action, {"q.sql": "select * from thing"})
    put(shop, {f"item {n:03}": "0" for n in range(100)})
    assert "needs a key whose first column (k) is a number" in task.fails()


def test_a_row_without_a_key_is_reported(shop: Shop, task: OneTask) -> None:
    has_texts(shop, task)
    put(shop, {f"item {n:03}": "0" for n in range(100)})
    task.run()
    shop.run("insert into thing values (null, 'new')")
    assert "the key column k has rows without a value" in task.fails()


@pytest.mark.parametrize("shop", ["sqlite"], indirect=True)
def test_numbers_without_a_type_are_no_texts(shop: Shop, task: OneTask) -> None:
    """An expression of SQLite has no type of its own: its values have."""
    shop.run("create table thing (k integer, v varchar(40))")
    task.has(f"url: {shop.url}", IN_BLOCKS, {"q.sql": "select k + 0 as k, v from thing"})
    put(shop, {str(n): "0" for n in range(100)})
    task.run()
    assert task.run().startswith("0 rows, none of 10 blocks changed")
    assert task.rows("select distinct kind from meta.block where low is not null") == [("integer",)]
    shop.run("update thing set v = '1' where k = 55")
    assert task.run().startswith("10 rows, 0 inserted, 1 updated, 0 deleted, 9 unchanged")
