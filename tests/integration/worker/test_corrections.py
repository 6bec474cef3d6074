"""A master whose past changed: who reads only its news says so, and is corrected on demand.

sale  (append, watermark `at`)
  |-- copy    (append, watermark `at`)
  |     `-- total   (replace)
  |           `-- latest  (merge, watermark `at`)
  `-- by_id   (merge, watermark `id`)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.components.downstream import CorrectionStep, queue_downstream
from dapu.registry.version import registry_of
from dapu.warehouse.warehouse import open_warehouse
from tests.conftest import MakeWarehouse
from tests.support.command import here
from tests.support.components import manager, one, rows, write
from tests.support.rounds import prepare, run_due, run_task
from tests.support.sales import TASK, make, run

JANUARY: dict[str, str | None] = {"from": "2024-01-01", "to": "2024-01-31"}
RANGE = ["--from", "2024-01-01", "--to", "2024-01-31"]
SALE = "load: append\n    watermark: {column: at}"


def mart(name: str, depends: str, query: str, load: str = "") -> dict[str, str]:
    """The files of a transform in the schema `mart`."""
    action = f"  - do: transform\n    query: q.sql\n    {load}\n"
    return {
        f"routes/shop/mart/{name}/task.yaml": f"depends: [shop.{depends}]\nactions:\n{action}",
        f"routes/shop/mart/{name}/q.sql": query,
    }


MARTS = {
    **mart("copy", "staging.sale", "select * from staging.sale", SALE),
    **mart("total", "mart.copy", "select max(at) as at, sum(amount) as sum from mart.copy"),
    **mart(
        "latest", "mart.total", "select * from mart.total",
        "load: merge\n    key: [at]\n    watermark: {column: at}",
    ),
    **mart(
        "by_id", "staging.sale", "select id, amount from staging.sale",
        "load: merge\n    key: [id]\n    watermark: {column: id}",
    ),
}  # fmt: skip


@pytest.fixture
def folder(make_warehouse: MakeWarehouse, source: Any) -> Path:
    """All tasks have run; then a row of January is corrected at the source."""
    folder = make(make_warehouse, SALE)
    write(folder, MARTS)
    source("insert into shop.sale values (1, '2024-01-05', 1), (2, '2024-02-05', 2)")
    prepare(folder)
    run_due(folder)
    source("update shop.sale set amount = 10 where id = 1")
    return folder


def sums(connection: PgSession) -> dict[str, int]:
    """What each table makes of the amounts."""
    query = """
        select 'sale', sum(amount)::int from staging.sale
        union all select 'copy', sum(amount)::int from mart.copy
        union all select 'total', sum::int from mart.total
        union all select 'latest', sum(sum)::int from mart.latest
        union all select 'by_id', sum(amount)::int from mart.by_id"""
    return dict(rows(connection, query))


def missed(connection: PgSession) -> list[tuple[str, str, str, Any]]:
    """What is not read again yet."""
    return rows(
        connection,
        "select task, master, reason, backfill from meta.correction order by task, master",
    )


def test_a_range_that_was_read_again_is_reported_to_those_that_read_only_news(
    folder: Path, connection: PgSession
) -> None:
    run(folder, backfill=JANUARY)
    assert missed(connection) == [
        ("shop.mart.by_id", TASK, "range", None),
        ("shop.mart.copy", TASK, "range", JANUARY),
    ]
    told = rows(connection, "select task, message from meta.event where level = 'warning'")
    assert [task for task, _ in told] == ["shop.mart.by_id", "shop.mart.copy"]
    assert "dapu run DIR shop.mart.copy --from 2024-01-01 --to 2024-01-31" in told[1][1]
    assert "dapu run DIR shop.mart.by_id --full" in told[0][1]
    woken = run_due(folder).outcomes["shop.mart.copy"]
    assert woken.status == "done"
    assert "not read again" in woken.message
    assert sums(connection) == {"sale": 12, "copy": 3, "total": 3, "latest": 3, "by_id": 3}


def test_downstream_corrects_all_tables_in_order(
    folder: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    rows(connection, "delete from meta.agenda")
    done = here(capsys, "run", folder, TASK, *RANGE, "--downstream")
    assert done.status == 0, done.text
    assert sums(connection) == {"sale": 12, "copy": 12, "total": 12, "latest": 12, "by_id": 12}
    assert missed(connection) == []
    jobs = rows(
        connection, "select task, backfill, full_load, status from meta.agenda order by job"
    )
    by_task = {task: (backfill, full, status) for task, backfill, full, status in jobs}
    assert by_task == {
        TASK: (JANUARY, False, "done"),
        "shop.mart.copy": (JANUARY, False, "done"),
        "shop.mart.by_id": (None, True, "done"),
        "shop.mart.total": (None, False, "done"),
        "shop.mart.latest": (None, True, "done"),
    }
    assert len(jobs) == 5  # nobody is woken beside that
    order = [task for task, *_ in jobs]
    assert order.index("shop.mart.copy") < order.index("shop.mart.total")
    assert order.index("shop.mart.total") < order.index("shop.mart.latest")
    assert "by_id: queued" in done.out
    assert "its watermark is `id`" in done.out


def test_everything_can_be_corrected_downstream(
    folder: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "run", folder, TASK, "--full", "--downstream")
    assert done.status == 0, done.text
    assert set(sums(connection).values()) == {12}
    assert missed(connection) == []


def test_a_full_run_is_reported_too_and_each_dependent_can_be_corrected_by_itself(
    folder: Path, connection: PgSession
) -> None:
    run(folder, full=True)
    assert missed(connection) == [
        ("shop.mart.by_id", TASK, "full", None),
        ("shop.mart.copy", TASK, "full", None),
    ]
    assert run_task(folder, "shop.mart.copy", full=True).status == "done"
    assert missed(connection) == [
        ("shop.mart.by_id", TASK, "full", None),
        ("shop.mart.latest", "shop.mart.copy", "full", None),  # through total, which reads all
    ]


def test_another_range_corrects_nothing(folder: Path, connection: PgSession) -> None:
    run(folder, backfill=JANUARY)
    run_task(folder, "shop.mart.copy", backfill={"from": "2024-02-01", "to": None})
    assert ("shop.mart.copy", TASK, "range", JANUARY) in missed(connection)
    run_task(folder, "shop.mart.copy", backfill=JANUARY)
    assert "shop.mart.copy" not in [task for task, *_ in missed(connection)]


def test_the_command_and_status_say_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "run", folder, TASK, *RANGE)
    assert done.status == 0
    assert "shop.mart.copy" in done.err
    assert "--downstream" in done.err
    shown = here(capsys, "status", folder, "shop.mart.copy")
    assert "--from 2024-01-01 --to 2024-01-31" in shown.out
    assert f"the past of {TASK} changed" in " ".join(here(capsys, "status", folder).out.split())


def test_ordinary_runs_and_first_runs_report_nothing(
    folder: Path, source: Any, connection: PgSession
) -> None:
    source("insert into shop.sale values (3, '2024-03-01', 3)")
    run(folder)
    run_due(folder)
    assert missed(connection) == []
    assert sums(connection)["copy"] == 6


def test_rows_that_were_deleted_are_reported(
    make_warehouse: MakeWarehouse,
    source: Any,
    connection: PgSession,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = make(make_warehouse, "load: snapshot\n    key: [id]")
    write(folder, mart("copy", "staging.sale", "select * from staging.sale", SALE))
    source("insert into shop.sale values (1, '2024-01-05', 1), (2, '2024-02-05', 2)")
    prepare(folder)
    run_due(folder)
    source("delete from shop.sale where id = 1")
    run(folder)
    assert missed(connection) == [("shop.mart.copy", TASK, "deletes", None)]
    run_task(folder, "shop.mart.copy", full=True)
    assert rows(connection, "select id from mart.copy order by id") == [(1,), (2,)]
    assert len(missed(connection)) == 1  # which reads, and deletes nothing
    assert here(capsys, "run", folder, "shop.mart.copy", "--rebuild").status == 0
    assert rows(connection, "select id from mart.copy") == [(2,)]
    assert missed(connection) == []


def test_keys_that_a_sweep_missed_are_reported(
    make_warehouse: MakeWarehouse, source: Any, connection: PgSession
) -> None:
    load = "load: merge\n    key: [id]\n    watermark: {column: at}\n    deletes: {every: 0 s}"
    folder = make(make_warehouse, load)
    write(folder, mart("copy", "staging.sale", "select * from staging.sale", SALE))
    source("insert into shop.sale values (1, '2024-01-05', 1), (2, '2024-02-05', 2)")
    prepare(folder)
    run_due(folder)
    source("delete from shop.sale where id = 1")
    run(folder)
    assert missed(connection) == [("shop.mart.copy", TASK, "deletes", None)]


def test_what_was_to_follow_a_job_that_failed_is_cancelled(
    folder: Path, source: Any, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, {"routes/shop/staging/sale/task.yaml": f"""
        run: {{retries: 0}}
        actions:
          - do: database
            query: extract.sql
            {SALE.replace('    ', '            ')}
        """})  # fmt: skip
    source("alter table shop.sale rename to other")
    done = here(capsys, "run", folder, TASK, *RANGE, "--downstream")
    assert done.status == 1
    waiting = "select count(*) from meta.agenda where status = 'waiting' and after <> '{}'"
    assert one(connection, waiting) == 4
    manager(folder)
    assert one(connection, waiting) == 0
    ended = rows(connection, "select status, message from meta.agenda where after <> '{}'")
    assert {status for status, _ in ended} == {"cancelled"}
    assert all(TASK in message and "failed" in message for _, message in ended)


def test_workers_keep_the_order_of_a_correction(folder: Path, connection: PgSession) -> None:
    prepare(folder)
    warehouse = open_warehouse(folder)
    with warehouse.session("test") as session, session, session.cursor() as cursor:
        queue_downstream(cursor, registry_of(warehouse), CorrectionStep(TASK, backfill=JANUARY))
        cursor.execute("update meta.agenda set priority = 10 - job where status = 'waiting'")
    run_due(folder)
    assert set(sums(connection).values()) == {12}
    assert missed(connection) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--downstream"], "--downstream needs"),
        (["--full", *RANGE, "--downstream"], "not both"),
    ],
)
def test_what_downstream_needs(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    done = here(capsys, "run", folder, TASK, *options)
    assert done.status == 2
    assert said in done.err


def test_a_dependent_that_cannot_run_is_named_before_anything_is_queued(
    folder: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    rows(connection, "delete from meta.agenda")
    rows(
        connection, "insert into meta.override (task, blacklisted) values ('shop.mart.copy', true)"
    )
    done = here(capsys, "run", folder, TASK, *RANGE, "--downstream")
    assert done.status == 2
    assert "shop.mart.copy" in done.err
    assert "blacklisted" in done.err
    assert one(connection, "select count(*) from meta.agenda") == 0


def test_a_range_needs_a_watermark(
    folder: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "run", folder, "shop.mart.total", *RANGE, "--downstream")
    assert done.status == 2
    assert "`watermark`" in done.err
    assert "shop.mart.total" in done.err


def test_a_rebuild_makes_the_table_anew_and_keeps_its_owner_grants_and_comment(
    folder: Path, source: Any, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    source("create role reader; grant select on staging.sale to reader")
    source("comment on table staging.sale is 'What was sold'")
    source("alter table staging.sale add wrong text; update staging.sale set amount = 77")
    try:
        done = here(capsys, "run", folder, TASK, "--rebuild")
        assert done.status == 0, done.text
        assert rows(connection, "select * from staging.sale order by id") == rows(
            connection, "select * from shop.sale order by id"
        )
        assert one(connection, "select has_table_privilege('reader', 'staging.sale', 'select')")
        assert (
            one(connection, "select obj_description('staging.sale'::regclass)") == "What was sold"
        )
    finally:
        source("drop owned by reader; drop role reader")
    assert ("shop.mart.copy", TASK, "full", None) in missed(connection)


def test_a_rebuild_goes_down_too(
    folder: Path, source: Any, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    source("delete from shop.sale where id = 2")
    done = here(capsys, "run", folder, TASK, "--rebuild", "--downstream")
    assert done.status == 0, done.text
    assert set(sums(connection).values()) == {10}


def test_a_rebuild_that_fails_leaves_the_table(
    folder: Path, source: Any, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    source("create view staging.reader as select id from staging.sale")
    done = here(capsys, "run", folder, TASK, "--rebuild")
    assert done.status == 1
    assert "staging.reader" in done.text
    assert "cannot be rebuilt" in done.text
    source("drop view staging.reader; alter table shop.sale rename to gone")
    assert here(capsys, "run", folder, TASK, "--rebuild").status == 1
    assert one(connection, "select sum(amount) from staging.sale") == 3


def test_a_table_with_steps_is_not_rebuilt(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, {"routes/shop/staging/sale/ver/001_note.sql": "select 1;"})
    done = here(capsys, "run", folder, TASK, "--rebuild")
    assert done.status == 2
    assert "ver" in done.err
    assert "truncate staging.sale" in done.err
