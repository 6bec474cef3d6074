"""Reading only what is new: nothing at the boundary is lost or doubled."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import MakeWarehouse
from tests.support.components import manager
from tests.support.rounds import prepare, run_due, run_task
from tests.support.sales import TASK, make, run

APPEND = "load: append\n    watermark: {column: at}"


@pytest.mark.parametrize("query", [
    None,
    "select id, at, amount from shop.sale where {{ watermark }} is null or at > {{ watermark }}",
    "select * from shop.sale where at >= coalesce({{ watermark }}::timestamp, '-infinity')",
])  # fmt: skip
def test_each_source_row_is_there_once(
    make_warehouse: MakeWarehouse, source: Any, query: str | None
) -> None:
    folder = make(make_warehouse, APPEND, query)
    source("insert into shop.sale values (1, '2024-01-01', 1), (2, '2024-01-02', 2)")
    run(folder)
    run(folder)
    assert source("select id from staging.sale order by id") == [(1,), (2,)]
    source("insert into shop.sale values (4, '2024-01-03', 4), (5, '2024-01-03', 5)")
    run(folder)
    assert source("select id from staging.sale order by id") == [(1,), (2,), (4,), (5,)]


def test_a_row_that_comes_late_with_the_last_value_is_not_lost(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    folder = make(make_warehouse, APPEND)
    source("insert into shop.sale values (1, '2024-01-01', 1)")
    run(folder)
    source("insert into shop.sale values (2, '2024-01-01', 2), (3, null, 3)")
    run(folder)
    run(folder)
    assert source("select id from staging.sale order by id") == [(1,), (2,), (3,)]


def test_an_overlap_reads_late_rows_again(make_warehouse: MakeWarehouse, source: Any) -> None:
    folder = make(make_warehouse, "load: append\n    watermark: {column: at, overlap: 2 days}")
    source("insert into shop.sale values (1, '2024-01-01', 1), (2, '2024-01-10', 2)")
    run(folder)
    source("insert into shop.sale values (3, '2024-01-09', 3), (4, '2024-01-02', 4)")
    run(folder)
    assert source("select id from staging.sale order by id") == [(1,), (2,), (3,)]


def test_rows_without_a_value_can_be_left(make_warehouse: MakeWarehouse, source: Any) -> None:
    folder = make(make_warehouse, "load: append\n    watermark: {column: at, nulls: skip}")
    source("insert into shop.sale values (1, '2024-01-01', 1), (2, null, 2)")
    run(folder)
    run(folder)
    assert source("select id from staging.sale") == [(1,)]


def test_what_rows_that_were_read_lack_in_a_new_column_is_reported(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    folder = make(make_warehouse, APPEND, "select * from shop.sale")
    source("insert into shop.sale values (1, '2024-01-01', 1), (2, '2024-01-02', 2)")
    run(folder)
    source("alter table shop.sale add size integer default 7")
    told = run(folder).message
    assert "size (integer) is added, rows that were read before get its values with `dapu" in told
    assert source("select size from staging.sale order by id") == [(None,), (7,)]
    changed = source("select change, job from meta.schema_change")
    assert changed == [("the new column size (integer) is added", 2)]
    run(folder, full=True)
    assert source("select size from staging.sale order by id") == [(7,), (7,)]


def test_the_newest_rows_are_left_for_a_lag(make_warehouse: MakeWarehouse, source: Any) -> None:
    folder = make(make_warehouse, "load: append\n    watermark: {column: id, lag: 10}")
    source("insert into shop.sale select n, '2024-01-01', 1 from generate_series(1, 100) n")
    run(folder)
    assert source("select max(id) from staging.sale") == [(90,)]


def test_full_reads_everything_again(make_warehouse: MakeWarehouse, source: Any) -> None:
    folder = make(make_warehouse, APPEND)
    source("insert into shop.sale values (1, '2024-01-01', 1), (2, '2024-01-02', 2)")
    run(folder)
    source("update shop.sale set amount = 9 where id = 1")
    run(folder)
    assert source("select amount from staging.sale where id = 1") == [(1,)]
    run(folder, full=True)
    assert source("select id, amount from staging.sale order by 1") == [(1, 9), (2, 2)]


def test_merge_reads_changes_and_writes_them_over(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    folder = make(make_warehouse, "load: merge\n    key: [id]\n    watermark: {column: at}")
    source("insert into shop.sale values (1, '2024-01-01', 1), (2, '2024-01-02', 2)")
    run(folder)
    source("update shop.sale set amount = 9, at = '2024-01-05' where id = 1")
    outcome = run(folder)
    assert outcome.message.startswith("2 rows, 0 inserted, 1 updated, 1 unchanged")
    assert source("select id, amount from staging.sale order by 1") == [(1, 9), (2, 2)]


def test_a_watermark_that_is_not_in_the_query_is_reported(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    folder = make(make_warehouse, "load: append\n    watermark: {column: changed}")
    outcome = run_task(folder, TASK)
    assert outcome.status == "failed"
    assert "dapu_query.changed does not exist" in outcome.message


def test_the_watermark_is_not_moved_when_the_load_fails(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    folder = make(make_warehouse, APPEND)
    source("insert into shop.sale values (1, '2024-01-01', 1)")
    run(folder)
    source("alter table staging.sale add check (amount < 5)")
    source("insert into shop.sale values (2, '2024-01-02', 9)")
    assert run_task(folder, TASK).status == "waiting"
    assert source("select value from meta.watermark") == [("2024-01-01T00:00:00",)]
    source("update shop.sale set amount = 2 where id = 2")
    run(folder)
    assert source("select id from staging.sale order by id") == [(1,), (2,)]


def test_a_backfill_reads_a_range_again_and_the_watermark_stays(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    folder = make(make_warehouse, APPEND)
    source("insert into shop.sale select n, date '2024-01-01' + n, n from generate_series(1, 9) n")
    run(folder)
    source("update shop.sale set amount = 100; insert into shop.sale values (50, '2024-01-04', 5)")
    run(folder, backfill={"from": "2024-01-03", "to": "2024-01-05"})
    changed = source("select id from staging.sale where amount = 100 or id = 50 order by id")
    assert changed == [(2,), (3,), (4,), (50,)]
    assert source("select count(*) from staging.sale") == [(10,)]
    assert source("select value from meta.watermark") == [("2024-01-10T00:00:00",)]
    outcome = run_task(folder, TASK, backfill={"from": "soon", "to": None})
    assert "--from soon: write it like the watermark, 2024-01-10T00:00:00" in outcome.message


def test_a_range_takes_nothing_away_from_the_task_s_own_job(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    folder = make(make_warehouse, APPEND)
    source("insert into shop.sale select n, date '2024-01-01' + n, n from generate_series(1, 9) n")
    prepare(folder)
    assert [job for job, _ in manager(folder).queued] == [1]
    source("update meta.agenda set full_load = true")
    run(folder, backfill={"from": "2024-01-03", "to": "2024-01-05"})
    assert source("select id from staging.sale order by id") == [(2,), (3,), (4,)]
    jobs = "select job, status, full_load, backfill is null from meta.agenda order by job"
    assert source(jobs) == [(1, "waiting", True, True), (2, "done", False, False)]
    assert source("select last_job, last_done_at from meta.registry") == [(None, None)]
    assert source("select * from meta.watermark") == []
    run_due(folder)
    assert source("select count(*) from staging.sale") == [(9,)]


def test_a_row_that_gets_a_value_is_not_doubled(make_warehouse: MakeWarehouse, source: Any) -> None:
    folder = make(make_warehouse, APPEND)
    source("insert into shop.sale values (1, '2024-01-01', 1), (2, null, 2), (3, null, 3)")
    run(folder)
    for number in (2, 3):
        source(f"update shop.sale set at = '2024-01-0{number}' where id = {number}")
        run(
            folder, backfill={"from": "2024-01-01", "to": "2024-01-01"}
        )  # reads no row without a value
        assert source("select count(*) from staging.sale") == [(3,)]
        run(folder)
        rows = source("select id, extract(day from at)::int from staging.sale order by id")
        assert rows == [(1, 1), (2, 2), (3, 3 if number == 3 else None)]


@pytest.mark.parametrize(("mode", "kind"), [("merge", "text"), ("history", "int")])
def test_an_older_row_does_not_take_the_place_of_a_newer_one(
    make_warehouse: MakeWarehouse, source: Any, mode: str, kind: str
) -> None:
    folder = make(make_warehouse, f"load: {mode}\n    key: [id]\n    watermark: {{column: w}}")
    (folder / "routes/shop/staging/sale/extract.sql").write_text("select * from shop.log")
    source(f"create table shop.log (id int, w {kind}, v text)")
    source("insert into shop.log values (1, '5', 'five'), (1, '9', 'nine'), (1, null, 'none')")
    source("insert into shop.log values (2, '9', 'two')")
    newest = f"select id, v from staging.sale{' where is_current' * (mode == 'history')} order by 1"
    for options in ({}, {}, {"backfill": {"from": "4", "to": "6"}}, {}):
        run(folder, **options)
        assert source(newest) == [(1, "nine"), (2, "two")]
    source("delete from shop.log where w = '9'")
    run(folder, full=True)
    assert source(newest)[0] == (1, "five"), "it is the newest of those that the source has"


def test_an_overlap_does_not_go_back_beyond_initial(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    options = "load: append\n    watermark: {column: at, initial: 2024-01-05, overlap: 9 days}"
    folder = make(make_warehouse, options)
    source("insert into shop.sale select n, date '2024-01-01' + n, n from generate_series(1, 9) n")
    for _ in range(2):
        run(folder)
        assert source("select min(id), max(id) from staging.sale") == [(4, 9)]
