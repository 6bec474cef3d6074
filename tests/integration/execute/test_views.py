"""Helper views in PostgreSQL: typed, at any depth, and kept as the schema is with all on them."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql

from dapu.errors import JobError
from dapu.execute.postgres import PostgresDocuments
from dapu.execute.postgres_views import PostgresViews
from dapu.statement import TableName
from tests.conftest import Database
from tests.services.execute_server import ExecuteServer
from tests.support.execute_warehouse import ExecuteWarehouse

TEXT, LISTITEM = {"TYPE": "TEXT"}, {"LISTITEM_ID": {"TYPE": "GUID"}}


def listed(**fields: Any) -> dict[str, Any]:
    return {"TYPE": "RECORD LIST", "RECORD_TYPE": LISTITEM | fields}


def record(**fields: Any) -> dict[str, Any]:
    return {"TYPE": "RECORD", "RECORD_TYPE": fields}


@pytest.fixture
def warehouse(tmp_path: Path, execute: ExecuteServer, database: Database) -> ExecuteWarehouse:
    execute.schema = {"AFE": {"DOCUMENT_ID": {"TYPE": "GUID"}, "NAME": TEXT}}
    execute.put("AFE", "1", NAME="one", AMOUNT=1.5)
    warehouse = ExecuteWarehouse("POSTGRES", database.uri, execute, tmp_path)
    warehouse.push()
    return warehouse


def columns(warehouse: ExecuteWarehouse, view: str = "afe") -> dict[str, str]:
    found = warehouse.rows(
        "select attname::text, format_type(atttypid, atttypmod) from pg_attribute "
        "where attrelid = %s::regclass and attnum > 0 order by attnum",
        view,
    )
    return dict(found)


def test_each_kind_of_field_has_its_type(warehouse: ExecuteWarehouse) -> None:
    kinds = ["TEXT", "GUID", "UWI", "INTEGER", "DECIMAL", "BOOLEAN", "DATETIME", "DOCUMENT", "MAP"]
    fields: dict[str, Any] = {f"F_{kind}": {"TYPE": kind} for kind in kinds}
    fields["F_LOCAL"] = {"TYPE": "DATETIME", "DATE_UNZONED": True}
    warehouse.server.schema = {"AFE": fields}
    warehouse.server.put(
        "AFE", "2", F_TEXT="t", F_GUID="g", F_UWI="u", F_INTEGER=2**70, F_DECIMAL=0.1,
        F_BOOLEAN=True, F_DATETIME="2024-05-06T07:08:09+02:00", F_DOCUMENT={"DOCUMENT_ID": "9"},
        F_MAP={"a": 1}, F_LOCAL="2024-05-06T07:08:09",
    )  # fmt: skip
    warehouse.push()
    warehouse.create_views()
    (row,) = warehouse.rows("select * from afe where document_id = '2'")
    assert row[5:] == (
        "t", "g", "u", Decimal(2**70), Decimal("0.1"), True,
        datetime(2024, 5, 6, 5, 8, 9, tzinfo=UTC), "9", {"a": 1}, datetime(2024, 5, 6, 7, 8, 9),
    )  # fmt: skip
    assert list(columns(warehouse).items())[:5] == [
        ("document_id", "text"),
        ("_deleted", "boolean"),
        ("_author", "text"),
        ("_version", "bigint"),
        ("_date", "timestamp with time zone"),
    ]


def test_an_empty_text_is_not_a_value_and_a_time_without_zone_is_utc(
    warehouse: ExecuteWarehouse,
) -> None:
    kinds = ["INTEGER", "DECIMAL", "BOOLEAN", "DATETIME"]
    warehouse.server.schema = {"AFE": {kind: {"TYPE": kind} for kind in kinds}}
    times = ["2024-01-01T00:00:00", "2024-01-01", "2024-01-01T02:00:00.0+02:00", ""]
    for time in times:
        warehouse.server.put("AFE", f"t{time}", INTEGER="", DECIMAL="", BOOLEAN="", DATETIME=time)
    warehouse.push()
    warehouse.create_views()
    found = warehouse.rows(
        "set timezone = 'America/Edmonton';"
        'select distinct "integer", "decimal", "boolean", datetime from afe '
        "where document_id like 't%' order by datetime"
    )
    assert found == [(None, None, None, datetime(2024, 1, 1, tzinfo=UTC)), (None,) * 4]


def test_records_and_lists_at_any_depth_have_views(warehouse: ExecuteWarehouse) -> None:
    share = listed(PCT={"TYPE": "DECIMAL"}, BANK=record(NAME=TEXT))
    warehouse.server.schema = {
        "AFE": {"SITE": record(CITY=TEXT, ROAD=listed(NO=TEXT)), "OWNER": listed(SHARE=share)}
    }
    banks = [{"LISTITEM_ID": f"s{i}", "PCT": i, "BANK": {"NAME": f"b{i}"}} for i in range(2)]
    owners = [{"LISTITEM_ID": f"o{i}", "SHARE": banks if i else None} for i in range(3)]
    roads = [{"LISTITEM_ID": "r1", "NO": "7"}]
    warehouse.server.put("AFE", "2", SITE={"CITY": "Bern", "ROAD": roads}, OWNER=owners)
    warehouse.server.put("AFE", "3", SITE=None, OWNER="odd")
    warehouse.push()
    warehouse.create_views()
    assert warehouse.rows("select * from afe_site order by 1") == [
        ("1", None), ("2", "Bern"), ("3", None),
    ]  # fmt: skip
    assert warehouse.rows("select * from afe_site_road") == [("2", "r1", "7")]
    assert warehouse.rows("select * from afe_owner order by 2") == [
        ("2", "o0"), ("2", "o1"), ("2", "o2"),
    ]  # fmt: skip
    banks_seen = "select * from afe_owner_share_bank order by 2, 3"
    assert warehouse.rows(banks_seen) == [
        ("2", "o1", "s0", "b0"), ("2", "o1", "s1", "b1"),
        ("2", "o2", "s0", "b0"), ("2", "o2", "s1", "b1"),
    ]  # fmt: skip
    assert list(columns(warehouse, "afe_owner_share")) == [
        "document_id", "owner_listitem_id", "listitem_id", "pct",
    ]  # fmt: skip


def test_new_fields_come_last_and_what_depends_on_a_view_stays(
    warehouse: ExecuteWarehouse,
) -> None:
    warehouse.create_views()
    warehouse.rows("create view report as select name, document_id from afe")
    warehouse.server.schema = {"AFE": {"AMOUNT": {"TYPE": "DECIMAL"}, "NAME": TEXT}}
    warehouse.create_views()
    assert list(columns(warehouse))[-2:] == ["name", "amount"]
    assert warehouse.rows("select amount from afe") == [(Decimal("1.5"),)]
    assert warehouse.rows("select * from report") == [("one", "1")]


def test_a_field_that_was_deleted_leaves_the_view_with_its_grants(
    warehouse: ExecuteWarehouse,
) -> None:
    warehouse.server.schema["AFE"]["AMOUNT"] = {"TYPE": "DECIMAL", "ACTIVE": False}
    warehouse.create_views()
    warehouse.rows("create role reader; grant select on afe to reader")
    try:
        warehouse.create_views(hide_inactive_fields=True)
        assert list(columns(warehouse))[-1] == "name"
        assert warehouse.one("select has_table_privilege('reader', 'afe', 'select')")
    finally:
        warehouse.rows("drop owned by reader; drop role reader")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "it is to have no column name any more"),
        ({"NAME": {"TYPE": "DATETIME"}}, "its column name, which is text, is to be timestamp"),
    ],
)
def test_a_view_that_others_need_keeps_its_columns_and_gets_new_ones(
    warehouse: ExecuteWarehouse, caplog: pytest.LogCaptureFixture, fields: Any, why: str
) -> None:
    warehouse.create_views()
    warehouse.rows("create view report as select name from afe")
    fields = {"AMOUNT": {"TYPE": "DECIMAL"}} | fields
    warehouse.server.schema = {"AFE": fields, "NEW": {"X": TEXT}}
    warehouse.create_views()
    assert f"the view public.afe keeps its columns, though {why}" in caplog.text
    assert "view report depends on view afe" in caplog.text
    assert warehouse.rows("select * from report") == [("one",)]
    assert warehouse.rows("select name, amount from afe") == [("one", Decimal("1.5"))]
    assert "x" in columns(warehouse, "new")
    warehouse.create_views()  # from a view that was extended already
    assert warehouse.rows("select name, amount from afe") == [("one", Decimal("1.5"))]
    warehouse.rows("drop view report")
    warehouse.create_views()
    assert columns(warehouse).get("name") != "text"


def test_views_of_the_known_client_are_replaced(warehouse: ExecuteWarehouse) -> None:
    warehouse.rows(
        "create view execute_documents_latest as select * from execute_documents;"
        "create view afe as select id as document_id, (data->>'AMOUNT')::float as amount "
        "from execute_documents_latest where type = 'AFE'"
    )
    warehouse.server.schema["AFE"]["AMOUNT"] = {"TYPE": "DECIMAL"}
    warehouse.create_views()
    assert columns(warehouse)["amount"] == "numeric"


@pytest.mark.parametrize("value", ["data->>'AMOUNT'", "data#>>'{AMOUNT}'"])
def test_a_view_of_the_known_client_that_others_need_gets_new_columns(
    warehouse: ExecuteWarehouse, value: str
) -> None:
    warehouse.server.put("AFE", "1", NAME="one", AMOUNT=2)
    warehouse.push()
    warehouse.rows(
        "create view afe as select id as document_id, data->>'O''LD' as \"o'ld\", "
        f"({value})::bigint as amount from execute_documents where type = 'AFE';"
        "create view report as select amount from afe"
    )
    warehouse.server.schema["AFE"]["AMOUNT"] = {"TYPE": "DECIMAL"}
    warehouse.create_views()
    assert columns(warehouse)["amount"] == "bigint"
    assert warehouse.rows('select amount, "o\'ld", name from afe') == [(2, None, "one")]


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("create table afe (a int)", "there is a table of that name"),
        ("create view afe as select 1 as document_id", "a view that shows something else"),
        ("create view afe as select data, id as document_id from execute_documents", "else"),
    ],
)
def test_what_belongs_to_others_is_left_alone(
    warehouse: ExecuteWarehouse, statement: str, what: str
) -> None:
    warehouse.rows(statement)
    with pytest.raises(JobError) as raised:
        warehouse.create_views()
    assert "public.afe is to be a view of Execute's documents" in str(raised.value)
    assert what in str(raised.value)
    assert warehouse.rows("select to_regclass('execute_documents_latest')") == [(None,)]


def test_documents_of_the_known_client_are_taken_up(
    execute: ExecuteServer, tmp_path: Path, database: Database
) -> None:
    """A table that another program made and filled, and then fills again."""
    execute.schema = {"AFE": {"X": {"TYPE": "INTEGER"}}}
    warehouse = ExecuteWarehouse("POSTGRES", database.uri, execute, tmp_path)
    warehouse.rows(
        "create table execute_documents (batch_date timestamp, type text, id text, version int, "
        "chunk int, author text, date timestamp, deleted boolean, data jsonb, "
        "primary key (batch_date, type, id, version, chunk))"
    )
    insert = "insert into execute_documents values (%s, 'AFE', %s, 1, 0, null, %s, false, %s)"
    old = "2020-01-01T00:00:00Z"
    warehouse.rows(insert, old, "1", old, '{"X": 1}')
    (tmp_path / "last_sync_date.txt").write_text(execute.mark())
    execute.put("AFE", "2", X=2)
    assert warehouse.push() == 1
    warehouse.rows(insert, date(2999, 1, 1), "1", old, '{"X": 3}')
    execute.put("AFE", "2", X=4)
    warehouse.push()
    warehouse.create_views()
    assert warehouse.rows("select document_id, x from afe order by 1") == [("1", 3), ("2", 4)]
    warehouse.rows(insert, old, "0", old, '{"X": 0}')  # its clock may be behind
    warehouse.rows("delete from execute_documents where id = '1'")
    warehouse.create_views()
    assert warehouse.rows("select document_id, x from afe order by 1") == [("0", 0), ("2", 4)]
    warehouse.rows("drop table execute_documents cascade")  # dapu makes it with other types
    warehouse.push()
    assert warehouse.has_all()
    assert columns(warehouse, "execute_documents_current")["date"] == "timestamp with time zone"


@pytest.mark.parametrize("length", [44, 56, 63])
def test_a_table_with_a_long_name_has_all_that_stands_beside_it(
    warehouse: ExecuteWarehouse, length: int
) -> None:
    table = TableName("public", "t" * length)
    with closing(psycopg2.connect(warehouse.dsn)) as session, session.cursor() as cursor:
        documents = PostgresDocuments(cursor, table)
        documents.prepare()
        views = PostgresViews(cursor, documents)
        assert not views.put({})
        assert not views.missing({})
        cursor.execute("select count(*) from pg_class where relname like 'ttt%' and relkind = 'v'")
        assert cursor.fetchone() == (2,)
        cursor.execute(f"insert into {table} values (now(), 'A', '1', 1, 0, '', now(), false, '0')")
        documents.prepare()
        cursor.execute(sql.SQL("select id from {}").format(documents.current.identifier))
        assert cursor.fetchall() == [("1",)]


def test_a_document_type_may_have_the_name_of_the_marks(warehouse: ExecuteWarehouse) -> None:
    warehouse.server.schema = {"EXECUTE_SYNC": {"X": TEXT}}
    warehouse.create_views()
    assert "x" in columns(warehouse, "execute_sync_2")


def test_a_table_of_another_kind_is_refused(
    execute: ExecuteServer, tmp_path: Path, database: Database
) -> None:
    warehouse = ExecuteWarehouse("POSTGRES", database.uri, execute, tmp_path)
    warehouse.rows("create table execute_documents (batch_date timestamp)")
    with pytest.raises(JobError, match=r"public.execute_documents has no column type, so that"):
        warehouse.push()


def test_the_schema_of_the_connection_is_used(
    execute: ExecuteServer, tmp_path: Path, database: Database
) -> None:
    execute.put("AFE", "1")
    execute.schema = {"AFE": {}}
    dsn = f"{database.uri}&search_path=execute"
    warehouse = ExecuteWarehouse("POSTGRES", dsn, execute, tmp_path)
    with pytest.raises(JobError, match="no schema of the search_path exists"):
        warehouse.push()
    elsewhere = ExecuteWarehouse("POSTGRES", database.uri, execute, tmp_path)
    elsewhere.rows("create schema execute")
    warehouse.push()
    warehouse.create_views()
    assert elsewhere.one("select count(*) from execute.afe") == 1


def test_the_character_that_postgres_cannot_hold_is_reported(warehouse: ExecuteWarehouse) -> None:
    warehouse.server.put("AFE", "2", A="\\u0000 is harmless", NAME="x")
    warehouse.server.put("AFE", "3", OWNER=[{"NAME": "a"}, {"NAME": "b\0"}])
    with pytest.raises(JobError) as raised:
        warehouse.push()
    assert "AFE 3, version 1 has the character U+0000 in OWNER.2.NAME" in str(raised.value)
    assert warehouse.one("select count(*) from execute_documents") == 1


def test_a_value_that_does_not_fit_is_told(warehouse: ExecuteWarehouse) -> None:
    warehouse.server.put("AFE", "2", 2**70)
    with pytest.raises(JobError) as raised:
        warehouse.push()
    assert "version 1180591620717411303424" in str(raised.value)
    assert "column version of execute_documents cannot hold" in str(raised.value)


def test_counting_documents_reads_the_narrow_table_only(warehouse: ExecuteWarehouse) -> None:
    warehouse.create_views()
    plan = str(warehouse.rows("explain select count(*) from afe where not _deleted"))
    assert "execute_documents_current" in plan
    assert "execute_documents " not in plan.replace("execute_documents_current", "")
