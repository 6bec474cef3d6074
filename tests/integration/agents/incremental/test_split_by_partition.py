"""`split: {every: partition}`: each partition is built aside, and all are put in place at once."""

from __future__ import annotations

import os
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database, MakeWarehouse
from tests.support.command import running, wait_until
from tests.support.components import manager
from tests.support.maria_shop import Shop
from tests.support.rounds import prepare, run_task
from tests.support.sales import TASK, make

SPLIT = "split: {every: partition, at_once: 2}"
BY_RANGE = """
create table staging.sale (id int not null, at timestamp, amount numeric, primary key (id))
    partition by range (id);
create table staging.sale_low partition of staging.sale for values from (minvalue) to (50);
create table staging.sale_middle partition of staging.sale for values from (50) to (90);
create table staging.sale_high partition of staging.sale for values from (90) to (maxvalue);
create index sale_at on staging.sale (at);
comment on table staging.sale_low is 'the small numbers';
grant select on staging.sale_middle to public;
"""
BY_LIST = """
create table staging.sale (id int, kind text, amount numeric) partition by list (kind);
create table staging.sale_a partition of staging.sale for values in ('a', 'it''s', null);
create table staging.sale_b partition of staging.sale for values in ('b', '{x}, (y)');
create table staging.sale_other partition of staging.sale default;
"""
WHERE = "select tableoid::regclass::text, count(*) from staging.sale group by 1 order by 1"


@pytest.fixture
def source(source: Any) -> Any:
    """The source, with 100 rows."""
    source(
        "create schema staging;"
        "insert into shop.sale select n, timestamp '2024-01-15' + n * interval '1 day', n "
        "from generate_series(1, 100) n"
    )
    return source


def nothing_is_left(source: Any) -> None:
    assert source("select count(*) from meta.part") == [(0,)]
    assert source("select nspname from pg_namespace where nspname like 'dapu%'") == []


