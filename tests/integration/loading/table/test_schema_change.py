"""When the source's columns change."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as PgSession

from dapu.errors import JobError
from dapu.loading.load import load
from dapu.loading.options import LoadOptions
from dapu.rows.rows import Column, CopyRows
from dapu.statement import TableName
from tests.support.command import dapu
from tests.support.one_task import OneTask

NAME = TableName("staging", "item")


def put(
    session: PgSession,
    columns: dict[str, str],
    line: str,
    *,
    has_steps: bool = False,
    **options: Any,
) -> str:
    wanted = LoadOptions.model_validate({"do": "database", **options})

    def write(file: Any) -> None:
        file.write(f"{line}\n".encode())

    rows = CopyRows([Column(*pair) for pair in columns.items()], "csv", write)
    with session, session.cursor() as cursor:
        return str(load(cursor, NAME, rows, wanted, has_steps=has_steps))


def table(session: PgSession) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    with session, session.cursor() as cursor:
        cursor.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            "where attrelid = 'staging.item'::regclass and attnum > 0 order by attnum"
        )
        types = dict(cursor.fetchall())
        cursor.execute("select * from staging.item order by 1")
        return types, cursor.fetchall()


@pytest.mark.parametrize("mode", [
    {"load": "replace"}, {"load": "append"}, {"load": "merge", "key": ["id"]},
    {"load": "snapshot", "key": ["id"]}, {"load": "history", "key": ["id"]},
])  # fmt: skip
def test_new_columns_are_added_and_narrow_ones_widened(
    connection: PgSession, mode: dict[str, Any]
) -> None:
    put(connection, {"id": "integer"}, "1", **mode)
    result = put(connection, {"id": "bigint", "Größe": "numeric(4,1)"}, "5000000000,2.5", **mode)
    assert "the new column Größe (numeric(4,1)) is added" in result
    assert "the column id is widened from integer to bigint" in result
    types, rows = table(connection)
    assert types["id"] == "bigint"
    assert types["Größe"] == "numeric(4,1)"
    assert 5000000000 in [row[0] for row in rows]


def test_the_owner_of_a_table_is_to_add_a_column(connection: PgSession) -> None:
    put(connection, {"id": "integer"}, "1", load="append")
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "create role dapu_test_guest; grant usage on schema staging to dapu_test_guest;"
            "grant insert, select on staging.item to dapu_test_guest; set role dapu_test_guest"
        )
    try:
        told = "must be owner of table item; let the owner .*: alter table staging.item add column"
        with pytest.raises(JobError, match=told):
            put(connection, {"id": "integer", "size": "integer"}, "1,2", load="append")
    finally:
        with connection, connection.cursor() as cursor:
            cursor.execute("reset role; drop owned by dapu_test_guest; drop role dapu_test_guest")


@pytest.mark.parametrize("mode", [{"load": "replace"}, {"load": "merge", "key": ["id"]}])
def test_readers_do_not_wait_for_the_source_when_a_table_changes(
    connection: PgSession, mode: dict[str, Any]
) -> None:
    put(connection, {"id": "integer"}, "1", **mode)

    def write(file: Any) -> None:
        with closing(psycopg2.connect(connection.dsn)) as reader, reader.cursor() as cursor:
            cursor.execute("set lock_timeout to '1s'")
            cursor.execute("select id from staging.item")
            assert cursor.fetchall() == [(1,)]
        file.write(b"5000000000,x\n")

    rows = CopyRows([Column("id", "bigint"), Column("new", "text")], "csv", write)
    wanted = LoadOptions.model_validate({"do": "database", **mode})
    with connection, connection.cursor() as cursor:
        load(cursor, NAME, rows, wanted)
    assert table(connection)[1][-1] == (5000000000, "x")


def test_new_columns_can_be_ignored_or_refused(connection: PgSession) -> None:
    put(connection, {"id": "bigint"}, "1")
    two = {"id": "bigint", "extra": "text"}
    result = put(connection, two, "2,x", schema_change={"added": "ignore"})
    assert "the new column extra is left out" in result
    assert table(connection) == ({"id": "bigint"}, [(2,)])
    with pytest.raises(JobError, match=r'alter table staging.item add column "extra" text;'):
        put(connection, two, "2,x", schema_change={"added": "fail"})


def test_columns_that_were_deleted_stay_empty_or_are_refused(connection: PgSession) -> None:
    put(connection, {"id": "bigint", "old": "text"}, "1,x")
    put(connection, {"id": "bigint"}, "2")
    assert table(connection)[1] == [(2, None)]
    with pytest.raises(JobError, match=r'alter table staging.item drop column "old";'):
        put(connection, {"id": "bigint"}, "3", schema_change={"removed": "fail"})


def test_a_table_with_steps_is_not_altered_unasked(connection: PgSession) -> None:
    put(connection, {"id": "integer"}, "1")
    with pytest.raises(JobError, match="put this into the next step in ver/: alter table"):
        put(connection, {"id": "integer", "new": "text"}, "1,x", has_steps=True)
    with pytest.raises(JobError, match=r'alter table staging.item alter column "id" type bigint;'):
        put(connection, {"id": "bigint"}, "1", has_steps=True)
    put(connection, {"id": "bigint"}, "1", has_steps=True, schema_change={"retyped": "widen"})
    assert table(connection)[0] == {"id": "bigint"}


VIEWS = """
    create role reader; create role owner;
    grant usage, create on schema staging to owner; grant select on staging.item to owner;
    create view staging.v with (security_barrier=true, security_invoker=false)
        as select id, "Na me", id + 1 as next from staging.item where id > 0;
    create view staging.zz as
        select i.id, "Na me" from staging.item i join staging.v using (id, "Na me");
    create view staging.a (number) as select sum(z.id) from staging.zz z, staging.v;
    create view staging.other as select "Na me" from staging.item;
    comment on view staging.v is 'it''s 100% of {all}';
    comment on column staging.v.next is 'after "that"';
    alter view staging.v alter column "Na me" set default 'none';
    grant select on staging.v to reader with grant option; grant select on staging.zz to public;
    grant update (next), select ("Na me") on staging.v to reader;
    alter view staging.zz owner to owner;
