"""A job that fails keeps where: the line of the definition, and the SQL as it was sent."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from textwrap import dedent

from dapu.registry.failed_at import FailedAt, failed_at
from tests.integration.worker.test_sql_files import has
from tests.support.one_task import TASK, OneTask
from tests.support.rounds import prepare


def own_connection(task: OneTask) -> str:
    """The keys of a connection to the warehouse's own database."""
    return dedent(task.database.connections_yaml().partition("\n")[2]).rstrip()


def where_it_failed(task: OneTask) -> FailedAt:
    """As the newest event that went wrong has it."""
    ((data,),) = task.rows(
        "select data from meta.event where level <> 'info' order by event desc limit 1"
    )
    found = failed_at(data)
    assert found is not None
    return found


def test_transform_keeps_its_query_as_the_server_got_it(task: OneTask) -> None:
    query = "select g\nfrom generate_series(1, {{ most }}) g\nwhere gg > 0"
    has(task, "- {do: transform, query: q.sql}", {"q.sql": query})
    path = task.folder / "routes/source/staging/thing/task.yaml"
    path.write_text(
        "run: {retries: 0}\nvariables: {most: 7}\nactions:\n- {do: transform, query: q.sql}"
    )
    assert 'q.sql:3: column "gg" does not exist' in task.fails()
    found = where_it_failed(task)
    assert (list(found.definition), found.file, found.line) == (["actions", 0], "q.sql", 3)
    assert found.sql is not None
    assert found.sql_line is not None
    assert "generate_series(1, 7)" in found.sql
    assert found.sql.splitlines()[found.sql_line - 1].startswith("where gg > 0")


def test_of_a_script_the_statement_that_failed_is_kept(task: OneTask) -> None:
    has(
        task,
        "- {do: sql, file: [one.sql]}\n- {do: sql, file: [two.sql]}",
        {"one.sql": "select 1", "two.sql": "create table a (i int);\n\nselect 1,\n  i / 0\nfrom b"},
    )
    task.fails()
    found = where_it_failed(task)
    assert found == (["actions", 1], "two.sql", 5, "select 1,\n  i / 0\nfrom b", 3)


def test_query_of_a_source_is_kept_with_the_bounds_of_its_watermark(task: OneTask) -> None:
    task.has(
        own_connection(task),
        "do: database\nquery: q.sql\nload: append\nwatermark: {column: at}",
        {"q.sql": "select at, 10 / (2 - at) as each\nfrom numbers"},
    )
    task.execute("create table numbers (at int); insert into numbers values (1)")
    task.run()
    task.execute("insert into numbers values (2)")
    assert "division by zero" in task.fails()
    found = where_it_failed(task)
    assert found.file == "q.sql"
    assert found.sql is not None
    assert "10 / (2 - at)" in found.sql
    assert "<= 2" in found.sql


def test_query_that_another_database_refuses_is_kept(task: OneTask, tmp_path: Path) -> None:
    path = tmp_path / "src.db"
    with closing(sqlite3.connect(path)) as session, session:
        session.execute("create table t (id integer primary key)")
    task.has(
        f'url: "sqlite:///{path}"',
        "do: database\nquery: q.sql",
        {"q.sql": "select id, nme from t where name = {{ task }}"},
    )
    task.fails()
    found = where_it_failed(task)
    assert (found.file, found.sql) == ("q.sql", f"select id, nme from t where name = '{TASK}'")


def test_check_keeps_what_it_asked(task: OneTask) -> None:
    has(task, "- {do: transform, query: q.sql}", {"q.sql": "select 1 as a"})
    path = task.folder / "routes/source/staging/thing/task.yaml"
    with path.open("a") as file:
        file.write("\nchecks:\n- not_null: [a]\n- {accepted_values: {a: [2]}, severity: warn}\n")
        file.write("- unique: [b]\n")
    assert "unique" in task.fails()
    found = where_it_failed(task)
    assert list(found.definition) == ["checks", 2]
    assert found.sql is not None
    assert '"b"' in found.sql
    ((warned,),) = task.rows("select data from meta.event where level = 'warning'")
    assert failed_at(warned) is not None
    assert warned["failed_at"]["definition"] == ["checks", 1]


def test_check_of_a_file_keeps_its_line(task: OneTask) -> None:
    files = {"q.sql": "select 1 as a", "c.sql": "select a\nfrom {{ this }}\nwhere b > {{ task }}"}
    has(task, "- {do: transform, query: q.sql}", files)
    path = task.folder / "routes/source/staging/thing/task.yaml"
    with path.open("a") as file:
        file.write("\nchecks:\n- sql: c.sql\n")
    task.fails()
    found = where_it_failed(task)
    assert (list(found.definition), found.file, found.line) == (["checks", 0], "c.sql", 3)
    assert found.sql is not None
    assert found.sql_line == 3
    assert f"where b > '{TASK}'" in found.sql


def test_step_that_fails_is_an_event_of_its_task(task: OneTask) -> None:
    has(task, "- {do: transform, query: q.sql}", {"q.sql": "select 1 as a"})
    (task.folder / "routes/source/staging/thing/ver").mkdir()
    step = task.folder / "routes/source/staging/thing/ver/001_create.sql"
    step.write_text("create schema if not exists staging;\ncreate table {{ this }} (\n  a intt)")
    prepare(task.folder)
    prepare(task.folder)
    assert task.rows("select count(*) from meta.event where level = 'error'") == [(1,)]
    found = where_it_failed(task)
    assert (found.file, found.line, found.sql_line) == ("ver/001_create.sql", 3, 2)
    assert found.sql is not None
    assert 'create table "staging"."thing"' in found.sql


def test_a_secret_is_not_kept(task: OneTask) -> None:
    task.has(
        own_connection(task) + '\npassword: "hush hush, hush"',
        "do: database\nquery: q.sql",
        {"q.sql": "select nothing as a, 'hush hush, hush' as b"},
    )
    task.fails()
    found = where_it_failed(task)
    assert found.sql is not None
    assert "'***'" in found.sql
    assert "hush" not in found.sql


def test_long_sql_is_cut_around_the_line_that_failed() -> None:
    lines = [f"-- {'x' * 40} {number}" for number in range(1, 1001)]
    found = failed_at(FailedAt(sql="\n".join(lines), sql_line=700).data())
    assert found is not None
    assert found.sql is not None
    assert found.sql_line is not None
    assert len(found.sql) < 17_000
    assert found.sql.splitlines()[found.sql_line - 1].endswith(" 700")