def test_partitions_are_built_anew_with_all_that_they_have(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    source(BY_RANGE)
    source("create view shop.middle as select id from staging.sale_middle")
    folder = make(make_warehouse, SPLIT)
    for _ in range(2):
        outcome = run_task(folder, TASK)
        assert outcome.status == "done", outcome.message
        assert outcome.message.startswith("100 rows, 4 parts in ")
        parts = [("staging.sale_high", 11), ("staging.sale_low", 49), ("staging.sale_middle", 40)]
        assert source(WHERE) == parts
    assert source("select count(*), sum(amount) from staging.sale") == [(100, 5050)]
    assert source(
        "select count(*) from pg_index i where i.indrelid in (select inhrelid from pg_inherits "
        "where inhparent = 'staging.sale'::regclass) and indisvalid"
    ) == [(6,)]
    assert source("select obj_description('staging.sale_low'::regclass)") == [
        ("the small numbers",)
    ]
    assert source("select relacl::text like '%{=r/%' or relacl::text like '%,=r/%' from pg_class "
                  "where oid = 'staging.sale_middle'::regclass") == [(True,)]  # fmt: skip
    assert source("select count(*), min(id) from shop.middle") == [(40, 50)]
    assert source("select count(*) from pg_constraint where conname = 'dapu_partition'") == [(0,)]
    with pytest.raises(Exception, match="duplicate key"):
        source("insert into staging.sale values (1, null, 0)")
    nothing_is_left(source)


def test_lists_with_a_default_and_rows_without_a_value(
    make_warehouse: MakeWarehouse, source: Any
) -> None:
    source(BY_LIST)
    kinds = "(array['a', 'b', 'it''s', '{x}, (y)', 'new', null])[1 + id % 6]"
    folder = make(make_warehouse, SPLIT, f"select id, {kinds} as kind, amount from shop.sale")
    outcome = run_task(folder, TASK)
    assert outcome.status == "done", outcome.message
    assert source("select tableoid::regclass::text, kind, count(*) from staging.sale group by 1, 2 "
                  "order by 1, 2") == [
        ("staging.sale_a", "a", 16), ("staging.sale_a", "it's", 17), ("staging.sale_a", None, 16),
        ("staging.sale_b", "b", 17), ("staging.sale_b", "{x}, (y)", 17),
        ("staging.sale_other", "new", 17),
    ]  # fmt: skip
    nothing_is_left(source)


def test_rows_are_frozen_from_the_start(make_warehouse: MakeWarehouse, source: Any) -> None:
    source(BY_RANGE)
    run_task(make(make_warehouse, SPLIT), TASK)
    seen = "select bool_and(relallvisible = relpages), min(relpages) from pg_class"
    assert source(f"{seen} where relname ~ '^sale_' and relkind = 'r'") == [(True, 1)]


def test_rows_without_a_partition_are_refused(make_warehouse: MakeWarehouse, source: Any) -> None:
    source(BY_RANGE.replace("(90) to (maxvalue)", "(90) to (95)"))
    message = run_task(make(make_warehouse, SPLIT), TASK).message
    assert "no partition for 6 of the rows" in message
    assert "in id: add one in the next step in ver/, or a default partition" in message
    assert source("select count(*) from staging.sale") == [(0,)]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("create table staging.sale (id int, at timestamp, amount numeric)", "is none"),
        ("create table staging.sale (id int, at timestamp, amount numeric) "
         "partition by hash (id)", "is partitioned by hash"),
        ("create table staging.sale (id int, at timestamp, amount numeric) "
         "partition by range (id, at)", "by more than one column"),
        ("create table staging.sale (id int, at timestamp, amount numeric) "
         "partition by range (id)", "has no partition yet"),
        ("create table staging.sale (id int, at timestamp) partition by range (id);"
         "create table staging.s1 partition of staging.sale default", "amount"),
        (BY_RANGE + "create table shop.note (id int references staging.sale)",
         "of shop.note refers to"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_built_so_is_refused(
    make_warehouse: MakeWarehouse, source: Any, table: str, told: str
) -> None:
    source(table)
    assert told in run_task(make(make_warehouse, SPLIT), TASK).message


def test_what_a_partition_refuses_is_named(make_warehouse: MakeWarehouse, source: Any) -> None:
    source(BY_RANGE)
    source("update shop.sale set id = 7 where id = 8")
    message = run_task(make(make_warehouse, SPLIT), TASK).message
    assert "(id)=(7) is duplicated" in message


def slow(make_warehouse: MakeWarehouse, source: Any) -> Path:
    """A warehouse with the job of a load that takes half a minute for one worker."""
    source(BY_RANGE + "insert into staging.sale values (5, null, 77)")
    source(
        "create function shop.slow(int) returns int stable language sql as "
        "'select $1 from pg_sleep(0.1 + $1 * 0)'"
    )
    query = "select id, at, shop.slow(amount::int)::numeric as amount from shop.sale"
    folder = make(make_warehouse, SPLIT, query)
    prepare(folder)
    manager(folder)
    return folder


@pytest.mark.parametrize("victim", ["owner", "helper"])
def test_a_worker_that_dies_leaves_the_table_as_it_was(
    make_warehouse: MakeWarehouse, source: Any, victim: str
) -> None:
    folder = slow(make_warehouse, source)
    busy = "select count(*) from pg_stat_activity where query ~ 'shop.slow' and state = 'active'"
    of_helper = "worker not in (select worker from meta.agenda where status = 'running')"
    who = of_helper if victim == "helper" else f"not {of_helper}"
    with running("worker", folder) as first, running("worker", folder) as second:
        wait_until(lambda: source(f"{busy} and pid <> pg_backend_pid()")[0][0] >= 2)
        ((pid,),) = source(f"select pid from meta.worker where ended_at is null and {who}")
        os.kill(pid, signal.SIGKILL)
        assert source("select amount from staging.sale") == [(77,)]
        for process in (first, second):
            process.wait(60)
    assert source("select count(*), count(distinct id), sum(amount) from staging.sale") == [
        (100, 100, 5050)
    ]
    tries = 2 if victim == "owner" else 1
    assert source("select tries, status from meta.agenda") == [(tries, "done")]
    nothing_is_left(source)


def from_mariadb(make_warehouse: MakeWarehouse, database: Database, shop: Shop, query: str) -> Path:
    folder = make(make_warehouse, SPLIT, query)
    (folder / "routes/shop/route.yaml").write_text("connection: shop")
    connections = f"{database.connections_yaml()}- name: shop\n  url: {shop.url}\n"
    (folder / "connections.yaml").write_text(connections)
    return folder


def test_the_rows_of_another_database(
    make_warehouse: MakeWarehouse, source: Any, database: Database, shop: Shop
) -> None:
    source(
        "create table staging.sale (id int, at timestamp, amount numeric) partition by range (at);"
        "create table staging.sale_23 partition of staging.sale for values from (minvalue) to "
        "('2024-01-01');"
        "create table staging.sale_24 partition of staging.sale for values from ('2024-01-01') to "
        "('2025-01-01');"
        "create table staging.sale_other partition of staging.sale default"
    )
    shop.run(
        "create table sale (id int, at datetime(6), amount decimal(9, 2))",
        "insert into sale values (1, '2023-12-31 23:59:59.999999', 1), (2, '2024-01-01', 2.5), "
        "(3, '2025-01-01', 3), (4, null, 4)",
    )
    folder = from_mariadb(make_warehouse, database, shop, "select * from sale")
    outcome = run_task(folder, TASK)
    assert outcome.status == "done", outcome.message
    assert source("select tableoid::regclass::text, id, amount from staging.sale order by id") == [
        ("staging.sale_23", 1, 1), ("staging.sale_24", 2, Decimal("2.50")),
        ("staging.sale_other", 3, 3), ("staging.sale_other", 4, 4),
    ]  # fmt: skip


def test_a_source_that_takes_two_values_for_one_is_refused(
    make_warehouse: MakeWarehouse, source: Any, database: Database, shop: Shop
) -> None:
    source(
        "create table staging.sale (id int, kind text) partition by list (kind);"
        "create table staging.sale_a partition of staging.sale for values in ('a');"
        "create table staging.sale_b partition of staging.sale for values in ('A')"
    )
    shop.run(
        "create table sale (id int, kind varchar(9) collate utf8mb4_general_ci)",
        "insert into sale values (1, 'a'), (2, 'A')",
    )
    folder = from_mariadb(make_warehouse, database, shop, "select * from sale")
    message = run_task(folder, TASK).message
    assert "does not fit into staging.sale" in message
    assert 'violates check constraint "dapu_partition"' in message
    assert source("select count(*) from staging.sale") == [(0,)]
