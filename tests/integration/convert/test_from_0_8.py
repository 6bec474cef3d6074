"""A project of dapu 0.8 and its database, converted and taken up: the rows stay, and go on.

`scripts/from_0_8/run` does the same after the real dapu 0.8.10.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession

from tests.conftest import Database
from tests.support.command import here
from tests.support.components import one, registrar, rows
from tests.support.dapu_0_8 import execute, make_registry
from tests.support.file_task import FileTask
from tests.support.rounds import run_task

pytestmark = pytest.mark.without_registry
PROJECT = Path(__file__).parents[2] / "data" / "dapu_0_8"
_LEFT = """
create schema shop; create schema staging; create schema mart;
create table shop.customer (id int, name text);
create table shop.invoice (id int, total numeric(15, 2), modified_ts timestamp);
insert into shop.customer values (1, 'Aino'), (2, 'Peeter');
insert into shop.invoice select i, i, '2024-01-01'::timestamp + i * interval '1 day'
from generate_series(1, 10) i;
create table staging.invoice (id int not null, amount numeric(15, 2), modified_ts timestamp,
    dwh_created_ts timestamptz not null default clock_timestamp(),
    constraint ak_invoice_4_uniq unique (id));
create index ix_invoice_4_ts on staging.invoice (modified_ts);
insert into staging.invoice select id, total, modified_ts from shop.invoice where id <= 8;
create table staging.customer (id int not null, name text,
    constraint ak_customer_4_uniq unique (id));
insert into staging.customer table shop.customer;
create table mart.customer_history (id int, name text,
    dwh_effective_current boolean not null, dwh_effective_from timestamp not null,
    dwh_effective_to timestamp, dwh_reason_start char(1), dwh_reason_end char(1),
    dwh_hash_pk varchar(32) not null, dwh_hash_data varchar(32) not null,
    dwh_worker_start int not null, dwh_worker_end int);
insert into mart.customer_history values
    (1, 'Aino', true, '2024-03-01 12:00', null, 'I', null, 'h1', 'a', 1, null),
    (1, 'Anna', false, '2024-02-01 12:00', '2024-03-01 12:00', 'I', 'U', 'h1', 'b', 1, 2),
    (2, 'Peeter', false, '2024-02-01 12:00', '2024-02-15 12:00', 'I', 'D', 'h2', 'c', 1, 2),
    (2, 'Peeter', true, '2024-02-20 12:00', null, 'I', null, 'h2', 'c', 1, null);
insert into meta.version (folder_alias, file_name) values
    ('finances', 'v001_schemas.sql'), ('finances', 'v002_comments.sql');
insert into meta.route (code, name, type, weight, disabled) values
    ('shop', 'The shop', 'sql', 2, 'manager registrar evening'), ('mart', '', 'sql', 10000, '');
insert into meta.registry (task_id, table_version, synced_until_ts) values
    ('shop.staging.invoice', 2, '2024-01-09 00:00+02'), ('shop.staging.customer', 1, null),
    ('mart.mart.customer_history', 1, null), ('mart.mart.revenue', 0, null);
