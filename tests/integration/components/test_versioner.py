"""The Versioner: the registry and the warehouse's own steps, each once and in order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as PgSession

from dapu.components.cleaner import clean
from dapu.errors import ConfigurationError, DatabaseUnreachable, FaultyFile, StepFault
from dapu.named_sql import registry_scripts
from dapu.warehouse.warehouse import open_warehouse
from dapu.worker.worker import Worker
from tests.conftest import Database, MakeWarehouse
from tests.support.components import a_task, manager, one, queued, registrar, rows, versioner, write
from tests.support.dapu_0_8 import make_registry
from tests.support.rounds import Seen, run_due

pytestmark = pytest.mark.without_registry

TABLES = {
    "agenda", "control", "dependency", "event", "migration", "override", "registry", "route",
    "seen", "watermark", "worker",
}  # fmt: skip


def tables(connection: PgSession, schema: str) -> set[str]:
    found = rows(connection, "select tablename from pg_tables where schemaname = %s", [schema])
    return {name for (name,) in found}


def worker(folder: Path) -> Any:
    return Worker(open_warehouse(folder), Seen(), minutes=1).run()


def test_it_makes_the_registry_once(make_warehouse: MakeWarehouse, connection: PgSession) -> None:
    folder = make_warehouse()
    names = [script.name for script in registry_scripts()]
    assert versioner(folder).registry == names
    assert versioner(folder).registry == []
    assert tables(connection, "meta") >= TABLES
    applied = "select name from meta.migration where scope = 'registry' order by number"
    assert [name for (name,) in rows(connection, applied)] == names


def test_every_table_and_column_of_the_registry_has_a_comment(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    versioner(make_warehouse())
    bare = rows(connection, """
        select c.relname, a.attname from pg_class c
        left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'meta'::regnamespace and c.relkind = 'r'
        and (obj_description(c.oid, 'pg_class') is null
            or col_description(c.oid, a.attnum) is null)
    """)  # fmt: skip
    assert bare == []


def test_schema_and_prefix_of_the_registry_can_be_chosen(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse({
        "warehouse.yaml": "registry: {schema: bookkeeping, prefix: d_}",
        "routes/r/route.yaml": "",
        **a_task("r.s.a", {"run.sql": "create table s.a ()", "ver/001_a.sql": "create table s.a ()",
                           "task.yaml": "actions: [{do: sql, file: run.sql}]"}),
        **a_task("r.s.b", depends="[r.s.a]"),
    })  # fmt: skip
    write(folder, {"routes/r/s/a/run.sql": "insert into {{ this }} default values"})
    versioner(folder)
    registrar(folder)
    assert run_due(folder).outcomes["r.s.b"].status == "done"
    assert tables(connection, "bookkeeping") >= {f"d_{name}" for name in TABLES}
    assert one(connection, "select to_regnamespace('meta')") is None
    assert one(connection, "select count(*) from bookkeeping.d_agenda where status = 'done'") == 2
    assert sum(clean(open_warehouse(folder))) == 0


def test_the_warehouse_s_own_steps_are_applied_once_and_in_order(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse({
        "ver/010_more.sql": "insert into staging.t values (2); select '100%';",
        "ver/9_first.sql": "create schema staging;\ncreate table staging.t (a int);",
    })  # fmt: skip
    assert versioner(folder).warehouse == ["9_first.sql", "010_more.sql"]
    assert versioner(folder).warehouse == []
    write(folder, {"ver/011_last.sql": "insert into staging.t values (3)"})
    assert versioner(folder).warehouse == ["011_last.sql"]
    assert rows(connection, "select a from staging.t order by a") == [(2,), (3,)]


def test_a_step_that_fails_is_reported_with_its_line_and_leaves_nothing(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse({
        "ver/001_a.sql": "create table a (b int primary key)",
        "ver/002_b.sql": "insert into a values (1);\n\n-- again\ninsert into a\n  values (1);",
        "ver/003_c.sql": "insert into a values (3)",
    })  # fmt: skip
    with pytest.raises(StepFault) as caught:
        versioner(folder)
    assert str(caught.value) == (
        f"{folder}/ver/002_b.sql:4: duplicate key value violates unique constraint "
        '"a_pkey"; Key (b)=(1) already exists.'
    )
    assert rows(connection, "select * from a") == []
    write(folder, {"ver/002_b.sql": "insert into a values (2)"})
    assert versioner(folder).warehouse == ["002_b.sql", "003_c.sql"]


@pytest.mark.parametrize(("text", "line", "message"), [
    ("select 1;\nselect\n  nothing;", 3, 'column "nothing" does not exist'),
    ("select 1;\nselct 2;", 2, 'syntax error at or near "selct"'),
    ("\ndo $$\nbegin raise exception 'no'; end $$", 2,
     "no (PL/pgSQL function inline_code_block line 2 at RAISE)"),
    ("create table a (b int unique deferrable initially deferred);\ninsert into a values (1), (1)",
     1, 'duplicate key value violates unique constraint "a_b_key"; Key (b)=(1) already exists.'),
    ("create index concurrently i on pg_class (relname)", 1,
     "CREATE INDEX CONCURRENTLY cannot run inside a transaction block"),
])  # fmt: skip
def test_the_line_is_that_of_the_fault(
    make_warehouse: MakeWarehouse, text: str, line: int, message: str
) -> None:
    folder = make_warehouse({"ver/001_a.sql": ""})
    (folder / "ver/001_a.sql").write_text(text)
    with pytest.raises(StepFault) as caught:
        versioner(folder)
    assert str(caught.value) == f"{folder}/ver/001_a.sql:{line}: {message}"


def test_who_a_step_became_and_what_it_set_is_not_for_the_next(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    role = one(connection, "select 'nobody_of_' || current_database()")
    folder = make_warehouse({
        "ver/001_a.sql": f"create role {role}; set role {role}; set search_path to nowhere;\n"
        "set timezone to 'Asia/Tokyo'",
        "ver/002_b.sql": "create table who as select current_user as me, "
        "current_setting('timezone') as zone",
    })  # fmt: skip
    try:
        versioner(folder)
        assert rows(connection, "select * from public.who") == [("postgres", "UTC")]
    finally:
        rows(connection, f"drop role {role}")


@pytest.mark.parametrize(("change", "message"), [
    ({"ver/001_a.sql": "select 2"}, "001_a.sql:1: was changed after it was applied (as 001_a.sql); "
     "put it back as it was, and write the change as a new step"),
    ({"ver/002_c.sql": "select 1"}, "002_c.sql:1: number 2 comes before 5, which was applied "
     "already; give the new step the next free number"),
])  # fmt: skip
def test_what_was_applied_cannot_be_changed(
    make_warehouse: MakeWarehouse, change: dict[str, str], message: str
) -> None:
    folder = make_warehouse({"ver/001_a.sql": "select 1", "ver/005_b.sql": "select 1"})
    versioner(folder)
    write(folder, change)
    with pytest.raises(StepFault) as caught:
        versioner(folder)
    assert str(caught.value) == f"{folder}/ver/{message}"


def test_a_faulty_step_stops_it_before_it_begins(make_warehouse: MakeWarehouse) -> None:
    folder = make_warehouse({"ver/001_a.sql": "select 1", "ver/create.sql": "commit"})
    with pytest.raises(FaultyFile, match=r"create.sql:1: a step is named NNN_name.sql"):
        versioner(folder)


COMMANDS: list[Callable[[Path], Any]] = [registrar, manager, worker]


@pytest.mark.parametrize("command", [versioner, *COMMANDS])
def test_a_registry_newer_than_the_code_stops_every_command(
    make_warehouse: MakeWarehouse, connection: PgSession, command: Callable[[Path], Any]
) -> None:
    folder = make_warehouse({"ver/001_a.sql": "create table never ()"})
    (folder / "ver/001_a.sql").rename(folder / "keep")
    versioner(folder)
    (folder / "keep").rename(folder / "ver/001_a.sql")
    rows(connection, "insert into meta.migration values ('registry', 999, '999_new.sql', 'x')")
    known = len(registry_scripts())
    with pytest.raises(ConfigurationError) as caught:
        command(folder)
    message = str(caught.value)
    assert "version 999" in message
    assert f"this dapu knows {known}" in message
    assert one(connection, "select to_regclass('never')") is None


@pytest.mark.parametrize("command", COMMANDS)
def test_an_older_registry_must_be_brought_up_to_date_first(
    make_warehouse: MakeWarehouse, connection: PgSession, command: Callable[[Path], Any]
) -> None:
    folder = make_warehouse()
    versioner(folder)
    known = len(registry_scripts())
    rows(connection, "delete from meta.migration where number = %s", [known])
    with pytest.raises(ConfigurationError) as caught:
        command(folder)
    message = str(caught.value)
    assert f"version {known - 1}" in message
    assert f"this dapu needs {known}" in message
    assert "run `dapu versioner`" in message


@pytest.mark.parametrize("command", COMMANDS)
def test_a_component_that_runs_before_the_versioner_says_so(
    make_warehouse: MakeWarehouse, command: Callable[[Path], Any]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        command(make_warehouse())
    message = str(caught.value)
    assert "schema `meta`" in message
    assert "run `dapu versioner`" in message


def test_two_at_once_take_turns(make_warehouse: MakeWarehouse, connection: PgSession) -> None:
    folder = make_warehouse({"ver/001_a.sql": "create table a (); select pg_sleep(0.2)"})
    done: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: done.append(versioner(folder).warehouse)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [[], [], ["001_a.sql"]]


def test_a_database_that_does_not_answer_is_reported_without_its_password(
    make_warehouse: MakeWarehouse, tmp_path: Path
) -> None:
    folder = make_warehouse({
        "connections.yaml": f"- {{name: main, driver: pg, host: {tmp_path}, database: dwh, "
        "username: me, password: marked}",
    })  # fmt: skip
    with pytest.raises(DatabaseUnreachable) as caught:
        versioner(folder)
    message = str(caught.value)
    assert message.startswith(
        f"the warehouse's database does not answer (main in connections.yaml: me@{tmp_path}:5432/"
        "dwh): connection to server on socket"
    )
    assert "marked" not in message


def test_the_rights_of_a_plain_user_are_enough_where_the_schemas_are_there(
    make_warehouse: MakeWarehouse, connection: PgSession, database: Database
) -> None:
    role = f"plain_{database.name}"
    rows(connection, f"""
        create role {role} login;
        create schema meta authorization {role}; create schema s authorization {role};
        revoke create on database {database.name} from public;
    """)  # fmt: skip
    folder = make_warehouse({
        "connections.yaml": database.connections_yaml().replace("postgres\n", f"{role}\n"),
        "routes/r/route.yaml": "",
        **a_task("r.s.a", {"ver/001_a.sql": "create table s.a ()"}),
        **a_task("r.other.b", {"ver/001_b.sql": "create table other.b ()"}),
    })  # fmt: skip
    try:
        versioner(folder)
        done = registrar(folder)
        assert [str(fault) for fault in done.faults] == [
            f"{folder}/routes/r/other/b/ver/001_b.sql:1: the schema other cannot be made: "
            f"permission denied for database {database.name}"
        ]
        assert queued(folder) == ["r.s.a"]
    finally:
        rows(connection, f"drop owned by {role} cascade; drop role {role}")


def test_the_session_has_the_warehouse_s_time_zone_and_utf8(
    make_warehouse: MakeWarehouse, database: Database
) -> None:
    with closing(database.connect()) as session:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute(f"alter database {database.name} set client_encoding to latin1")
    folder = make_warehouse({"warehouse.yaml": "timezone: Asia/Tokyo"})
    with open_warehouse(folder).session("test") as session, session.cursor() as cursor:
        cursor.execute("select current_setting('timezone'), current_setting('client_encoding'), "
                       "current_setting('application_name'), 'ü€'")  # fmt: skip
        assert cursor.fetchone() == ("Asia/Tokyo", "UTF8", "dapu test", "ü€")
    assert psycopg2.extensions.encodings["UTF8"] == "utf_8"


def test_a_server_that_cannot_look_for_its_clients_is_taken_without(
    make_warehouse: MakeWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = {"a_setting_of_another_system": "5s"}
    monkeypatch.setattr("dapu.warehouse.postgres_session._CHECK", check)
    with open_warehouse(make_warehouse()).session("test") as session, session.cursor() as cursor:
        cursor.execute("show datestyle")
        assert cursor.fetchone() == ("ISO, MDY",)


def test_registry_of_dapu_0_8_is_recognised_and_left_alone(
    make_warehouse: MakeWarehouse, database: Database, connection: PgSession
) -> None:
    make_registry(database)
    folder = make_warehouse({"ver/001_a.sql": "create table public.a ()"})
    before = tables(connection, "meta")
    with pytest.raises(ConfigurationError, match=r"registry of dapu 0\.8.*schema: dapu"):
        versioner(folder)
    assert tables(connection, "meta") == before
    assert one(connection, "select to_regclass('public.a')") is None
    write(folder, {"warehouse.yaml": "registry: {schema: dapu}"})
    assert versioner(folder).warehouse == ["001_a.sql"]
    assert tables(connection, "meta") == before


def test_tables_of_others_in_the_schema_are_not_those_of_dapu_0_8(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    rows(connection, "create schema meta; create table meta.version (folder_alias text)")
    assert versioner(make_warehouse()).registry
