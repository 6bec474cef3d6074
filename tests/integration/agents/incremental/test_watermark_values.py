"""Values that a watermark can have: in the order, and of the kinds, of the source."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import MakeWarehouse
from tests.services.mariadb import MariaDB
from tests.support.one_task import OneTask
from tests.support.rounds import run_task
from tests.support.sales import TASK, make, run


class Lite:
    """A SQLite source with one table, and the task that reads it."""

    def __init__(self, task: OneTask, folder: Path, table: str, options: str, query: str) -> None:
        self.session = sqlite3.connect(folder / "shop.db", isolation_level=None)
        self.session.execute(f"create table t ({table})")
        self.task = task
        action = f"do: database\nquery: extract.sql\nload: append\nwatermark: {options}"
        task.has(f"url: sqlite:///{folder}/shop.db", action, {"extract.sql": query})

    def has(self, *rows: tuple[Any, ...]) -> None:
        for row in rows:
            self.session.execute(f"insert into t values ({', '.join('?' * len(row))})", row)


def test_texts_are_in_the_order_of_the_source(task: OneTask, tmp_path: Path) -> None:
    shop = Lite(task, tmp_path, "w text collate nocase", "{column: w}", "select w from t")
    shop.has(("a",), ("b",))
    task.run()
    shop.has(("C",))
    task.run()
    assert task.rows("select value from meta.watermark") == [("C",)]
    assert sorted(task.rows()) == [("C",), ("a",), ("b",)]


def test_values_of_several_kinds_are_reported(task: OneTask, tmp_path: Path) -> None:
    shop = Lite(task, tmp_path, "w", "{column: w}", "select w from t")
    shop.has((5,), (7,))
    task.run()
    shop.has(("2024-01-01",))
    assert "column w has '2024-01-01' and 5" in task.fails()


@pytest.mark.parametrize("initial", ["2024-01-01", "2024-01-01 10:00", "soon"])
def test_an_initial_value_of_another_kind_is_reported(
    task: OneTask, tmp_path: Path, initial: str
) -> None:
    options = f"{{column: w, initial: {initial}}}"
    shop = Lite(task, tmp_path, "w integer", options, "select w from t")
    shop.has((5,), (7,))  # SQLite takes every text for more than every number
    assert f"initial {initial}" in (said := task.fails())
    assert "does not fit the column w, which has values like 7" in said


def test_an_initial_number_is_not_a_time(task: OneTask, mariadb: MariaDB) -> None:
    with closing(mariadb.connect()) as session, session.cursor() as cursor:
        cursor.execute("create or replace database initial")
        cursor.execute("create table initial.t (w datetime)")
        cursor.execute("insert into initial.t values ('2024-01-01')")
    for initial, fits in [("6", False), ("2024-01-01", True)]:
        action = "do: database\nquery: extract.sql\nload: append\n"
        action += f"watermark: {{column: w, initial: {initial}}}"
        task.has(f"url: {mariadb.url('initial')}", action, {"extract.sql": "select w from t"})
        if fits:
            assert task.run().startswith("1 row")
        else:
            assert "initial 6 does not fit the column w, which has" in task.fails()


def test_a_range_before_the_first_run_is_in_the_kind_of_the_source(
    task: OneTask, tmp_path: Path
) -> None:
    shop = Lite(task, tmp_path, "id integer, w", "{column: w}", "select id, w + 0 as w from t")
    shop.has((1, 5), (2, 7), (3, 9))
    assert task.run(backfill={"from": "6", "to": "8"}).startswith("1 row")
    assert task.rows() == [(2, 7)]
    assert task.types() == {"id": "bigint", "w": "bigint"}
    outcome = run_task(task.folder, "source.staging.thing", backfill={"from": "soon", "to": None})
    assert "--from soon: write it like the watermark, 9" in outcome.message
    outcome = run_task(task.folder, "source.staging.thing", backfill={"from": "10", "to": "8"})
    assert "--from 10 is after --to 8" in outcome.message
    assert outcome.status == "failed"  # and does not wait for a try that could not do better


@pytest.mark.parametrize(("kind", "value"), [("numeric", "NaN"), ("real", "Infinity")])
def test_a_value_that_is_the_highest_for_ever_is_refused(
    make_warehouse: MakeWarehouse, source: Any, kind: str, value: str
) -> None:
    folder = make(make_warehouse, "load: append\n    watermark: {column: amount}")
    source(f"alter table shop.sale alter amount type {kind}")
    source("insert into shop.sale values (1, '2024-01-01', 1)")
    run(folder)
    source(f"insert into shop.sale values (2, '2024-01-01', '{value}')")
    message = run_task(folder, TASK).message
    assert "is not a point from which rows can be read on; leave such rows out" in message
    source("update shop.sale set amount = 2 where id = 2")
    run(folder)
    assert source("select id from staging.sale order by id") == [(1,), (2,)]


@pytest.mark.parametrize("reader", ["native", "generic"])
def test_a_lag_counts_from_now_where_the_source_keeps_moments(
    task: OneTask, mariadb: MariaDB, reader: str
) -> None:
    with closing(mariadb.connect()) as session, session.cursor() as cursor:
        for statement in (
            "create or replace database lagging",
            "use lagging",
            "create table t (id int, at timestamp(6) null)",
            "insert into t values (1, now() - interval 2 hour), (2, now() - interval 61 minute), "
            "(3, now() - interval 50 minute), (4, now())",
        ):
            cursor.execute(statement)
        session.commit()
    action = f"""
        do: database
        query: extract.sql
        reader: {reader}
        load: append
        watermark: {{column: at, lag: 1 hour}}
        """
    task.has(f"url: {mariadb.url('lagging')}", action, {"extract.sql": "select * from t"})
    (task.folder / "warehouse.yaml").write_text("timezone: Asia/Tokyo")
    task.run()
    assert task.rows("select id from staging.thing order by 1") == [(1,), (2,)]
    task.run()
    assert task.rows("select id from staging.thing order by 1") == [(1,), (2,)]
    ago = (datetime.now(ZoneInfo("Asia/Tokyo")) - timedelta(minutes=55)).replace(tzinfo=None)
    task.run(backfill={"from": ago.isoformat(), "to": None})
    assert task.rows("select id from staging.thing order by 1") == [(1,), (2,), (3,), (4,)]


def test_rows_of_the_newest_nanosecond_are_read(task: OneTask, tmp_path: Path) -> None:
    """Python's times end at microseconds: the highest value comes shortened."""
    import duckdb

    def shop(statement: str) -> None:
        with closing(duckdb.connect(str(tmp_path / "shop.duckdb"))) as session:
            session.execute(statement)

    shop("create table t (id int, changed timestamp_ns)")
    shop("insert into t values (1, '2024-01-01'), (2, '2024-01-01 00:00:01.123456789')")
    action = """
        do: database
        query: extract.sql
        reader: generic
        load: append
        watermark: {column: changed}
        """
    url = f"url: duckdb:///{tmp_path}/shop.duckdb"
    task.has(url, action, {"extract.sql": "select * from t"})
    task.run()
    assert task.rows("select id from staging.thing order by 1") == [(1,), (2,)]
    shop("insert into t values (3, '2024-01-01 00:00:01.123456999')")
    task.run()
    task.run()
    assert task.rows("select id from staging.thing order by 1") == [(1,), (2,), (3,)]
