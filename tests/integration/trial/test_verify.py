"""`dapu verify`: that source and table hold the same rows, and which ones do not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dapu.sources.databases.blocks import hashes
from dapu.trial import verify_blocks
from dapu.trial.verified import Verified, verify_and_keep
from dapu.trial.verify_rows import samples_of
from dapu.warehouse.warehouse import open_warehouse
from tests.conftest import Database
from tests.services.mariadb import MariaDB
from tests.support.one_task import TASK, OneTask
from tests.support.shops import Shop

ACTION = """
    do: database
    query: q.sql
    load: merge
    key: [id]
    """


def verified(task: OneTask) -> Verified:
    return verify_and_keep(open_warehouse(task.folder), TASK, 5)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "SIZE", 100)
    monkeypatch.setattr(verify_blocks, "_SMALL", 10)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", ["postgresql", "sqlite", "mysql", "duckdb"])
def test_only_the_rows_around_a_difference_are_read(
    kind: str, task: OneTask, tmp_path: Path, database: Database, request: pytest.FixtureRequest
) -> None:
    shop = Shop(kind, tmp_path, database, request)
    shop.run("insert into item select n, 'item ' || n, n / 8.0 from numbers where n <= 1000")
    shop.run("update item set name = null where id = 3")
    shop.run("update item set name = '1|2:3' where id = 4")
    task.has(f"url: {shop.url}", ACTION, {"q.sql": "select id, name, price from item"})
    task.run()

    same = verified(task)
    assert (same.row.verdict, same.row.table_rows, same.row.source_rows) == ("same", 1000, 1000)
    assert (same.row.blocks, same.row.rows_read) == (10, 0)

    task.execute("delete from staging.thing where id = 500")
    task.execute("update staging.thing set name = 'other', price = 0.125 where id = 777")
    shop.run("delete from item where id = 20")
    found = verified(task)
    row = found.row
    assert (row.verdict, row.missing, row.extra, row.differing) == ("different", 1, 1, 1)
    assert row.columns == ["name", "price"]
    assert row.rows_read in range(1, 31)
    assert found.found
    (updated,) = samples_of(found.found.differences, "updated")
    assert updated["key"] == {"id": "777"}
    assert updated["columns"]["name"] == {"source": "item 777", "table": "other"}
    assert samples_of(found.found.differences, "inserted") == [{"key": {"id": "500"}}]
    assert samples_of(found.found.differences, "deleted") == [{"key": {"id": "20"}}]
    assert task.rows("select verdict, missing, is_definition_of_now from meta.verified") == [
        ("different", 1, True)
    ]
    shop.session.close()


@pytest.mark.usefixtures("small_blocks")
def test_each_kind_of_value_is_written_alike(task: OneTask, mariadb: MariaDB) -> None:
    """Else rows would be read whose hashes are of the same values."""
    with closing(mariadb.connect()) as session:
        session.cursor().execute("create or replace database verify")
    session = mariadb.connect("verify")
    run = session.cursor().execute
    run(
        "create table thing (id varchar(20) primary key, big bigint unsigned, "
        "exact decimal(12,3), half double, flag boolean, day date, moment datetime(6), "
        "stamp timestamp(3) null, length time(2), data varbinary(20), doc json, "
        "kind enum('a', 'b'), guid uuid)"
    )
    run(
        "insert into thing select concat('\u00e9', seq), seq * 1000000007, seq / 8, "
        "seq / 7, seq % 2, '2024-02-29', "
        "date_add('2024-01-01', interval seq * 500500 microsecond), "
        "'2024-03-31 02:30:00', '-100:00:01.5', unhex('00ff7c'), "
        "'{\"a\": [1, 2]}', 'b', '123e4567-e89b-12d3-a456-426614174000' from seq_1_to_300"
    )
    run("insert into thing (id, data) values ('none', ''), ('|', null)")
    session.commit()
    task.has(f"url: {mariadb.url('verify')}", ACTION, {"q.sql": "select * from thing"})
    task.run()
    found = verified(task)
    assert (found.row.verdict, found.row.blocks, found.row.rows_read) == ("same", 4, 0)
    task.execute("update staging.thing set data = '' where id = '|'")
    found = verified(task)
    assert (found.row.differing, found.row.columns) == (1, ["data"])
    session.close()


def test_rows_that_the_next_run_reads_are_no_difference(task: OneTask, tmp_path: Path) -> None:
    """By the watermark; what it does not reach is one. A history is compared by what holds now."""
    shop = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    shop.execute("create table item (id integer primary key, n text, at text)")
    shop.executemany(
        "insert into item values (?, ?, ?)", [(n, f"n{n}", f"2024-01-{n:02}") for n in range(1, 20)]
    )
    action = """
        do: database
        query: q.sql
        load: history
        key: [id]
        watermark: {column: at}
        """
    task.has(f"url: sqlite:///{tmp_path}/shop.db", action, {"q.sql": "select * from item"})
    task.run()
    shop.execute("update item set n = 'new', at = '2024-02-01' where id = 3")
    task.run()
    shop.execute("update item set n = 'newer', at = '2024-02-02' where id = 4")
    shop.execute("insert into item values (50, 'more', '2024-02-03')")
    row = verified(task).row
    assert (row.verdict, row.pending, row.read_to) == ("same", 2, "at 2024-02-01")
    assert row.not_compared == ["valid_from", "valid_to", "is_current", "began_by", "ended_by"]
    shop.execute("update item set n = 'unseen' where id = 5")
    row = verified(task).row
    assert (row.verdict, row.pending, row.differing, row.columns) == ("different", 2, 1, ["n"])
    shop.close()


@pytest.mark.parametrize(
    ("keys", "verdict", "why"),
    [
        ("load: append\n", "refused", "without a `watermark` adds"),
        ("load: replace\n", "refused", "give the action a `key`"),
        ("load: merge\nkey: [id]\nhash: [n]\n", "same", "hashed or masked"),
        ("load: snapshot\nkey: [id]\ndeletes: soft\n", "same", None),
    ],
)
def test_what_cannot_be_compared_by_hashes(
    task: OneTask, tmp_path: Path, keys: str, verdict: str, why: str | None
) -> None:
    """Rows are read where only dapu can make the values; what is not exact is refused."""
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("create table item (id integer, n text)")
        shop.execute("insert into item values (1, 'a'), (2, 'b')")
    task.has(
        f"url: sqlite:///{tmp_path}/shop.db",
        f"do: database\nquery: q.sql\n{keys}",
        {"q.sql": "select * from item", "../../../../warehouse.yaml": "hash_key: 0123456789abcdef"},
    )
    task.run()
    if "soft" in keys:
        with sqlite3.connect(tmp_path / "shop.db") as shop:
            shop.execute("delete from item where id = 2")
        task.run()
    found = verified(task)
    assert found.row.verdict == verdict
    reason = found.found.why_every_row if found.found else found.row.message
    assert reason == why or (reason and why and why in reason)
    shop.close()


def test_texts_of_the_same_look_are_not_taken_for_the_same(
    task: OneTask, tmp_path: Path, database: Database, request: pytest.FixtureRequest
) -> None:
    """Blanks that a cast leaves out, and a number's text that is not the one which was loaded."""
    shop = Shop("postgresql", tmp_path, database, request)
    shop.run("create table padded as select 1 as id, 'ab'::char(5) as c, 1.50::real as r")
    task.has(f"url: {shop.url}", ACTION, {"q.sql": "select * from padded"})
    task.make_table("id int primary key, c text, r text")
    task.run()
    assert verified(task).row.verdict == "same"
    task.execute("update staging.thing set c = rtrim(c)")
    row = verified(task).row
    assert row.columns == ["c"], row.message
    shop.session.close()
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("create table item (id integer, n)")
        other.execute("insert into item values (1, 2.0)")
    task.has(f"url: sqlite:///{tmp_path}/other.db", ACTION, {"q.sql": "select * from item"})
    task.execute("drop table staging.thing; create table staging.thing (id bigint, n text)")
    task.run(full=True)
    assert verified(task).row.verdict == "same"
    task.execute("update staging.thing set n = '2'")
    assert verified(task).row.columns == ["n"]
    other.close()


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("duckdb", "timestamp '9990-01-01' + to_months(n)"),  # Python has no year 10000
        ("duckdb", "to_hours(n)"),
        ("duckdb", "date '0010-01-01' - to_days(n * 30)::interval"),
        ("sqlite", "case when n > 700 then 'text ' || n else n + 0.5 end"),
        ("postgresql", "timestamp '9990-01-01' + n * interval '1 month'"),
        ("postgresql", "time '00:00' + n * interval '1 second'"),
    ],
)
def test_keys_at_which_no_block_can_begin(
    kind: str, key: str, task: OneTask, tmp_path: Path, database: Database,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    """Every row is read then, and what differs is found as well."""
    shop = Shop(kind, tmp_path, database, request)
    query = f"select {key} as id, n from numbers where n <= 1000"
    task.has(f"url: {shop.url}", ACTION, {"q.sql": query})
    task.run()
    task.execute("update staging.thing set n = 0 where n = 800")
    found = verified(task)
    assert (found.row.verdict, found.row.differing, found.row.rows_read) == ("different", 1, 1000)
    assert found.found
    assert found.found.why_every_row
    assert found.row.blocks is None
    shop.session.close()