"""
KEPT = """
    select c.relname, pg_get_userbyid(c.relowner), c.relacl::text, c.reloptions::text,
        obj_description(c.oid, 'pg_class'), pg_get_viewdef(c.oid), array(
            select (a.attname, a.attacl, col_description(c.oid, a.attnum),
                pg_get_expr(d.adbin, d.adrelid))::text
            from pg_attribute a left join pg_attrdef d on adrelid = a.attrelid and adnum = a.attnum
            where a.attrelid = c.oid and a.attnum > 0 order by a.attnum)
    from pg_class c where c.relkind = 'v' and c.relnamespace = 'staging'::regnamespace order by 1
"""


@pytest.fixture
def roles(connection: PgSession) -> Iterator[None]:
    yield
    with connection, connection.cursor() as cursor:
        cursor.execute("drop schema if exists staging cascade")
        for role in ("reader", "owner"):
            cursor.execute("select from pg_roles where rolname = %s", [role])
            if cursor.rowcount:
                cursor.execute(f"drop owned by {role}; drop role {role}")


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_views_over_a_column_that_grows_are_made_again_with_all_they_had(
    connection: PgSession, roles: None, mode: str
) -> None:
    put(connection, {"id": "integer", "Na me": "text"}, "1,x")
    with connection, connection.cursor() as cursor:
        cursor.execute(VIEWS)
        cursor.execute("select 'staging.other'::regclass::oid")
        untouched = cursor.fetchone()
        cursor.execute(KEPT)
        before = cursor.fetchall()
    result = put(connection, {"id": "bigint", "Na me": "text"}, "5000000000,y", load=mode)
    assert "the column id is widened from integer to bigint" in result
    assert "views that read it made again: staging.v, staging.zz, staging.a" in result
    with connection, connection.cursor() as cursor:
        cursor.execute(KEPT)
        assert cursor.fetchall() == before
        cursor.execute("select 'staging.other'::regclass::oid")
        assert cursor.fetchone() == untouched
        cursor.execute("select max(id), pg_typeof(max(next))::text from staging.v")
        assert cursor.fetchone() == (5000000000, "bigint")


@pytest.mark.parametrize(
    ("hindrance", "why"),
    [
        ("create materialized view staging.m as select * from staging.v", "m depends on view"),
        ("create materialized view staging.m as select id from staging.item", "materialized view"),
        ("create rule r as on insert to staging.v do instead nothing", "v has rule r on view"),
        ("create function staging.f(staging.v) returns int return 1", "f.staging.v. depends"),
        ("create trigger t instead of insert on staging.v for each row "
         "execute function suppress_redundant_updates_trigger()", "v has trigger t on view"),
        ("create function staging.f(int) returns int return 1; "
         "create view staging.w as select staging.f(id) from staging.item", "f.bigint. does not"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_again_hinders_a_wider_column_and_is_reported(
    connection: PgSession, hindrance: str, why: str
) -> None:
    put(connection, {"id": "integer"}, "1")
    with connection, connection.cursor() as cursor:
        cursor.execute("create view staging.v as select id from staging.item")
        cursor.execute(hindrance)
    drops = r"(drop view staging.w; )?drop view staging.v; "
    by_hand = f'{drops}alter table staging.item alter column "id" type bigint;'
    told = f"item.id must become bigint, and cannot: .*{why}.* in one transaction: {by_hand}"
    with pytest.raises(JobError, match=told):
        put(connection, {"id": "bigint"}, "1")
    with connection, connection.cursor() as cursor:
        cursor.execute("select * from staging.v")
        assert cursor.fetchall() == [(1,)]


def test_names_that_postgresql_would_cut_are_refused(connection: PgSession) -> None:
    long = "ä" * 32
    with pytest.raises(JobError, match=f"`{long}` for staging.item has a name of more than 63"):
        put(connection, {"id": "integer", long: "text"}, "1,x")


def test_floats_that_become_numerics_keep_each_digit(connection: PgSession) -> None:
    before = {"id": "integer", "a": "real", "b": "double precision"}
    put(connection, before, "1,1.2345678,0.12345678901234566")
    after = {"id": "integer", "a": "numeric", "b": "numeric"}
    with pytest.raises(JobError, match='alter column "a" type numeric using "a"::text::numeric;'):
        put(connection, after, "2,1,1", has_steps=True)
    put(connection, after, "2,1,1", load="append")
    found = [[str(value) for value in row] for row in table(connection)[1]]
    assert found == [["1", "1.2345678", "0.12345678901234566"], ["2", "1", "1"]]


@pytest.mark.parametrize(
    ("column", "options"),
    [
        ("valid_from", {"load": "history", "key": ["id"]}),
        ("_deleted_at", {"load": "snapshot", "key": ["id"], "deletes": "soft"}),
        ("dapu_row", {"on_bad_value": "null"}),
    ],
)
def test_a_column_that_the_load_fills_itself_is_refused(
    connection: PgSession, column: str, options: dict[str, Any]
) -> None:
    with pytest.raises(JobError, match=f"a column `{column}`, which this way of loading fills"):
        put(connection, {"id": "integer", column: "text"}, "1,x", **options)
    put(connection, {"id": "integer", column: "text"}, "1,x")


@pytest.mark.parametrize("mode", ["load: replace", "load: merge, key: [id]"])
def test_a_column_that_was_deleted_is_reported_once(
    task: OneTask, tmp_path: Path, mode: str
) -> None:
    with sqlite3.connect(tmp_path / "shop.db", isolation_level=None) as shop:
        shop.execute("create table item (id integer, a, b)")
        shop.execute("insert into item values (1, 2, 3)")
        action = f"{{do: database, query: q.sql, {mode}}}"
        task.has(f"url: sqlite:///{tmp_path}/shop.db", action, {"q.sql": "select * from item"})
        assert "gone" not in task.run()
        task.execute("alter table staging.thing add own text")
        assert "gone" not in task.run()
        shop.execute("alter table item drop column b")
        assert "the column b is no longer in the source" in task.run()
        assert "gone" not in task.run()
        assert "gone" not in task.run(full=True)
        shop.execute("alter table item add column b")
        task.run()
        shop.execute("alter table item drop column b")
        assert "the column b is no longer in the source" in task.run(full=True)
    assert list(task.types()) == ["id", "a", "b", "own"]


def test_a_renamed_column_is_a_warning_until_the_task_is_changed(
    task: OneTask, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "shop.db", isolation_level=None) as shop:
        shop.execute("create table item (id integer, name text)")
        shop.execute("insert into item values (1, 'a')")
        url, query = f"url: sqlite:///{tmp_path}/shop.db", {"q.sql": "select * from item"}
        task.has(url, "{do: database, query: q.sql, load: append}", query)
        task.run()
        shop.execute("alter table item rename name to title")
        task.run()
        assert "name was perhaps renamed to title" in dapu("status", task.folder).out
        (warning,) = task.rows("select message from meta.event where level = 'warning'")
        assert "name was perhaps renamed to title" in warning[0]
        task.run()
        assert "renamed" in dapu("status", task.folder).out
        action = "{do: database, query: q.sql, load: append, schema_change: {removed: keep}}"
        task.has(url, action, query)
        task.run()
        assert "renamed" not in dapu("status", task.folder).out
        shop.execute("alter table item add column size integer")
        shop.execute("alter table item drop column title")  # of another type
        task.run()
    assert task.rows("select count(*) from meta.event where level = 'warning'") == [(1,)]
