"""A watermark belongs to what was read, and to nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.conftest import MakeWarehouse
from tests.support.rounds import prepare, run_task
from tests.support.sales import FILES, TASK, run

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
        drop view meta.source_state;
        alter table meta.seen drop column source, add action int, add primary key (task, action);
        delete from meta.migration where scope = 'registry' and number = 6
    """)
    prepare(folder)
    assert source("select source, value from meta.watermark order by 1") == [
        ("database a.sql from main", "3"),
        ("database b.sql from main", "3"),
    ]
