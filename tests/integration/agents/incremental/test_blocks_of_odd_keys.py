"""`changes: blocks` where a key has another order in the table than in the source: it is refused.

Else rows that did not change would be deleted, since they lie in another block there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dapu.sources.databases.blocks import hashes
from tests.conftest import Database
from tests.services.mariadb import MariaDB
from tests.support.one_task import OneTask
from tests.support.shops import IN_BLOCKS, Shop

REFUSED = "`changes: blocks` needs a key whose first column (k) is a number"


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "SIZE", 10)


@pytest.fixture
def lite(task: OneTask, tmp_path: Path) -> Iterable[sqlite3.Connection]:
    """A SQLite database whose table `thing (k, v)` is read."""
    task.has(f"url: sqlite:///{tmp_path}/shop.db", IN_BLOCKS, {"q.sql": "select * from thing"})
    with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as session:
        yield session


def fill(lite: sqlite3.Connection, keys: Iterable[Any], declared: str = "k") -> None:
    lite.execute(f"create table thing ({declared}, v)")
    lite.executemany("insert into thing values (?, 0)", [(key,) for key in keys])


def test_integers_among_texts_of_sqlite_are_texts(task: OneTask, lite: sqlite3.Connection) -> None:
    fill(lite, [*range(40), "x"], "k integer")
    task.run()
    assert task.run().startswith("0 rows, none of 5 blocks changed")
    lite.execute("update thing set v = 1 where k = 7")
    assert ", 0 inserted, 1 updated, 0 deleted, " in task.run()
    assert task.rows("select k from staging.thing where v = 1") == [("7",)]


def test_integers_that_become_texts(task: OneTask, lite: sqlite3.Connection) -> None:
    task.make_table("k text primary key, v bigint")
    fill(lite, range(40), "k integer primary key")
    task.run()
    assert task.run().startswith("0 rows, none of 4 blocks changed")
    lite.execute("delete from thing where k in (9, 10)")
    assert ", 0 inserted, 0 updated, 2 deleted, " in task.run()


def test_a_number_written_as_text_is_reported(task: OneTask, lite: sqlite3.Connection) -> None:
    """SQLite has it after all numbers, the table among them; it may come later."""
    task.make_table("k bigint primary key, v bigint")
    fill(lite, range(40))
    task.run()
    lite.execute("update thing set k = '8' where k = 8")
    assert REFUSED in task.fails()


@pytest.mark.parametrize("odd", [1e17, b"blob"])
def test_what_has_another_text_in_the_table_is_reported(
    task: OneTask, lite: sqlite3.Connection, odd: object
) -> None:
    fill(lite, [f"x{n}" for n in range(40)])
    task.run()
    lite.execute("insert into thing values (?, 0)", [odd])
    kind = "real" if isinstance(odd, float) else "blob"
    assert f"has values that `changes: blocks` cannot order: {kind}; " in task.fails()


def test_texts_in_utf_16_are_reported(task: OneTask, lite: sqlite3.Connection) -> None:
    lite.execute("pragma encoding = 'UTF-16'")
    fill(lite, [f"x{n}" for n in range(40)])
    assert "cannot order: UTF-16; SQLite's texts must be UTF-8" in task.fails()


def test_more_ranges_than_sqlite_has_depth(
    task: OneTask, lite: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "SIZE", 1)
    fill(lite, range(2200), "k integer primary key")
    task.run()
    lite.execute("update thing set v = 1 where k % 2 = 0")
    assert "1,100 updated" in task.run()
    assert task.rows("select count(*), sum(v)::int from staging.thing") == [(2200, 1100)]


@pytest.mark.parametrize(
    ("source", "table"),
    [("int", "text"), ("date", "text"), ("real", "double precision"), ("char(9)", "text"),
     ("varchar(9)", "char(20)")],
)  # fmt: skip
def test_a_key_of_another_kind_in_the_table_is_reported(
    task: OneTask, tmp_path: Path, database: Database, source: str, table: str
) -> None:
    shop = Shop("postgresql", tmp_path, database, None)
    value = "date '2024-01-01' + n" if source == "date" else "n"
    shop.run(f"create table thing as select ({value})::{source} as k from numbers where n < 40")
    shop.session.close()
    task.make_table(f"k {table} primary key")
    task.has(f"url: {shop.url}", IN_BLOCKS, {"q.sql": "select * from thing"})
    assert REFUSED in task.fails()


@pytest.fixture
def maria(task: OneTask, mariadb: MariaDB) -> Iterable[Any]:
    with closing(mariadb.connect()) as session, session.cursor() as cursor:
        session.autocommit(True)
        cursor.execute("create or replace database blocks")
        cursor.execute("use blocks")
        task.has(f"url: {mariadb.url('blocks')}", IN_BLOCKS, {"q.sql": "select * from thing"})
        yield cursor


def test_a_nul_character_in_a_key_is_reported(task: OneTask, maria: Any) -> None:
    maria.execute("create table thing (k varchar(9) primary key)")
    maria.executemany("insert into thing values (%s)", [(f"x\0{n}",) for n in range(40)])
    assert r"text with a NUL character: b'x\x0018'" in task.fails()


def test_a_blank_at_the_end_that_the_table_does_not_keep_is_reported(
    task: OneTask, maria: Any
) -> None:
    maria.execute("create table thing (k varchar(9))")
    maria.executemany("insert into thing values (%s)", [(f"x{n} ",) for n in range(40)])
    task.make_table("k char(20) primary key")
    assert REFUSED in task.fails()


def test_columns_of_several_character_sets(task: OneTask, maria: Any) -> None:
    maria.execute(
        "create table thing (k varchar(9) character set utf16, a varchar(9) character set latin1, "
        "b varchar(9) character set utf8mb4)"
    )
    maria.executemany("insert into thing values (%s, 'é', 'ж')", [(f"x{n}",) for n in range(40)])
    task.run()
    assert task.run().startswith("0 rows, none of 4 blocks changed")
    maria.execute("update thing set b = 'я' where k = 'x7'")
    assert "1 updated" in task.run()
