"""Reading only what is new: nothing at the boundary is lost or doubled."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dapu.job import Outcome
from tests.components import manager
from tests.conftest import Database, MakeWarehouse
from tests.one_task import OneTask
from tests.rounds import prepare, run_due, run_task
from tests.services.mariadb import MariaDB

TASK = "shop.staging.sale"
FILES = {
    "routes/shop/route.yaml": "",
    "routes/shop/staging/sale/extract.sql": "select id, at, amount from shop.sale",
}


@pytest.fixture
def source(database: Database) -> Any:
    """Runs SQL in the source, which stands in another schema of the test's database."""

    def run(statement: str) -> list[tuple[Any, ...]]:
        with database.connect() as session, session.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    run("create schema shop; create table shop.sale (id int, at timestamp, amount numeric)")
    return run


def make(make_warehouse: MakeWarehouse, load: str, query: str | None = None) -> Path:
    task = f"actions:\n  - do: database\n    query: extract.sql\n    {load}\n"
    files = {**FILES, "routes/shop/staging/sale/task.yaml": task}
    if query is not None:
        files["routes/shop/staging/sale/extract.sql"] = query
    return make_warehouse(files)


def run(folder: Path, **options: Any) -> Outcome:
    outcome = run_task(folder, TASK, **options)
    assert outcome.status == "done", outcome.message
    return outcome


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


