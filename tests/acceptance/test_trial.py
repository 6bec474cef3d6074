"""What a task would do, before it is kept: `render`, `preview`, `diff`, `run --dry-run`."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession

from tests.conftest import MakeWarehouse
from tests.support.command import here
from tests.support.components import rows, write
from tests.support.rounds import prepare, run_task

_QUERY = "select id, name, day, amount, at from public.sale where name <> {{ not_this }}"
_MODES = {
    "replaced": "load: replace",
    "merged": "load: merge, key: [id], watermark: {column: at}",
    "appended": "load: append, watermark: {column: at}",
    "snapshot": "load: snapshot, key: [id]",
    "history": "load: history, key: [id]",
    "period": "load: period, period: {column: day, by: month}",
}


@pytest.fixture
def folder(make_warehouse: MakeWarehouse, connection: PgSession) -> Path:
    rows(
        connection,
        "create table public.sale (id int primary key, name text, day date, amount numeric,"
        " at int);"
        "insert into public.sale select n, 'n' || n, date '2024-01-01' + n, n, n"
        " from generate_series(1, 60) n",
    )
    files = {"routes/r/route.yaml": 'variables: {not_this: "O\'Hara"}\n'}
    for name, load in _MODES.items():
        do = "database" if name == "merged" else "transform"
        action = f"actions: [{{do: {do}, query: q.sql, {load}}}]\n"
        files |= {f"routes/r/m/{name}/task.yaml": action, f"routes/r/m/{name}/q.sql": _QUERY}
    folder = make_warehouse(files)
    prepare(folder)
    return folder


def _run_and_change(folder: Path, connection: PgSession, *names: str) -> None:
    for name in names:
        assert run_task(folder, f"r.m.{name}").status == "done"
    rows(
        connection,
        "delete from public.sale where id = 2;"
        "update public.sale set amount = 1.0, at = 61 where id = 1;"
        "insert into public.sale values (70, E'\\x1b[31m<|>\\n', '2024-02-01', null, 70)",
    )


def _look(connection: PgSession, name: str) -> Counter[Any]:
    return Counter(str(row) for row in rows(connection, f"select * from m.{name}"))


def test_a_diff_says_what_the_run_then_does_in_each_load_mode(
    folder: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    _run_and_change(folder, connection, *_MODES)
    state = "select task, value from meta.watermark union all select task, hash from meta.registry"
    jobs, kept = rows(connection, "select count(*) from meta.agenda"), rows(connection, state)
    for name in _MODES:
        before = _look(connection, name)
        done = here(capsys, "diff", folder, f"r.m.{name}", "--json")
        assert done.status == 0, done.text
        said = json.loads(done.out)
        assert _look(connection, name) == before, name
        assert rows(connection, state) == kept
        assert rows(connection, "select count(*) from meta.agenda") == jobs
        assert run_task(folder, f"r.m.{name}").status == "done"
        kept, jobs = rows(connection, state), rows(connection, "select count(*) from meta.agenda")
        after = _look(connection, name)
        came, gone = after - before, before - after
        assert said["inserted"] + said["updated"] == came.total(), name
        assert said["deleted"] + said["updated"] == gone.total(), name
        assert (said["before_rows"], said["after_rows"]) == (before.total(), after.total())
        if name == "snapshot":
            assert (said["inserted"], said["updated"], said["deleted"]) == (1, 1, 1)
            [pair] = said["samples"]["updated"]
            assert (pair["before"]["amount"], pair["after"]["amount"]) == ("1", "1.0")
            assert said["samples"]["deleted"] == [
                {"id": "2", "name": "n2", "day": "2024-01-03", "amount": "2", "at": "2"}
            ]


def test_a_diff_of_columns_and_of_a_check_that_would_fail(
    folder: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    _run_and_change(folder, connection, "snapshot")
    query = "select id::bigint, name, 'x' as more, at from public.sale"
    write(
        folder,
        {
            "routes/r/m/snapshot/q.sql": query,
            "routes/r/m/snapshot/task.yaml": "actions: [{do: transform, query: q.sql,"
            " load: snapshot, key: [id]}]\nchecks: [{not_null: [more]}, {unique: [more]}]\n",
        },
    )
    done = here(capsys, "diff", folder, "r.m.snapshot", "--json", "--samples", "1")
    assert done.status == 1
    assert "unique: [more]" in done.err
    said = json.loads(done.out)
    assert said["columns"] == ["+ more text", "~ id integer -> bigint"]
    assert (said["inserted"], said["updated"], said["deleted"]) == (1, 59, 1)
    # On a terminal nothing of a value is obeyed, and each row is one line.
    shown = here(capsys, "diff", folder, "r.m.snapshot")
    assert "\x1b" not in shown.out
    assert "\\x1b[31m<|>\\n" in shown.out


def test_a_preview_has_types_and_rows_and_writes_nothing(
    folder: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    _run_and_change(folder, connection, "merged")
    write(
        folder,
        {
            "routes/r/m/fresh/task.yaml": "actions: [{do: database, query: q.sql}]",
            "routes/r/m/fresh/q.sql": "select id, name, day as on_day from public.sale order by id",
        },
    )
    before = rows(connection, "select count(*) from pg_catalog.pg_class where relnamespace > 20000")
    done = here(capsys, "preview", folder, "r.m.fresh", "--rows", "2", "--json")
    assert done.status == 0, done.text
    [action] = json.loads(done.out)
    assert [(c["name"], c["type"], c["in_table"]) for c in action["columns"]] == [
        ("id", "integer", None),
        ("name", "text", None),
        ("on_day", "date", None),
    ]
    assert action["rows"] == [
        {"id": 1, "name": "n1", "on_day": "2024-01-02"},
        {"id": 3, "name": "n3", "on_day": "2024-01-04"},
    ]
    [known] = json.loads(here(capsys, "preview", folder, "r.m.merged", "--json").out)
    assert {c["name"]: c["in_table"] for c in known["columns"]}["amount"] == "numeric"
    assert len(known["rows"]) == 20
    after = rows(connection, "select count(*) from pg_catalog.pg_class where relnamespace > 20000")
    assert after == before


def test_rendered_sql_has_its_variables_and_its_watermark(
    folder: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    _run_and_change(folder, connection, "merged")
    done = here(capsys, "render", folder, "r.m.merged", "--json")
    assert done.status == 0, done.text
    [file] = json.loads(done.out)
    assert (file["action"], file["file"]) == ("database", "q.sql")
    assert "name <> 'O''Hara'" in file["sql"]
    assert file["values"] == ["O'Hara", 60, 70]
    [first] = json.loads(here(capsys, "render", folder, "r.m.merged", "--full", "--json").out)
    assert first["values"] == ["O'Hara", 70]
    assert "-- transform: q.sql" in here(capsys, "render", folder, "r.m.replaced").out


def test_a_dry_run_says_what_would_run_and_why(
    folder: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    below = "depends: [r.m.merged]\nactions: [{do: sql, file: q.sql}]\n"
    write(folder, {"routes/r/x/sums/task.yaml": below, "routes/r/x/sums/q.sql": "select 1"})
    write(folder, {"routes/r/m/period/q.sql": _QUERY + " and true"})
    jobs = rows(connection, "select count(*) from meta.agenda")
    done = here(capsys, "run", folder, "m.period", "m.merged+", "--dry-run", "--json")
    assert done.status == 0, done.text
    said = {one["task"]: one for one in json.loads(done.out)}
    assert list(said).index("r.m.merged") < list(said).index("r.x.sums")
    assert said["r.x.sums"]["why"] == "`m.merged+`: it depends on m.merged"
    assert {task: one["definition"] for task, one in said.items()} == {
        "r.m.merged": "unchanged",
        "r.m.period": "changed",
        "r.x.sums": "new",
    }
    prepare(folder)
    options = ("--from", "1", "--to", "9", "--downstream", "--dry-run")
    done = here(capsys, "run", folder, "r.m.merged", *options)
    assert done.status == 0, done.text
    assert "2 tasks would run; nothing is queued" in done.out
    assert rows(connection, "select count(*) from meta.agenda") == jobs


def test_a_dry_run_of_what_changed_since_a_commit(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -qm x"):
        subprocess.run(["git", "-C", str(folder), *command.split()], check=True)
    write(folder, {"routes/r/m/period/q.sql": _QUERY + " and true"})
    done = here(capsys, "run", folder, "changed:HEAD", "--dry-run", "--json")
    assert [one["task"] for one in json.loads(done.out)] == ["r.m.period"]
    write(folder, {"routes/r/m/period/q.sql": _QUERY + " -- as before"})
    assert json.loads(here(capsys, "run", folder, "changed:", "--dry-run", "--json").out) == []
    assert "git knows no `mian`" in here(capsys, "status", folder, "changed:mian").err
