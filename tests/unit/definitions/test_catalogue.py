"""Whole warehouse directories, read without a database: what is taken, and what is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from dapu.definitions.catalogue import Catalogue
from dapu.definitions.folders import scan
from dapu.definitions.models import Task
from tests.support.components import a_task, write
from tests.support.read_definitions import MAIN, Read, told

TASK = "routes/r/s/t/task.yaml"


@pytest.fixture
def read(tmp_path: Path) -> Read:
    return Read(tmp_path)


def task_of(catalogue: Catalogue, name: str = "r.s.t") -> Task:
    assert name in catalogue.definitions, [str(fault) for fault in catalogue.faults]
    return catalogue.definitions[name].task


def test_an_id_is_made_of_the_folders(read: Read) -> None:
    found = read({**a_task("r.staging.invoice"), **a_task("r.mart.sales")})
    assert sorted(found.definitions) == ["r.mart.sales", "r.staging.invoice"]
    assert not found.faults


@pytest.mark.parametrize(("folder", "message"), [
    ("routes/r/s/Invoice", "the table name 'Invoice' must be lower-case letters, digits and "
     "underscores, and start with a letter; rename the folder"),
    ("routes/r/My Schema/t", "the schema name 'My Schema' must be lower-case letters, digits and "
     "underscores, and start with a letter; rename the folder"),
    ("routes/2nd/s/t", "the route name '2nd' must be lower-case letters, digits and underscores, "
     "and start with a letter; rename the folder"),
    ("routes/r/s/in-voice", "the table name 'in-voice' must be lower-case letters, digits and "
     "underscores, and start with a letter; rename the folder"),
    (f"routes/r/s/{'a' * 64}", f"the table name '{'a' * 64}' has 64 bytes; PostgreSQL takes 63; "
     "rename the folder"),
    (f"routes/r/s/{'ä' * 32}", f"the table name '{'ä' * 32}' has 64 bytes; PostgreSQL takes 63; "
     "rename the folder"),
    ("routes/r/pg_mine/t", "the schema name 'pg_mine' belongs to PostgreSQL; no own schema may "
     "begin `pg_`; rename the folder"),
])  # fmt: skip
def test_a_name_that_cannot_be_one_is_reported(
    read: Read, tmp_path: Path, folder: str, message: str
) -> None:
    route = folder.split("/")[1]
    found = read({**a_task("r.s.right"), f"routes/{route}/route.yaml": "",
                  f"{folder}/task.yaml": "", f"{folder}/run.sql": ""})  # fmt: skip
    [fault] = told(found, tmp_path)
    assert fault.endswith(f":1: {message}")
    assert sorted(found.definitions) == ["r.s.right"]


def test_names_of_63_bytes_and_hidden_folders_are_no_fault(read: Read) -> None:
    found = read({
        **a_task(f"r.s.{'a' * 63}"),
        "routes/.git/x": "", "routes/r/.idea/y/z": "", "routes/r/s/__pycache__/x.pyc": "",
        "routes/r/s/notes.txt": "", "routes/notes.txt": "",
    })  # fmt: skip
    assert not found.faults
    assert len(found.definitions) == 1


def test_a_route_needs_a_route_yaml_and_its_tasks_wait_for_it(read: Read, tmp_path: Path) -> None:
    found = read({**a_task("r.s.t"), **a_task("new.s.u")}, registered={"new.s.u": "hash"})
    assert told(found, tmp_path) == [
        "routes/new/route.yaml:1: is missing: a route needs one (it may be empty)"
    ]
    assert found.gone == []
    assert sorted(found.faulty) == ["new.s.u"]


@pytest.mark.parametrize(("route", "message"), [
    ("concurency: 2", "1: unknown key `concurency`; did you mean `concurrency`?"),
    ("name: x\nconcurrency: 0", "2: concurrency: must be 1 or more, not 0"),
    ("disabled: [woker]",
     "1: disabled[1]: must be 'registrar', 'manager' or 'worker', not 'woker'"),
    ("name: x\nconnection: epr", "2: there is no connection `epr` in connections.yaml; did you "
     "mean `erp`?"),
    ("a: b: c", "1: YAML: mapping values are not allowed in this context"),
])  # fmt: skip
def test_a_faulty_route_is_reported_once_and_stops_nothing_else(
    read: Read, tmp_path: Path, route: str, message: str
) -> None:
    found = read({
        "routes/bad/route.yaml": route, **a_task("bad.s.t"), **a_task("bad.s.u"),
        **a_task("r.s.other"),
    }, registered={"bad.s.t": "hash"})  # fmt: skip
    assert told(found, tmp_path) == [f"routes/bad/route.yaml:{message}"]
    assert sorted(found.definitions) == ["r.s.other"]
    assert sorted(found.faulty) == ["bad.s.t", "bad.s.u"]
    assert found.gone == []


def test_a_task_at_the_wrong_depth_is_not_passed_over(read: Read, tmp_path: Path) -> None:
    found = read({"routes/task.yaml": "", "routes/r/task.yaml": "", "routes/r/s/task.yaml": ""})
    rule = "a task's folder is routes/<route>/<schema>/<table>, and a"
    assert told(found, tmp_path) == [
        f"routes/task.yaml:1: {rule} route is missing",
        f"routes/r/task.yaml:1: {rule} schema is missing",
        f"routes/r/s/task.yaml:1: {rule} table is missing",
    ]


def test_a_folder_without_task_yaml_is_reported_unless_it_is_empty(
    read: Read, tmp_path: Path
) -> None:
    (tmp_path / "routes/r/s/left_by_git/ver").mkdir(parents=True)
    found = read({"routes/r/s/t/run.sql": "select 1"}, registered={"r.s.t": "h", "r.s.u": "h"})
    assert told(found, tmp_path) == ["routes/r/s/t/task.yaml:1: is missing"]
    assert sorted(found.faulty) == ["r.s.t"]
    assert found.gone == ["r.s.u"]


def test_there_must_be_routes(read: Read, tmp_path: Path) -> None:
    write(tmp_path, {"warehouse.yaml": "", "connections.yaml": MAIN})
    assert told(Catalogue(scan(tmp_path), {}), tmp_path) == [
        "routes:1: there is no folder `routes`"
    ]


def test_two_tasks_may_not_fill_one_table(read: Read, tmp_path: Path) -> None:
    files = {"routes/b/route.yaml": "", **a_task("b.s.t"), **a_task("r.s.t")}
    first = read(files)
    assert told(first, tmp_path) == [
        "routes/r/s/t/task.yaml:1: duplicate: s.t is the table of b.s.t already"
    ]
    assert sorted(first.definitions) == ["b.s.t"]
    known = read(files, registered={"r.s.t": None})
    assert told(known, tmp_path) == [
        "routes/b/s/t/task.yaml:1: duplicate: s.t is the table of r.s.t already"
    ]
    assert sorted(known.definitions) == ["r.s.t"]


def test_tasks_to_delete_are_not_there(read: Read, tmp_path: Path) -> None:
    found = read({
        **a_task("r.s.t"), **a_task("r.s.u"), **a_task("r.s.needs", depends="[r.s.t]"),
        "tasks_to_delete.txt": "# by ticket 7\n r.s.t  # old\nr.s.never_was\n\nnot_an_id\n",
    }, registered={"r.s.t": "h", "r.s.u": None})  # fmt: skip
    assert found.gone == ["r.s.t"]
    assert sorted(found.definitions) == ["r.s.u"]
    assert told(found, tmp_path) == [
        "tasks_to_delete.txt:5: 'not_an_id' is not a task id; write route.schema.table",
        "routes/r/s/needs/task.yaml:2: depends on r.s.t, which tasks_to_delete.txt takes away",
    ]


@pytest.mark.parametrize(("yaml", "message"), [
    ("- a\n- b", "1: is not a mapping of keys to values"),
    ("actions:\n  - do: sql\n    file: rn.sql",
     "3: there is no file rn.sql in this task's folder; did you mean `run.sql`?"),
    ("actions: [{do: sql, file: ../u/run.sql}]",
     "1: there is no file ../u/run.sql in this task's folder; did you mean `run.sql`?"),
    ("actions: [{do: sql, file: /etc/passwd}]",
     "1: there is no file /etc/passwd in this task's folder; known are: run.sql"),
    ("checks:\n  - sql: non.sql\nactions: [{do: sql, file: run.sql}]",
     "2: there is no file non.sql in this task's folder; did you mean `run.sql`?"),
    ("run:\n  when: [mornin]\nactions: [{do: sql, file: run.sql}]",
     "2: run.when: unknown part of the day `mornin`; did you mean `morning`?"),
    ("actions:\n  - do: sql\n    file: run.sql\n  - do: database\n    query: run.sql\n"
     "    connection: eerp",
     "6: there is no connection `eerp` in connections.yaml; did you mean `erp`?"),
    ("upgrade:\n  keeps_data: [1]\nactions: [{do: sql, file: run.sql}]",
     "2: upgrade.keeps_data: there is no step 1 in ver/"),
])  # fmt: skip
def test_a_fault_of_a_task_is_reported_with_its_line(
    read: Read, tmp_path: Path, yaml: str, message: str
) -> None:
    found = read({**a_task("r.s.u"), **a_task("r.s.t", {"task.yaml": yaml})})
    assert told(found, tmp_path) == [f"{TASK}:{message}"]
    assert sorted(found.definitions) == ["r.s.u"]


NEWS = "watermark: {column: id}"


@pytest.mark.parametrize(("first", "second", "message"), [
    (f"load: append, {NEWS}", f"load: append, {NEWS}", "`append` with a `watermark` deletes"),
    ("load: append", f"load: append, {NEWS}", "`append` with a `watermark` deletes"),
    ("load: replace", f"load: merge, key: [id], {NEWS}", "`load: replace` takes away what the"),
    ("load: snapshot, key: [id]", f"load: merge, key: [id], {NEWS}", "`load: snapshot` takes"),
    (f"load: merge, key: [id], {NEWS}", f"load: merge, key: [id], {NEWS}", None),
    ("load: replace", "load: append", None),
    ("load: append", "load: replace", "`load: replace` of the later action takes away what the"),
    ("load: merge, key: [id]", "load: merge, key: [id], deletes: {every: 1 day}",
     "`deletes: {every: …}` of the later action takes"),
    ("load: merge, key: [id], deletes: {every: 1 day}", "load: merge, key: [id]", None),
    ("load: history, key: [id]", "load: history, key: [id]", "`load: history` of the later"),
])  # fmt: skip
def test_actions_that_would_lose_rows_of_each_other_are_a_fault(
    read: Read, tmp_path: Path, first: str, second: str, message: str | None
) -> None:
    actions = [f"  - {{do: database, query: run.sql, {one}}}\n" for one in (first, second)]
    found = read(a_task("r.s.t", {"task.yaml": "actions:\n" + "".join(actions)}))
    start = f"{TASK}:1: actions: 1 and 2 cannot fill one table: {message}"
    assert [fault.startswith(start) for fault in told(found, tmp_path)] == [True] * bool(message)


def test_a_transform_may_replace_what_earlier_actions_brought(read: Read) -> None:
    actions = "actions: [{do: database, query: run.sql}, {do: transform, query: run.sql}]"
    assert not read(a_task("r.s.t", {"task.yaml": actions})).faults


@pytest.mark.parametrize(("file", "text", "message"), [
    ("run.sql", "select 1,\n{{ thiss }}", "run.sql:2: undefined name `thiss`; did you mean "
     "`this`?"),
    ("run.sql", "\n{{ a", "run.sql:2: template: unexpected end of template, expected 'end of "
     "print statement'."),
    ("run.sql", "", "run.sql:1: is empty; it needs a SQL statement"),
    ("run.sql", "select 1;\ncommit;", "run.sql:2: `commit` is not for this file: dapu runs and "
     "commits it whole"),
    ("ver/create.sql", "select 1", "ver/create.sql:1: a step is named NNN_name.sql, for example "
     "001_create.sql"),
    ("ver/001_a.sql", "begin;", "ver/001_a.sql:1: `begin` is not for this file: dapu runs and "
     "commits it whole"),
])  # fmt: skip
def test_a_fault_of_a_sql_file_is_reported_with_that_file_s_line(
    read: Read, tmp_path: Path, file: str, text: str, message: str
) -> None:
    found = read(a_task("r.s.t", {file: text}))
    assert told(found, tmp_path) == [f"routes/r/s/t/{message}"]


def test_what_a_source_runs_may_begin_as_it_likes(read: Read) -> None:
    yaml = "actions: [{do: database, query: run.sql}]"
    found = read(a_task("r.s.t", {"task.yaml": yaml, "run.sql": "begin\n select 1;\nend;"}))
    assert not found.faults


@pytest.mark.parametrize("status", ["draft", "old"])
def test_a_draft_may_be_unfinished_and_is_not_registered(read: Read, status: str) -> None:
    found = read({TASK: f"status: {status}\nacions: 5\n"}, registered={"r.s.t": "hash"})
    assert not found.faults
    assert not found.definitions
    assert found.gone == ["r.s.t"]


def test_a_task_says_only_what_differs(read: Read) -> None:
    found = read({
        "warehouse.yaml": "defaults: {run: {pause: 1 h, retries: 7, priority: 2}, status: active}\n"
        "variables: {a: 1, b: 1, c: 1}",
        "routes/r/route.yaml": "defaults: {run: {pause: 2 h, retries: 8}}\nvariables: {b: 2, c: 2}",
        **a_task("r.s.t", {"run.sql": "select {{ a }}, {{ b }}, {{ c }}"},
                 run="{pause: 3 h}", variables="{c: 3}"),
    })  # fmt: skip
    task = task_of(found)
    assert (task.least_pause.seconds, task.run.retries, task.run.priority) == (3 * 3600, 8, 2)
    assert found.definitions["r.s.t"].variables == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize(("defaults", "own", "when", "cron"), [
    ("{when: [morning]}", "{cron: 0 0 * * *}", [], "0 0 * * *"),
    ("{cron: 0 0 * * *}", "{when: [evening]}", ["evening"], None),
    ("{when: [morning]}", "{pause: 1 h}", ["morning"], None),
    ("{when: [morning]}", "{when: []}", [], None),
])  # fmt: skip
def test_a_time_of_a_task_s_own_stands_for_the_default_one(
    read: Read, defaults: str, own: str, when: list[str], cron: str | None
) -> None:
    run = task_of(read({
        "warehouse.yaml": f"defaults: {{run: {defaults}}}", **a_task("r.s.t", run=own),
    })).run  # fmt: skip
    assert (run.when, run.cron) == (when, cron)


def test_a_key_without_a_value_is_as_if_it_were_not_there(read: Read) -> None:
    found = read({
        "warehouse.yaml": "defaults: {run: {retries: 7}}",
        **a_task("r.s.t", run="", checks="", depends=""),
    })  # fmt: skip
    assert task_of(found).run.retries == 7


@pytest.mark.parametrize(("file", "text", "message"), [
    ("warehouse.yaml", "name: x\ndefaults:\n  run:\n    retris: 3",
     "4: run: unknown key `retris`; did you mean `retries`?"),
    ("routes/r/route.yaml", "defaults:\n  run: {pause: soon}",
     "2: run.pause: 'soon' is not a length of time; write, for example, `4 hours`"),
    ("warehouse.yaml", "defaults:\n  run:\n    when: nite",
     "3: run.when: unknown part of the day `nite`; known are: evening, morning, workhours"),
])  # fmt: skip
def test_a_fault_of_the_defaults_is_reported_once_where_it_stands(
    read: Read, tmp_path: Path, file: str, text: str, message: str
) -> None:
    found = read({file: text, **a_task("r.s.t"), **a_task("r.s.u", run="{retries: 1}")})
    assert told(found, tmp_path) == [f"{file}:{message}"]


def test_a_file_that_the_defaults_name_is_sought_in_each_task_s_folder(
    read: Read, tmp_path: Path
) -> None:
    found = read({
        "warehouse.yaml": "defaults: {checks: [{sql: none.sql}]}",
        **a_task("r.s.t"), **a_task("r.s.u", {"none.sql": "select 1 where false"}),
    })  # fmt: skip
    [fault] = told(found, tmp_path)
    assert fault.startswith(f"{TASK}:1: there is no file none.sql in this task's folder")


def test_unchanged_tasks_are_not_read_again(read: Read) -> None:
    first = read({**a_task("r.s.t"), **a_task("r.s.u")})
    known: dict[str, str | None] = {name: one.hash for name, one in first.definitions.items()}
    assert read({}, known).unchanged == {"r.s.t", "r.s.u"}
    assert sorted(read({"routes/r/s/t/run.sql": "select 2"}, known).definitions) == ["r.s.t"]
    assert sorted(read({"routes/r/s/t/more/notes": ""}, known).definitions) == ["r.s.t"]
    assert read({"routes/r/s/u/.swp": "", "routes/r/s/u/run.sql~": ""}, known).unchanged == {
        "r.s.u"
    }
    assert not read({"routes/r/route.yaml": "variables: {a: 1}"}, known).unchanged


def test_a_route_that_the_registrar_leaves_alone_is_not_read(read: Read, tmp_path: Path) -> None:
    found = read({
        "routes/left/route.yaml": "disabled: [registrar]",
        "routes/left/s/broken/task.yaml": "what",
        "routes/left/s/no_task/run.sql": "",
        **a_task("left.s.new"),
        **a_task("r.s.b", depends="[left.s.known]"),
        **a_task("r.s.c", depends="[left.s.new]"),
        **a_task("r.s.taken"),
    }, registered={"left.s.known": "h", "left.s.no_task": "h", "left.s.taken": "h"})  # fmt: skip
    assert sorted(found.definitions) == ["r.s.b"]
    assert found.gone == []
    assert told(found, tmp_path) == [
        "routes/r/s/taken/task.yaml:1: duplicate: s.taken is the table of left.s.taken already",
        "routes/r/s/c/task.yaml:2: depends on left.s.new, which is not registered, and its route "
        "has `disabled: [registrar]`",
    ]
