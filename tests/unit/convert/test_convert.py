"""`dapu convert`: what a project of dapu 0.8 says, as a warehouse directory, and what is left."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dapu.agents.installed import known_agents
from dapu.convert.intervals import duration_of
from dapu.convert.project import Conversion, convert
from dapu.convert.select_columns import with_columns
from dapu.convert.sql_text import Pasted, converted_query, converted_script
from dapu.errors import ConfigurationError
from dapu.statement import TableName
from tests.conftest import write_files
from tests.support.command import here

PROJECT = Path(__file__).parents[2] / "data" / "dapu_0_8"
INVOICE = "routes/shop/staging/invoice"
Converts = Callable[[Mapping[str, str]], Conversion]


@pytest.fixture
def converts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Converts:
    """Converts the project in tests/data, with files that the test gives instead of its own."""
    monkeypatch.setenv("WH_HOST", "db")

    def run(files: Mapping[str, str]) -> Conversion:
        old = tmp_path / "old"
        shutil.copytree(PROJECT, old)
        write_files(old, files)
        return convert(
            old, tmp_path / "new", "Europe/Tallinn", lambda of: known_agents(of).reader(of)
        )

    return run


def read(done: Conversion, name: str) -> Any:
    return yaml.safe_load((done.folder / name).read_text())


def left(done: Conversion) -> list[str]:
    """What is left, as `file:line: key …`."""
    return [f"{one.file.name}:{one.line}: {one.message}" for one in done.left]


def test_whole_project(converts: Converts) -> None:
    done = converts({})
    assert (len(done.tasks), done.drafts) == (4, [])
    assert left(done) == ["conf.yaml:1: APP_NAME: has no match"]
    assert done.missing == ["WH_DATABASE", "WH_PASSWORD", "WH_PORT"]
    connections = read(done, "connections.yaml")
    assert [one["name"] for one in connections] == ["main", "shop"]
    assert connections[0]["password"] == "${WH_PASSWORD}"
    assert connections[0]["extra"] == {"application_name": "dapu", "connect_timeout": 10}
    assert read(done, "warehouse.yaml") == {
        "timezone": "Europe/Tallinn",
        "registry": {"schema": "dapu"},
        "defaults": {"run": {"priority": 3, "retries": 2, "timeout": "5 hours"}},
    }
    assert read(done, "routes/shop/route.yaml") == {"name": "The shop", "connection": "shop"}
    assert sorted(path.name for path in (done.folder / "ver").iterdir()) == [
        "001_schemas.sql", "002_comments.sql",
    ]  # fmt: skip
    assert "authorization postgres" in (done.folder / "ver/001_schemas.sql").read_text()


def test_export_by_time_is_a_merge_with_a_watermark(converts: Converts) -> None:
    done = converts({})
    assert read(done, f"{INVOICE}/task.yaml") == {
        "run": {"when": ["morning", "evening"], "pause": "4 hours", "priority": 2},
        "upgrade": {"keeps_data": [2]},
        "actions": [{
            "do": "database", "query": "input.sql", "load": "merge", "key": ["id"],
            "watermark": {"column": "modified_ts", "initial": "1990-01-01 00:00:00"},
        }],
    }  # fmt: skip
    query = (done.folder / INVOICE / "input.sql").read_text()
    assert "i.modified_ts >= {{ watermark }}" in query
    assert "as query (id, amount, modified_ts)" in query  # the source calls one of them `total`
    assert "ORDER" not in query
    step = (done.folder / INVOICE / "ver/001_create.sql").read_text()
    assert "create table staging.invoice (" in step
    assert "ak_invoice_4_uniq" in step


def test_shadow_is_a_transform_between_scripts(converts: Converts) -> None:
    task = read(converts({}), "routes/mart/mart/revenue/task.yaml")
    assert task == {
        "depends": ["shop.staging.invoice"],
        "actions": [
            {"do": "sql", "file": "before.sql"},
            {"do": "transform", "query": "query.sql", "key": ["day"]},
            {"do": "sql", "file": "after.sql"},
        ],
    }


def test_files_of_a_shadow_that_depend_on_a_change(converts: Converts) -> None:
    revenue = "routes/mart/mart/revenue"
    action = "{do: shadow, input: query.sql, afternew: after.sql, afterold: before.sql}"
    done = converts({f"{revenue}/haulwork.yaml": f"actions:\n- {action}"})
    assert read(done, f"{revenue}/task.yaml")["actions"] == [
        {"do": "transform", "query": "query.sql"},
        {"do": "sql", "file": "after.sql", "when": "changed"},
        {"do": "sql", "file": "before.sql", "when": "unchanged"},
    ]


def test_what_a_shadow_updates_is_a_temporary_table_before(converts: Converts) -> None:
    done = converts({
        "routes/mart/mart/revenue/haulwork.yaml":
            "actions:\n- {do: shadow, input: query.sql, pkcol: [day], update: fix.sql}\n",
        "routes/mart/mart/revenue/fix.sql":
            "update {{target_schema}}.{{target_table_shadow}} set amount = 0",
    })  # fmt: skip
    assert "mart.mart.revenue" not in done.drafts
    task = read(done, "routes/mart/mart/revenue/task.yaml")
    assert task["actions"] == [
        {"do": "sql", "file": "query.sql"},
        {"do": "sql", "file": "fix.sql"},
        {"do": "transform", "query": "shadow_result.sql", "key": ["day"]},
    ]
    folder = done.folder / "routes/mart/mart/revenue"
    query = (folder / "query.sql").read_text()
    assert query.startswith("create temporary table revenue_shadow on commit drop as\nselect")
    assert "update pg_temp.revenue_shadow set" in (folder / "fix.sql").read_text()


_SERVICE = """
name: Schools
type: http
arno:
  url: "%ARNO_URL%/v1"
  headers: {X-Client: "%CLIENT%"}
  auth: {method: bearer, token: s3cret}
  timeout: {connect: 5, read: 40}
  params: {lang: et}
