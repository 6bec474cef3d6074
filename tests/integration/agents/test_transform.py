"""`do: transform`: the task's table or view follows its query."""

from __future__ import annotations

import pytest

from tests.conftest import Database, MakeWarehouse
from tests.support.one_task import FOLDER, TABLE, OneTask

SOURCE = "driver: files\npath: ."


@pytest.fixture
def warehouse(make_warehouse: MakeWarehouse, database: Database) -> OneTask:
    return OneTask(make_warehouse, database)


def runs(warehouse: OneTask, query: str, more: str = "") -> str:
    """Gives the task another query, and runs it."""
    warehouse.has(SOURCE, f"do: transform\nquery: q.sql\n{more}", {"q.sql": query})
    return warehouse.run()


VIEW = "materialize: view"


def test_a_view_that_loses_a_column_is_made_anew_with_its_grants(warehouse: OneTask) -> None:
    assert runs(warehouse, "select 1 as id, 2 as gone", VIEW).startswith("0 rows, view made")
    warehouse.execute(f"grant select on {TABLE} to public; comment on view {TABLE} is 'mine'")
    assert "made anew, since its columns changed" in runs(warehouse, "select 'x' as id", VIEW)
    assert warehouse.types() == {"id": "text"}
    assert warehouse.rows(f"select obj_description('{TABLE}'::regclass)") == [("mine",)]
    assert warehouse.rows(
        f"select count(*) from pg_class, aclexplode(relacl) where oid = '{TABLE}'::regclass"
        " and grantee = 0"
    ) == [(1,)]


def test_a_view_that_others_read_stays_and_they_are_named(warehouse: OneTask) -> None:
    runs(warehouse, "select 1 as id, 2 as gone", VIEW)
    warehouse.execute(f"create view staging.reader as select gone from {TABLE}")
    (warehouse.folder / FOLDER / "q.sql").write_text("select 1 as id")
    message = warehouse.fails()
    assert "view staging.reader depends on view staging.thing" in message
    assert "Drop what depends on it by hand" in message
    warehouse.execute("drop view staging.reader")
    warehouse.run()
    assert list(warehouse.types()) == ["id"]


def test_a_column_that_the_query_no_longer_has_is_dropped(warehouse: OneTask) -> None:
    runs(warehouse, "select 1 as id, 2 as gone, 3 as read")
    warehouse.execute(
        f"alter table {TABLE} add column loaded_at date default current_date;"
        f"create view staging.reader as select read from {TABLE}"
    )
    message = runs(warehouse, "select 1 as id")
    assert "the column gone, which the source no longer has, is dropped" in message
    assert "the column read" in message
    assert "stays without values: view staging.reader" in message
    assert list(warehouse.types()) == ["id", "read", "loaded_at"]
    assert warehouse.rows(f"select id, read, loaded_at is not null from {TABLE}") == [
        (1, None, True)
    ]


def test_a_column_stays_where_that_is_said_or_the_table_is_not_replaced(
    warehouse: OneTask,
) -> None:
    runs(warehouse, "select 1 as id, 2 as gone")
    runs(warehouse, "select 1 as id", "schema_change: {removed: keep}")
    runs(warehouse, "select 2 as id", "load: append")
    assert warehouse.rows() == [(1, None), (2, None)]


def test_what_is_said_of_a_table_with_steps_is_done(warehouse: OneTask) -> None:
    files = {
        "q.sql": "select 1 as id, 2 as new",
        "ver/001_make.sql": f"create table {TABLE} (id int)",
    }
    action = "do: transform\nquery: q.sql\nschema_change: {added: add}"
    warehouse.has(SOURCE, action, files)
    assert "the new column new (integer) is added" in warehouse.run()