def test_a_watermark_that_is_not_in_the_query_is_told(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    folder = make(make_warehouse, "load: append\n    watermark: {column: changed}")
    outcome = run_task(folder, TASK)
    assert outcome.status == "waiting"
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


def test_a_range_is_read_once_more_and_the_watermark_stays(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    folder = make(make_warehouse, APPEND)
    source("insert into shop.sale select n, date '2024-01-01' + n, n from generate_series(1, 9) n")
    run(folder)
    source("update shop.sale set amount = 100; insert into shop.sale values (50, '2024-01-04', 5)")
    run(folder, span={"from": "2024-01-03", "to": "2024-01-05"})
    changed = source("select id from staging.sale where amount = 100 or id = 50 order by id")
    assert changed == [(2,), (3,), (4,), (50,)]
    assert source("select count(*) from staging.sale") == [(10,)]
    assert source("select value from meta.watermark") == [("2024-01-10T00:00:00",)]
    outcome = run_task(folder, TASK, span={"from": "soon", "to": None})
    assert "--from soon: write it like the watermark, 2024-01-10T00:00:00" in outcome.message


def test_a_range_takes_nothing_away_from_the_task_s_own_job(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    folder = make(make_warehouse, APPEND)
    source("insert into shop.sale select n, date '2024-01-01' + n, n from generate_series(1, 9) n")
    prepare(folder)
    assert [job for job, _ in manager(folder).queued] == [1]
    source("update meta.agenda set full_load = true")
    run(folder, span={"from": "2024-01-03", "to": "2024-01-05"})
    assert source("select id from staging.sale order by id") == [(2,), (3,), (4,)]
    jobs = "select job, status, full_load, span is null from meta.agenda order by job"
    assert source(jobs) == [(1, "waiting", True, True), (2, "done", False, False)]
    assert source("select last_job, last_done_at from meta.registry") == [(None, None)]
    assert source("select * from meta.watermark") == []
    run_due(folder)
    assert source("select count(*) from staging.sale") == [(9,)]


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
    source("truncate shop.sale; delete from meta.seen")
    assert "the source gives no key at all" in run_task(folder, TASK).message


MERGED = "{{do: database, query: {0}.sql, load: merge, key: [id, shop], watermark: {{column: id}}}}"


def of_shops(make_warehouse: MakeWarehouse, *shops: str) -> Path:
    """A task that merges the rows of shops, in this order."""
    actions = "".join(f"- {MERGED.format(shop)}\n" for shop in shops)
    place = "routes/shop/staging/sale"
    queries = {
        f"{place}/{shop}.sql": f"select id, '{shop}' as shop from shop.sale" for shop in "abc"
    }
    return make_warehouse({**FILES, **queries, f"{place}/task.yaml": f"actions:\n{actions}"})


def test_a_watermark_belongs_to_what_was_read_and_not_to_a_place_in_the_task(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    source("insert into shop.sale values (1), (2), (3)")
    assert run(of_shops(make_warehouse, "a")).message.startswith("3 rows")
    assert run(of_shops(make_warehouse, "b", "a")).message.startswith("3 rows, 3 inserted")
    assert source("select shop, count(*) from staging.sale group by 1 order by 1") == [
        ("a", 3),
        ("b", 3),
    ]
    assert source("select source, value from meta.watermark order by 1") == [
        ("database a.sql from main", "3"),
        ("database b.sql from main", "3"),
    ]


def test_the_watermark_of_what_is_no_longer_read_holds_for_nothing_else(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    source("insert into shop.sale values (1), (2), (3)")
    run(of_shops(make_warehouse, "a"))
    folder = of_shops(make_warehouse, "b")
    message = run_task(folder, TASK).message
    assert message.startswith(
        "the watermark is that of `database a.sql from main`, and the action reads `database b.sql "
        "from main`: read everything once with `dapu run --full`"
    )
    run(folder, full=True)
    assert source("select source from meta.watermark") == [("database b.sql from main",)]
    assert run(of_shops(make_warehouse, "b", "c")).message.count("inserted") == 2


def test_watermarks_of_an_older_registry_are_kept(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    source("insert into shop.sale values (1), (2), (3)")
    folder = of_shops(make_warehouse, "a", "b")
    run(folder)
    source("""
        alter table meta.watermark add action int;
        update meta.watermark set action = case when source ~ ' a.sql' then 1 else 2 end;
        alter table meta.watermark drop column source, add primary key (task, action);
        insert into meta.watermark values ('gone.s.t', 'id', 'integer', '3', 1, now(), 1);
        delete from meta.seen;
        alter table meta.seen drop column source, add action int, add primary key (task, action);
        delete from meta.migration where scope = 'registry' and number >= 6
    """)
    prepare(folder)
    assert source("select source, value from meta.watermark order by 1") == [
        ("database a.sql from main", "3"),
        ("database b.sql from main", "3"),
    ]


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


def test_a_row_that_gets_a_value_is_not_doubled(make_warehouse: MakeWarehouse, source: Any) -> None:
    folder = make(make_warehouse, APPEND)
    source("insert into shop.sale values (1, '2024-01-01', 1), (2, null, 2), (3, null, 3)")
    run(folder)
    for number in (2, 3):
        source(f"update shop.sale set at = '2024-01-0{number}' where id = {number}")
        run(folder, span={"from": "2024-01-01", "to": "2024-01-01"})  # reads no row without a value
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
    for options in ({}, {}, {"span": {"from": "4", "to": "6"}}, {}):
        run(folder, **options)
        assert source(newest) == [(1, "nine"), (2, "two")]
    source("delete from shop.log where w = '9'")
    run(folder, full=True)
    assert source(newest)[0] == (1, "five"), "it is the newest of those that the source has"


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
    assert "is no point from which rows can be read on; leave such rows out" in message
    source("update shop.sale set amount = 2 where id = 2")
    run(folder)
    assert source("select id from staging.sale order by id") == [(1,), (2,)]


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


def test_values_of_several_kinds_are_told(task: OneTask, tmp_path: Path) -> None:
    shop = Lite(task, tmp_path, "w", "{column: w}", "select w from t")
    shop.has((5,), (7,))
    task.run()
    shop.has(("2024-01-01",))
    assert "column w has values of several kinds, 7 and '2024-01-01'" in task.fails()


def test_a_range_before_the_first_run_is_in_the_kind_of_the_source(
    task: OneTask, tmp_path: Path
) -> None:
    shop = Lite(task, tmp_path, "id integer, w", "{column: w}", "select id, w + 0 as w from t")
    shop.has((1, 5), (2, 7), (3, 9))
    assert task.run(span={"from": "6", "to": "8"}).startswith("1 rows")
    assert task.rows() == [(2, 7)]
    assert task.types() == {"id": "bigint", "w": "bigint"}
    outcome = run_task(task.folder, "source.staging.thing", span={"from": "soon", "to": None})
    assert "--from soon: write it like the watermark, 9" in outcome.message


def test_an_overlap_does_not_go_back_beyond_initial(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    options = "load: append\n    watermark: {column: at, initial: 2024-01-05, overlap: 9 days}"
    folder = make(make_warehouse, options)
    source("insert into shop.sale select n, date '2024-01-01' + n, n from generate_series(1, 9) n")
    for _ in range(2):
        run(folder)
        assert source("select min(id), max(id) from staging.sale") == [(4, 9)]


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
    task.run(span={"from": ago.isoformat(), "to": None})
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