update meta.stopper set allowed_version = 99;
"""
_HISTORY = """
select id, name, is_current, valid_from::text, valid_to::text, began_by, ended_by
from mart.customer_history order by id, valid_from
"""


@pytest.fixture
def new(
    database: Database,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """What the commands make of it."""
    make_registry(database)
    execute(database, _LEFT)
    name = database.name
    execute(database, f"alter database {name} set timezone = 'Europe/Tallinn'")
    server = database.server
    for key, value in (("HOST", server.socket_directory), ("PORT", server.port),
                       ("DATABASE", name), ("PASSWORD", "")):  # fmt: skip
        monkeypatch.setenv(f"WH_{key}", str(value))
    folder = tmp_path / "new"
    converted = here(capsys, "convert", PROJECT, folder)
    assert converted.status == 0, converted.text
    assert "disabled is `registrar`" in converted.err
    assert "disabled is `evening`" in converted.err
    assert here(capsys, "validate", folder).status == 0
    taken = here(capsys, "baseline", folder, "--from-0.8", "meta")
    assert taken.status == 0, taken.text
    assert "shop.staging.invoice: 2 steps recorded, read up to 2024-01-09T00:00:00" in taken.out
    return folder


def test_zone_and_routes_are_those_of_the_database(
    new: Path,
) -> None:
    assert "timezone: Europe/Tallinn" in (new / "warehouse.yaml").read_text()
    text = (new / "routes/shop/route.yaml").read_text()
    assert "concurrency: 2" in text
    assert "disabled: [manager]" in text


def test_rows_stay_and_only_news_is_read(new: Path, connection: PgSession) -> None:
    made = "select id, amount, dwh_created_ts from staging.invoice where id <= 8 order by id"
    before = rows(connection, made)
    rows(connection, "delete from shop.invoice where id < 8")
    outcome = run_task(new, "shop.staging.invoice")
    assert (outcome.status, outcome.rows) == ("done", 3)  # the last one again, and two new ones
    assert rows(connection, made) == before
    assert one(connection, "select count(*) from staging.invoice") == 10


def test_history_goes_on(new: Path, connection: PgSession) -> None:
    assert registrar(new).faults == []
    taken: list[tuple[Any, ...]] = [
        (1, "Anna", False, "2024-02-01 10:00:00+00", "2024-03-01 10:00:00+00", "new", "changed"),
        (1, "Aino", True, "2024-03-01 10:00:00+00", None, "changed", None),
        (2, "Peeter", False, "2024-02-01 10:00:00+00", "2024-02-15 10:00:00+00", "new", "gone"),
        (2, "Peeter", True, "2024-02-20 10:00:00+00", None, "returned", None),
    ]
    rows(connection, "set timezone = 'UTC'")
    assert rows(connection, _HISTORY) == taken
    assert run_task(new, "mart.mart.customer_history").status == "done"
    assert rows(connection, _HISTORY) == taken
    rows(connection, "update staging.customer set name = 'Maria' where id = 1")
    assert run_task(new, "mart.mart.customer_history").status == "done"
    current = "select id, name, began_by from mart.customer_history where is_current order by id"
    assert rows(connection, current) == [(1, "Maria", "changed"), (2, "Peeter", "returned")]


def test_database_that_does_not_answer_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in (("HOST", "/nowhere"), ("PORT", "1"), ("DATABASE", "d"), ("PASSWORD", "x")):
        monkeypatch.setenv(f"WH_{key}", value)
    done = here(capsys, "convert", PROJECT, tmp_path / "new")
    assert done.status == 2
    assert "--timezone" in done.err
    assert not (tmp_path / "new").exists()


def test_converted_sheet_loads(excel: FileTask) -> None:
    rows_of_sheet: list[list[Any]] = [
        ["Report"], ["Code", "Day", "Sum"],
        ["007", "31.12.2024", "1 234,50"], ["008", date(2025, 1, 2), 5],
    ]  # fmt: skip
    excel.share.book("sport.xlsx", rows_of_sheet)
    excel.task.make_table("code text, day date, said text, amount numeric(11, 2)")
    excel.task.execute(
        "insert into staging.thing values ('old', '2024-12-01'), ('kept', '2024-11-30')"
    )
    excel.run("""
        workbook: sport.xlsx
        sheet: 1
        header: none
        start_row: 3
        columns:
          A: code
          B: [{name: day, type: date, format: ['%d.%m.%Y', '%Y-%m-%d', '%m/%d/%Y']}, said]
          C: {name: amount, type: decimal}
        load: period
        period: {column: day, by: month}
        decimal: ','
    """)
    assert excel.rows("code, day::text, amount") == [
        ("007", "2024-12-31", Decimal("1234.50")), ("008", "2025-01-02", Decimal("5.00")),
        ("kept", "2024-11-30", None),
    ]  # fmt: skip
