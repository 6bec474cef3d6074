"""Tasks of dapu 0.8 of all kinds, converted, registered and run against what they read."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dapu.agents.installed import known_agents
from dapu.convert.project import convert
from tests.conftest import Database, write_files
from tests.services.mariadb import MariaDB
from tests.services.misbehaving_http import MisbehavingServer
from tests.support.file_task import Share
from tests.support.maria_shop import Shop
from tests.support.one_task import OneTask
from tests.support.rounds import run_task

_OLD = {
    "conf/conf.yaml": "APP_NAME: shop\n",
    "routes/shop/route.yaml": "{name: Shop, type: sql, alias: shop}",
    "routes/shop/staging/invoice/haulwork.yaml": """
actions:
- do: export
  file: input.sql
  changedetection: ts
  ts_col: modified_ts
  pkcols: [id]
  cols: [id, amount, modified_ts]
  to: direct
""",
    "routes/shop/staging/invoice/input.sql": "select id, total, modified_ts from invoice\n"
    "where {{ts_column}} > '{{last_ts_value}}' order by {{ts_column}}",
    "routes/mart/route.yaml": "{name: Mart, type: sql}",
    "routes/mart/mart/revenue/haulwork.yaml": "{depends: [shop.staging.invoice], "
    "actions: [{do: shadow, input: q.sql, pkcol: [day], update: fix.sql}]}",
    "routes/mart/mart/revenue/q.sql": "select modified_ts::date as day, sum(amount) as amount\n"
    "from staging.invoice group by 1",
    "routes/mart/mart/revenue/fix.sql": "update {{target_schema}}.{{target_table_shadow}}\n"
    "set amount = -amount",
    "routes/school/route.yaml": "{type: http, arno: {url: '%ARNO_URL%/v1', method: GET}}",
    "routes/school/staging/program/haulwork.yaml": """
actions:
- do: restapi
  api_source: {api: arno, path: "/schools/{{jrk}}"}
  repeat_sql: {file: which.sql, mapping: {jrk: 2}}
- do: json
  origin: {file: unprocessed_files.json, file_is_index: true}
  extract: programs[]
  cols:
  - {name: jrk, from: params, data: jrk, type: int}
  - {name: school, from: data, data: name}
  - {name: program, from: extract, data: name}
  - {name: how, from: const, data: restapi}
  pkcols: [jrk, program]
""",
    "routes/school/staging/program/which.sql": "select 'x', i from generate_series(1, 2) i;",
    "routes/staff/route.yaml": "{type: file, alias: share}",
    "routes/staff/staging/person/haulwork.yaml": """
actions:
- do: excel
  source: {name: staff.xlsx, sheet: 1, start_row: 2}
  delete: all
  cols:
  - {name: code, from: a, transform: to_hash}
  - {name: name, from: b}
""",
}


def databases(database: Database, mariadb: MariaDB) -> str:
    """conf/sql.yaml."""
    server = database.server
    target = f"driver: pg, host: {server.socket_directory}, port: {server.port}"
    source = f"driver: maria, host: {mariadb.host}, port: {mariadb.port}, database: shop"
    return (
        f"target: {{{target}, database: {database.name}, username: {server.username}}}\n"
        f"shop: {{{source}, username: {mariadb.username}, password: '{mariadb.password}'}}\n"
    )


def test_tasks_of_all_kinds_load(
    tmp_path: Path,
    task: OneTask,
    shop: Shop,
    mariadb: MariaDB,
    server: MisbehavingServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ARNO_URL", server.url)
    old, new, share = tmp_path / "old", tmp_path / "new", Share(tmp_path / "share")
    share.book("staff.xlsx", [["Code", "Name"], [38001085718, "Ann"], [None, "Bob"]])
    write_files(old, {**_OLD, "conf/sql.yaml": databases(task.database, mariadb)})
    write_files(old, {"conf/file.yaml": f"share: {share.path}\n"})
    done = convert(old, new, "UTC", lambda of: known_agents(of).reader(of))
    assert done.drafts == []

    def run(name: str) -> None:
        outcome = run_task(new, name)
        assert outcome.status == "done", outcome.message

    shop.run(
        "create table invoice (id int, total decimal(9, 2), modified_ts datetime)",
        "insert into invoice values (1, 1.50, '2024-01-01 10:00'), (2, 2.25, '2024-01-01 11:00')",
    )
    task.make_table("id int, amount numeric(9, 2), modified_ts timestamp", "staging.invoice")
    run("shop.staging.invoice")
    shop.run("insert into invoice values (3, 7, '2024-01-02 00:00')", "delete from invoice limit 1")
    run("shop.staging.invoice")
    amounts = task.rows("select id, amount::text from staging.invoice order by 1")
    assert amounts == [(1, "1.50"), (2, "2.25"), (3, "7.00")]

    run("mart.mart.revenue")
    revenue = task.rows("select day::text, amount::text from mart.revenue order by 1")
    assert revenue == [("2024-01-01", "-3.75"), ("2024-01-02", "-7.00")]

    for number, programs in ((1, [{"name": "a"}, {"name": "b"}]), (2, [{"name": "c"}])):
        answer = [{"name": f"S{number}", "programs": programs}]
        server.on(f"/v1/schools/{number}", answer)
    run("school.staging.program")
    loaded = "select jrk, school, program, how from staging.program order by 1, 3"
    assert task.rows(loaded) == [
        (1, "S1", "a", "restapi"), (1, "S1", "b", "restapi"), (2, "S2", "c", "restapi"),
    ]  # fmt: skip

    run("staff.staging.person")
    hashed = hashlib.md5("1970.38001085718.Ämber".encode()).hexdigest()
    people = task.rows("select code, name from staging.person order by 2")
    assert people == [(hashed, "Ann"), (None, "Bob")]
