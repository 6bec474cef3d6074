"""What the source no longer has is looked for by its keys alone, from time to time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeWarehouse
from tests.support.one_task import OneTask
from tests.support.rounds import run_task
from tests.support.sales import TASK, make, run


@pytest.mark.parametrize("mark", [False, True])
def test_what_the_source_no_longer_has_is_looked_for_from_time_to_time(
    make_warehouse: MakeWarehouse, source: Any, mark: bool
) -> None:
    sweep = f"deletes: {{every: 1 day, mark: {str(mark).lower()}}}"
    options = f"load: merge\n    key: [id]\n    watermark: {{column: at}}\n    {sweep}"
    folder = make(make_warehouse, options)
    source("insert into shop.sale select n, date '2024-01-01' + n, n from generate_series(1, 9) n")
    run(folder)
    source("delete from shop.sale where id in (2, 3)")
    run(folder)
    assert source("select count(*) from staging.sale") == [(9,)], "it is not time to look yet"
    source("delete from meta.seen")
    assert f"2 that the source no longer has {'marked' if mark else 'deleted'}" in (
        run(folder).message
    )
    if mark:
        marked = "select id from staging.sale where _deleted_at is not null order by id"
        assert source(marked) == [(2,), (3,)]
        source("insert into shop.sale values (3, '2025-01-01', 3)")
        run(folder)
        assert source(marked) == [(2,)], "a row that is back loses its mark"
        source("insert into shop.sale values (2, '2024-01-03', 2); delete from meta.seen")
        assert "1 that it has again no longer marked" in run(folder).message
        assert source(marked) == [], "also one that the watermark does not see"
    source("truncate shop.sale; delete from meta.seen")
    assert "the source gives no key at all" in run_task(folder, TASK).message


SWEEP = "load: merge\n    key: [id, at]\n    deletes: {every: 1 day}"


def test_keys_are_looked_for_in_the_types_of_the_table(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    folder = make(make_warehouse, SWEEP)
    source("create schema staging")
    source("create table staging.sale (id bigint, at timestamp, amount text)")
    source("insert into shop.sale select n, date '2024-01-01' + n, n from generate_series(1, 3) n")
    run(folder)
    source("delete from shop.sale where id = 2; delete from meta.seen")
    assert "1 that the source no longer has deleted" in run(folder).message
    assert source("select id from staging.sale order by id") == [(1,), (3,)]


def test_no_key_is_missing_in_a_table_without_rows(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    folder = make(make_warehouse, SWEEP)
    for _ in range(2):
        assert "0 that the source no longer has deleted" in run(folder).message
        source("delete from meta.seen")


def test_keys_of_a_query_that_asks_for_the_watermark_are_those_since_initial(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    options = f"{SWEEP}\n    watermark: {{column: id, initial: 2}}"
    folder = make(make_warehouse, options, "select * from shop.sale where id >= {{ watermark }}")
    source("insert into shop.sale select n, '2024-01-01', n from generate_series(1, 4) n")
    run(folder)
    source("delete from shop.sale where id = 3; delete from meta.seen")
    run(folder)
    assert source("select id from staging.sale order by id") == [(2,), (4,)]


def test_keys_that_the_load_rejected_are_none(make_warehouse: MakeWarehouse, source: Any) -> None:
    query = "select case id when 8 then 'x' when 9 then null else id::text end as id, at, amount"
    options = f"{SWEEP.replace('[id, at]', '[id]')}\n    on_bad_value: reject"
    folder = make(make_warehouse, options, f"{query} from shop.sale")
    source("create schema staging")
    source("create table staging.sale (id bigint primary key, at timestamp, amount numeric)")
    source("insert into shop.sale select n, date '2024-01-01' + n, n from generate_series(6, 9) n")
    assert "2 rows rejected" in run(folder).message
    source("delete from shop.sale where id = 6; delete from meta.seen")
    assert "1 that the source no longer has deleted" in run(folder).message
    assert source("select id from staging.sale") == [(7,)]
    assert source("select count(*) from staging.sale__rejected") == [(2,)], "each of them once"


def test_keys_go_through_the_policies_of_the_load(task: OneTask, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as session, session:
        session.execute("create table t (id text, n integer)")
        session.executemany("insert into t values (?, ?)", [("a\0", 1), ("b", 2)])
    action = "do: database\nquery: extract.sql\nload: merge\nkey: [id]\ndeletes: {every: 1 day}"
    files = {"extract.sql": "select * from t"}
    task.has(f"url: sqlite:///{tmp_path}/shop.db", f"{action}\nnul_characters: remove", files)
    assert "0 that the source no longer has deleted" in task.run()
    assert task.rows() == [("a", 1), ("b", 2)]