"""
_ASKS = """
actions:
- do: restapi
  api_source: {api: arno, path: "/schools/{{jrk}}", retry: 2}
  repeat_sql: {file: which.sql, mapping: {jrk: 2}}
  repeat_index: {type: task, file: index.json, mode: append}
  continue_on_error: true
- do: json
  origin: {type: task, file: index.json, file_is_index: true}
  extract: programs[]
  cols:
  - {name: jrk, from: params, data: jrk, type: int}
  - {name: school, from: data, data: contact.name, type: text}
  - {name: program, from: extract, data: name}
  - {name: how, from: const, data: rest`api}
  pkcols: [jrk, program]
"""


def test_questions_and_what_reads_the_answers_become_one_action(converts: Converts) -> None:
    task = "routes/school/staging/program"
    done = converts({
        "routes/school/route.yaml": _SERVICE,
        f"{task}/haulwork.yaml": _ASKS,
        f"{task}/which.sql": "select name, id from staging.school;",
    })  # fmt: skip
    assert done.drafts == []
    [made] = [one for one in read(done, "connections.yaml") if one["name"] == "school_arno"]
    assert made == {
        "name": "school_arno",
        "driver": "rest",
        "url": "${ARNO_URL}/v1",
        "headers": {"X-Client": "${CLIENT}"},
        "auth": {"type": "bearer", "token": "${SCHOOL_ARNO_PASSWORD}"},
        "timeout": "40 s",
    }
    [action] = read(done, f"{task}/task.yaml")["actions"]
    assert action == {
        "do": "rest",
        "connection": "school_arno",
        "path": "schools/{jrk}",
        "parameters": {"lang": "et"},
        "repeat": {"query": "which.sql", "on_error": "skip"},
        "rows": "programs[]",
        "columns": {
            "jrk": {"repeat": "jrk", "type": "bigint"},
            "school": {"record": "contact.name", "type": "text"},
            "program": {"path": "name", "type": "text"},
            "how": {"path": '`"rest\\`api"`', "type": "text"},
        },
        "load": "merge",
        "key": ["jrk", "program"],
    }
    query = (done.folder / task / "which.sql").read_text()
    assert query.startswith("select unused_1, jrk from (")


def test_a_file_is_copied_between_connections_of_files(converts: Converts) -> None:
    place = "{type: fs, dir: %s, file: a.csv}"
    copy = f"origin: {place % '/srv/in/bank'}, destination: {place % '/srv/out'}"
    done = converts({
        "conf/file.yaml": "inbox: /srv/in\n",
        f"{INVOICE}/haulwork.yaml": f"actions:\n- {{do: filecopy, {copy}}}",
    })  # fmt: skip
    assert "shop.staging.invoice" not in done.drafts
    [action] = read(done, f"{INVOICE}/task.yaml")["actions"]
    assert action == {
        "do": "filecopy", "connection": "inbox", "file": "bank/a.csv", "to": "folder_srv_out",
    }  # fmt: skip
    made = {"name": "folder_srv_out", "driver": "files", "path": "/srv/out"}
    assert made in read(done, "connections.yaml")


def test_history_gets_a_step_that_takes_it_over(converts: Converts) -> None:
    done = converts({})
    folder = done.folder / "routes/mart/mart/customer_history"
    task = read(done, "routes/mart/mart/customer_history/task.yaml")
    assert task["actions"][1] == {
        "do": "transform", "query": "history.sql", "load": "history", "key": ["id"],
    }  # fmt: skip
    assert task["upgrade"] == {"keeps_data": [2]}
    assert (folder / "history.sql").read_text().split() == [
        "select", "id,", "name", "from", "mart.customer_history__imp",
    ]  # fmt: skip
    assert (
        "rename column dwh_effective_from to valid_from"
        in (folder / "ver/002_history_of_0_8.sql").read_text()
    )


@pytest.mark.parametrize(
    ("action", "line", "says"),
    [
        ("{do: export, file: input.sql, pkcols: [id], cols: [id]}", 2, "to: only `to: direct`"),
        ("{do: export, file: input.sql, cols: [id], to: direct}", 2, "`pkcols` is needed"),
        ("{do: runsql, file: none.sql}", 2, "file: names no file that is there"),
        ("{do: wash}", 2, "there is no agent `wash`"),
        ("{do: stream, file: input.sql}", 2, "`stream` is to be written by hand"),
    ],
)
def test_what_has_no_match_is_listed_and_its_task_a_draft(
    converts: Converts, action: str, line: int, says: str
) -> None:
    done = converts({f"{INVOICE}/haulwork.yaml": f"actions:\n- {action}"})
    assert "shop.staging.invoice" in done.drafts
    [found] = [one for one in left(done) if says in one]
    assert found.startswith(f"haulwork.yaml:{line}: actions.1")
    assert says in (done.folder / INVOICE / "task.yaml").read_text()
    # What reads its table waits for it as well.
    assert "mart.mart.revenue" in done.drafts


def test_placeholder_without_a_match_has_its_line(converts: Converts) -> None:
    done = converts({
        f"{INVOICE}/haulwork.yaml": "actions: [{do: runsql, file: input.sql}]",
        f"{INVOICE}/input.sql": "select 1;\n\nselect * from {{target_table_shadow}}",
    })  # fmt: skip
    assert "input.sql:3: {{target_table_shadow}} has no match here" in left(done)


def test_step_that_commits_is_told_with_its_line(converts: Converts) -> None:
    done = converts({f"{INVOICE}/ver/001.sql": "create table staging.invoice ();\ncommit;"})
    assert any(one.startswith("001.sql:2: `commit`") for one in left(done))
    assert "shop.staging.invoice" in done.drafts


@pytest.mark.parametrize(
    ("run", "becomes"),
    [
        ("run: {keep_pause: 1 mon}", {"pause": "30 days"}),
        ("run: {keep_pause: '01:30:00', morning: 'ei'}",
            {"when": ["workhours", "evening"], "pause": "90 minutes"}),
        ("run: {priority: 0}", {"priority": 1}),
        ("depends: [shop.staging.customer]", None),
        ("depends: [shop.staging.customer]\nrun: {evening: on}", {"when": ["evening"]}),
        ("run: {keep_pause: soon}", None),
    ],
)  # fmt: skip
def test_when_a_task_runs(converts: Converts, run: str, becomes: Any) -> None:
    action = "actions: [{do: runsql, file: input.sql}]"
    files = {f"{INVOICE}/haulwork.yaml": f"{run}\n{action}", f"{INVOICE}/input.sql": "select 1"}
    assert read(converts(files), f"{INVOICE}/task.yaml").get("run") == becomes


def test_task_that_runs_at_no_time_is_a_draft(converts: Converts) -> None:
    never = "run: {morning: no, workhours: no, evening: no}\n"
    done = converts({
        f"{INVOICE}/haulwork.yaml": f"{never}actions: [{{do: runsql, file: input.sql}}]"
    })  # fmt: skip
    assert any("runs at no time" in one for one in left(done))


def test_dependency_on_a_table_that_is_no_longer_loaded_is_left_out(converts: Converts) -> None:
    done = converts({f"{INVOICE}/haulwork.yaml": "status: old\nactions: []"})
    assert "depends" not in read(done, "routes/mart/mart/revenue/task.yaml")
    assert "haulwork.yaml:1: depends.1: shop.staging.invoice is not loaded; left out" in left(done)
    assert done.drafts == []


def test_source_without_a_driver_makes_its_tasks_drafts(converts: Converts) -> None:
    target = (PROJECT / "conf/sql.yaml").read_text().partition("shop:")[0]
    done = converts({"conf/sql.yaml": f"{target}shop:\n  driver: db2\n  host: h\n"})
    assert read(done, "routes/shop/route.yaml")["defaults"] == {"status": "draft"}
    assert any(one.startswith("sql.yaml:12: shop: the driver db2 is unknown") for one in left(done))
    assert any(one.startswith("route.yaml:3: alias: the connection shop") for one in left(done))


@pytest.mark.parametrize(
    ("profile", "extra"),
    [
        ("driver: asa, engine: erp, port: 2638", {"DRIVER": "SQL Anywhere 17", "Host": "h:2638",
            "ServerName": "erp", "DatabaseName": "d"}),
        ("driver: odbc", {"DSN": "d"}),
        ("driver: odbc, extras: {driver: Progress, product: progress}",
            {"DRIVER": "Progress", "Host": "h", "Database": "d"}),
    ],
)  # fmt: skip
def test_sources_behind_odbc(converts: Converts, profile: str, extra: dict[str, str]) -> None:
    target = (PROJECT / "conf/sql.yaml").read_text().partition("shop:")[0]
    shop = f"{{{profile}, host: h, database: d, username: u, password: '%P%'}}"
    done = converts({"conf/sql.yaml": f"{target}shop: {shop}\n"})
    connection = read(done, "connections.yaml")[1]
    assert connection == {"name": "shop", "url": "odbc://u:${P}@/", "extra": extra}
    assert any("is read through ODBC" in one for one in left(done))
    assert done.drafts == []


def test_passwords_in_plain_text_go_to_the_environment(converts: Converts) -> None:
    sql = "target: {driver: pg, host: h, database: d, username: u, password: pa'ss}\n" + (
        "shop: {driver: maria, host: m, port: 3306, database: s, username: 'a@b', password: x}\n"
    )
    done = converts({"conf/sql.yaml": sql})
    assert (done.folder / ".env").stat().st_mode & 0o077 == 0
    assert (done.folder / ".env").read_text() == "MAIN_PASSWORD=\"pa'ss\"\nSHOP_PASSWORD='x'\n"
    connections = read(done, "connections.yaml")
    assert connections[0]["password"] == "${MAIN_PASSWORD}"
    assert connections[1]["url"] == "mysql+pymysql://a%40b:${SHOP_PASSWORD}@m:3306/s"


def test_what_is_no_project_is_refused(tmp_path: Path, converts: Converts) -> None:
    with pytest.raises(ConfigurationError, match=r"not a project of dapu 0\.8"):
        convert(tmp_path, tmp_path / "new", "UTC", lambda of: known_agents(of).reader(of))
    with pytest.raises(ConfigurationError, match="there is no `target`"):
        converts({"conf/sql.yaml": "shop: {driver: pg}"})
    assert not (tmp_path / "new").exists()
    converts_into = tmp_path / "full"
    write_files(converts_into, {"a": ""})
    with pytest.raises(ConfigurationError, match="is not empty"):
        convert(PROJECT, converts_into, "UTC", lambda of: known_agents(of).reader(of))


P = Pasted(TableName("s", "t"), "at")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("where {{ts_column}} > '{{last_ts_value}}'", "where at >= {{ watermark }}"),
        ("where at >= '{{last_ts_value}}'::date", "where at >= {{ watermark }}::date"),
        ("> timestamp '{{last_ts_value}}'", ">= cast({{ watermark }} as timestamp)"),
    ],
)
def test_last_value_in_a_query(old: str, new: str) -> None:
    assert converted_query(old, P) == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("from {{target_schema}}.{{target_table}} x", "from {{ this }} x"),
        ("from {{target_schema}}.{{target_table}}_new", "from s.t_new"),
        ("'{{target_schema}}.{{target_table}}'", "'s.t'"),
        ("constraint ak_{{target_table}}_4_uniq", "constraint ak_t_4_uniq"),
        ("select '{{1,2}}'::int[]", "{% raw %}select '{{1,2}}'::int[]{% endraw %}"),
    ],
)
def test_names_in_a_script(old: str, new: str) -> None:
    assert converted_script(old, P) == new


@pytest.mark.parametrize(
    ("query", "driver", "new"),
    [
        ("select a.id, x as Name from a;", "pg", "select a.id, x as Name from a\n"),
        ("select id, n from a", "maria",
            "with query (id, name) as (\nselect id, n from a\n)\nselect id, name from query\n"),
        ("select id, n, z from a", "pg",
            "select id, name from (\nselect id, n, z from a\n) as query (id, name, unused_1)\n"),
        ("select id, f(a, 'x, y') as name -- , z\nfrom a order by 1", "pg",
            "select id, f(a, 'x, y') as name -- , z\nfrom a\n"),
        ("select id, name from a order by 1 limit 5", "pg",
            "select id, name from a order by 1 limit 5\n"),
    ],
)  # fmt: skip
def test_columns_go_by_their_position(query: str, driver: str, new: str) -> None:
    assert with_columns(query, ["id", "name"], driver) == new


@pytest.mark.parametrize(
    ("interval", "duration"),
    [
        ("4 hours", "4 hours"), ("1 day 02:30", "1590 minutes"), ("2 weeks, 1 day", "15 days"),
        ("1 year", "365 days"), ("90 s", "90 seconds"), ("soon", None), ("4 parsecs", None),
        ("-1 day", None), ("", None),
    ],
)  # fmt: skip
def test_intervals(interval: str, duration: str | None) -> None:
    assert duration_of(interval) == duration


_ODD = {
    "empty": {f"{INVOICE}/haulwork.yaml": ""},
    "no mapping": {f"{INVOICE}/haulwork.yaml": "[1]"},
    "run is a text": {f"{INVOICE}/haulwork.yaml": "run: soon\nactions: x\ndepends: 5"},
    "columns are a number": {
        f"{INVOICE}/haulwork.yaml":
            "actions: [{do: export, file: input.sql, cols: 5, pkcols: [id], to: direct}]"
    },
    "a file from elsewhere": {
        f"{INVOICE}/haulwork.yaml": "actions: [{do: runsql, file: ../customer/input.sql}]"
    },
    "no route": {"routes/shop/route.yaml": "a: ["},
    "an unknown source": {"routes/shop/route.yaml": "alias: [x]"},
    "a step that commits": {"ver/v001_schemas.sql": "create schema x; commit;"},
    "a step with braces": {"ver/v001_schemas.sql": "select '{{x}}' -- {% y"},
    "a step twice": {
        "ver/changes.yaml": "files: [{file: v001_schemas.sql}, {file: v001_schemas.sql}]"
    },
    "ids that are none": {"routes/tasks_to_delete.txt": "shop.staging.customer\nx\n"},
    "settings of other kinds": {"conf/conf.yaml": "FAILURE_LIMIT: many\nDAPU_SCHEMA: 5"},
}  # fmt: skip


@pytest.mark.parametrize("files", _ODD.values(), ids=_ODD)
def test_whatever_stands_there_the_outcome_is_valid(
    converts: Converts,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
) -> None:
    done = converts(files)
    for name in done.missing:
        monkeypatch.setenv(name, "1")
    validated = here(capsys, "validate", done.folder)
    assert validated.status == 0, validated.text


_SHEET = """
actions:
- do: excel
  source: {name: sport.xlsx, sheet: 2, start_row: 3}
  delete: month
  delete_date_column: day
  cols:
  - {name: code, from: a}
  - {name: day, from: b, transform: to_date}
  - {name: said, from: b}
  - {name: amount, from: aa, transform: to_dec}
  - {name: loaded, fixed: current_timestamp}
"""


def test_sheet_of_a_workbook(converts: Converts) -> None:
    done = converts({
        "conf/file.yaml": "share: {path: /mnt/share}",
        "routes/shop/route.yaml": "type: file\nalias: share",
        f"{INVOICE}/haulwork.yaml": _SHEET,
    })  # fmt: skip
    dates = {"type": "date", "format": ["%d.%m.%Y", "%Y-%m-%d", "%m/%d/%Y"]}
    assert read(done, f"{INVOICE}/task.yaml")["actions"] == [{
        "do": "excel", "workbook": "sport.xlsx", "sheet": 2, "header": "none", "start_row": 3,
        "columns": {
            "A": "code", "B": [{"name": "day", **dates}, "said"],
            "AA": {"name": "amount", "type": "decimal"},
        },
        "load": "period", "period": {"column": "day", "by": "month"},
    }]  # fmt: skip
    assert "shop.staging.invoice" not in done.drafts
    assert {"name": "share", "driver": "files", "path": "/mnt/share"} in read(
        done, "connections.yaml"
    )
    assert any("cols.5: was not loaded" in one for one in left(done))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("to_dec", "to_half", "`to_half` has no match"),
        ("delete: month", "delete: none", "rows are only added"),
        ("delete: month", "management: delete", "the file is not deleted here"),
    ],
)
def test_sheet_that_has_no_match(converts: Converts, old: str, new: str, says: str) -> None:
    done = converts({f"{INVOICE}/haulwork.yaml": _SHEET.replace(old, new)})
    assert any(says in one for one in left(done))
    assert "shop.staging.invoice" in done.drafts
