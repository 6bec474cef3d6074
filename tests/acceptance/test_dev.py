"""A dev warehouse: only what changed is built, all else is a view, and nothing else is written.

r.staging.sale --> r.mart.day --> r.mart.month
r.staging.shop ----^
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as PgSession

from tests.conftest import Database, MakeWarehouse
from tests.support.command import here
from tests.support.components import one, rows, write
from tests.support.rounds import prepare, run_due

_DAY = 'select sale.day, sum(sale.amount) as amount from staging.sale join "staging"."shop" as p'
_DAY += " on p.id = sale.shop group by 1 -- staging.sale"


def _task(name: str, query: str, more: str = "") -> dict[str, str]:
    folder = f"routes/r/{name.replace('.', '/')}"
    text = f"actions: [{{do: transform, query: q.sql}}]\n{more}"
    return {f"{folder}/task.yaml": text, f"{folder}/q.sql": query}


@pytest.fixture
def folder(
    make_warehouse: MakeWarehouse,
    database: Database,
    connection: PgSession,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    role = f"reader_{database.name}"
    reading = database.connections_yaml().replace("name: main", "name: reading")
    reading = reading.replace(f"username: {database.server.username}", f"username: {role}")
    folder = make_warehouse(
        {
            "connections.yaml": database.connections_yaml() + reading,
            "routes/r/route.yaml": "",
            **_task("staging.sale", "select date '2024-01-01' as day, 5 as amount, 1 as shop"),
            **_task("staging.shop", "select 1 as id"),
            "routes/r/mart/month/ver/001_create.sql": "create table mart.month (amount numeric);"
            " comment on table mart.month is 'mart.month'",
            **_task("mart.day", _DAY, "depends: [r.staging.sale, r.staging.shop]"),
            **_task("mart.month", "select sum(amount) as amount from mart.day", "depends: auto"),
        }
    )
    prepare(folder)
    run_due(folder)
    for command in ("init -q -b main", "add .", "-c user.name=a -c user.email=a@b commit -qm x"):
        subprocess.run(["git", "-C", str(folder), *command.split()], check=True)
    rows(
        connection,
        f"create role {role} login; grant create on database {database.name} to {role};"
        f"grant usage on schema staging, mart to {role};"
        f"grant select on all tables in schema staging, mart to {role}",
    )
    return folder


def test_what_changed_is_built_by_a_role_that_may_only_read(
    folder: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    production = "select 'mart', amount::text from mart.month union all select task, hash"
    production += " from meta.registry order by 1"
    before = rows(connection, production)
    write(folder, {"routes/r/mart/day/q.sql": _DAY.replace("sum(", "10 * sum(")})
    options = ("anna", "--connection", "reading", "--json")
    done = here(capsys, "dev", "up", folder, *options)
    assert done.status == 0, done.text
    said = json.loads(done.out)
    assert said["built"] == {"r.mart__anna.day": "done", "r.mart__anna.month": "done"}
    assert said["views"] == 2
    assert one(connection, "select amount from mart__anna.month") == 50
    assert rows(connection, production) == before
    assert one(connection, "select amount from staging__anna.sale") == 5
    done = here(capsys, "dev", "diff", folder, *options)
    assert done.status == 0, done.text
    assert [(two["task"], two["inserted"], two["deleted"]) for two in json.loads(done.out)] == [
        ("r.mart.day", 1, 1),
        ("r.mart.month", 1, 1),
    ]
    # A second `up` makes it anew; `down` leaves nothing.
    write(folder, {"routes/r/mart/day/q.sql": _DAY})
    write(folder, {"routes/r/mart/month/q.sql": "select 7 as amount from mart.day"})
    done = here(capsys, "dev", "up", folder, "anna", "--connection", "reading")
    assert "1 task of 1 built and 3 views in staging__anna, mart__anna" in done.out
    assert one(connection, "select amount from mart__anna.month") == 7
    done = here(capsys, "dev", "down", folder, *options)
    assert json.loads(done.out)["schemas"] == ["mart__anna", "meta__anna", "staging__anna"]
    schemas = "select count(*) from pg_namespace where nspname like '%anna'"
    assert one(connection, schemas) == 0
    assert rows(connection, production) == before


def test_a_view_of_production_cannot_be_written_through(
    folder: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, {"routes/r/mart/month/q.sql": "select 1 as amount"})
    assert here(capsys, "dev", "up", folder, "bo").status == 0
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState):
        rows(connection, "insert into staging__bo.shop values (2)")
    done = here(capsys, "dev", "up", folder, "No Name")
    assert (done.status, "No Name" in done.err) == (2, True)
    rows(connection, "create schema staging__cy")
    done = here(capsys, "dev", "up", folder, "cy")
    assert (done.status, "staging__cy" in done.err) == (2, True)
    assert here(capsys, "dev", "down", folder, "cy").out == "there is no dev warehouse `cy`\n"
    assert one(connection, "select count(*) from pg_namespace where nspname = 'staging__cy'") == 1
