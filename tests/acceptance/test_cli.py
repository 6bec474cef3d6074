"""The command line as a person uses it: what it says, and how it ends."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from psycopg2.extensions import connection as PgSession

from dapu.cli.main import cli
from dapu.registry import agenda, workers
from dapu.registry.store import Registry
from dapu.warehouse import open_warehouse
from dapu.worker import Worker
from tests.command import dapu, here, running
from tests.components import a_task, manager, rows, write
from tests.conftest import MakeWarehouse
from tests.rounds import Seen, prepare, run_due

ROUTE = {"routes/r/route.yaml": ""}
STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")
STARTER = Path(__file__).parents[2] / "definitions"
TASKS = {
    **ROUTE,
    **a_task("r.s.good", description="all is well"),
    **a_task(
        "r.s.bad",
        {"odd.sql": "select i as number, 'x' as letter from generate_series(1, 25) i"},
        run="{retries: 0}",
        checks="[{sql: odd.sql}]",
    ),
    **a_task("r.s.later", {"run.sql": "select 1 / 0"}),
}


@pytest.fixture
def ran(make_warehouse: MakeWarehouse) -> Path:
    """A warehouse in which one task is done, one has failed, and one waits for its next try."""
    folder = make_warehouse(TASKS)
    prepare(folder)
    manager(folder)
    tally = Worker(open_warehouse(folder), Seen(), minutes=0.5).run()
    assert tally.failing == {"r.s.bad": "failed", "r.s.later": "waiting"}
    return folder


# Help.


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_the_help_of_each_command_has_an_example(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    done = here(capsys, name, "--help")
    assert done.status == 0
    assert f"  dapu {name} " in done.out or f"Example: dapu {name} " in done.out


def test_help_lists_every_command_with_a_whole_line() -> None:
    done = dapu("--help")
    assert done.status == 0
    for name in cli.commands:
        assert f"  {name} " in done.out
    assert "..." not in done.out.partition("Commands:")[2]
    assert "Exit status: 0 done, 1 something failed, 2 wrong use or configuration." in done.out


def test_the_completion_of_words_can_be_printed() -> None:
    done = dapu(environment={"_DAPU_COMPLETE": "bash_source"})
    assert done.status == 0
    assert "complete -o nosort" in done.out
    words = {"_DAPU_COMPLETE": "bash_complete", "COMP_WORDS": "dapu ve", "COMP_CWORD": "1"}
    assert dapu(environment=words).out == "plain,versioner\n"


# A round.


def test_a_round_as_cron_runs_it(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t"), "ver/001_x.sql": "create schema x"})
    said = [dapu(name, folder) for name in ("versioner", "registrar", "manager", "worker")]
    assert [(done.status, done.err) for done in said] == [(0, "")] * 4
    lines = "".join(done.out for done in said).splitlines()
    assert all(STAMP.match(line) for line in lines)
    told = [STAMP.sub("", line) for line in lines if "registry: " not in line]
    assert told[:5] == [
        "warehouse: 001_x.sql",
        "r.s.t: new",
        "registrar: 1 task (1 new, 0 changed), 0 faults",
        "r.s.t: job 1 queued",
        "r.s.t: job 1 started",
    ]
    assert re.fullmatch(r"r\.s\.t: job 1 done: 1 rows in \d\.\d s", told[5])
    assert told[6:] == ["worker: 1 job: 1 done"]
    components = ("versioner", "registrar", "manager", "worker")
    again = [here(capsys, name, folder).out for name in components]
    assert [STAMP.sub("", text) for text in again] == [
        "versioner: everything is up to date\n",
        "registrar: 1 task (0 new, 0 changed), 0 faults\n",
        "manager: nothing is due\n",
        "worker: nothing is due\n",
    ]


def test_a_worker_tells_what_failed_and_where_to_look(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(ran, {"routes/r/s/bad/odd.sql": "select 1"})
    done = here(capsys, "run", ran, "r.s.bad")
    assert done.status == 1
    assert f"dapu: failed: r.s.bad; see `dapu status {ran} TASK`" in done.err


# Status.


def test_status_shows_each_task(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "status", ran)
    assert done.status == 0
    assert re.search(r"r\.s\.good +done ", done.out)
    assert re.search(r"r\.s\.bad +failed .*the check `sql: odd.sql` failed: more than 20", done.out)
    assert re.search(r"r\.s\.later +next try at \d\d:\d\d:\d\d .*division by zero", done.out)
    assert (
        "warehouse: 3 tasks; jobs now and of the last day: 1 done, 1 failed, 1 waiting" in done.out
    )


def test_status_of_a_task_shows_jobs_events_and_offending_rows(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "status", ran, "r.s.bad")
    assert done.status == 0
    assert re.search(r"\n +\d+ +failed +manager +1 ", done.out)
    assert "Offending rows:" in done.out
    offending = done.out.partition("Offending rows:")[2]
    assert re.findall(r"\d+", offending) == [str(number) for number in range(1, 21)]


def test_status_of_a_task_that_waits_says_so(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "now: next try at " in here(capsys, "status", ran, "r.s.later").out


def test_status_of_an_unknown_task_names_the_nearest(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "status", ran, "r.s.god")
    assert (done.status, done.err) == (
        2,
        "dapu: there is no task `r.s.god`; did you mean `r.s.good`?\n",
    )


# Data for other programs.


def test_json_is_all_that_is_printed(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, *arguments in (
        ["versioner"],
        ["registrar"],
        ["manager"],
        ["cleaner"],
        ["status"],
        ["status", "r.s.bad"],
        ["validate"],
        ["query", "select 1 as one"],
        ["retry", "1"],
        ["cancel", "3"],
    ):
        done = here(capsys, name, ran, *arguments, "--json")
        assert done.status == 0, done.text
        assert json.loads(done.out)


VALUES = """
    select 12.50 as exact, 123456789012345678901234567890 as big, 2::int as whole,
        'NaN'::float8 as none, 1.5::float8 as half, true as yes, null as nothing,
        date '2024-02-29' as day, timestamptz '2024-02-29 12:00+02' as moment,
        interval '90 seconds' as span, '\\xff00'::bytea as bytes, array[1, 2] as list,
        '{"a": [1.10, "x"]}'::jsonb as document, 'ä' as letter
"""


def test_query_gives_exact_json(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "query", make_warehouse(), VALUES, "--json")
    assert done.status == 0, done.text
    assert '"exact": 12.50' in done.out
    [row] = json.loads(done.out, parse_float=str, parse_int=str)
    assert row == {
        "exact": "12.50",
        "big": "123456789012345678901234567890",
        "whole": "2",
        "none": "nan",
        "half": "1.5",
        "yes": True,
        "nothing": None,
        "day": "2024-02-29",
        "moment": "2024-02-29T10:00:00+00:00",
        "span": "90.0",
        "bytes": "\\xff00",
        "list": ["1", "2"],
        "document": {"a": ["1.1", "x"]},
        "letter": "ä",
    }


# Queries.


def test_query_reads_from_standard_input_and_keeps_wide_lines_whole(
    make_warehouse: MakeWarehouse,
) -> None:
    columns = ", ".join(f"repeat('x', 50) as column_{number}" for number in range(10))
    done = dapu("query", make_warehouse(), "-", stdin=f"select {columns}")
    assert done.status == 0
    assert max(map(len, done.out.splitlines())) > 500
    assert "   ".join(["x" * 50] * 10) in done.out


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select nothing", 'the query fails: column "nothing" does not exist\nLINE 1: '),
        ("create table t (i int)", "cannot execute CREATE TABLE in a read-only transaction"),
        ("select 1; select 1 / 0", "division by zero"),
    ],
)
def test_a_query_that_fails_says_why(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str], query: str, message: str
) -> None:
    done = here(capsys, "query", make_warehouse(), query)
    assert done.status == 2
    assert message in done.err
    assert "Traceback" not in done.err


def test_query_is_not_for_a_registry_of_another_version(
    ran: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    rows(connection, "insert into meta.migration values ('registry', 999, '999_new.sql', 'x')")
    assert "a newer dapu was here" in here(capsys, "query", ran, "select 1").err


def test_json_has_no_place_for_two_columns_of_one_name(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "query", make_warehouse(), "select 1 as a, 2 as a", "--json")
    assert (done.status, done.err) == (2, "dapu: two columns are called a; rename one\n")


# Files.


def test_validate_needs_no_database(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = "- {name: main, driver: pg, host: 192.0.2.1, database: none}\n"
    folder = make_warehouse({**TASKS, "connections.yaml": nowhere})
    done = here(capsys, "validate", folder)
    assert (done.status, done.out) == (0, "3 tasks without fault; 0 faults\n")
    write(folder, {"routes/r/s/bad/task.yaml": "actions: [{do: sql, fill: run.sql}]"})
    done = here(capsys, "validate", folder)
    assert done.status == 1
    assert f"{folder}/routes/r/s/bad/task.yaml:1: " in done.err
    assert "unknown key `fill`; did you mean `file`?" in done.err


def test_the_schema_accepts_every_task_of_the_examples(
    capsys: pytest.CaptureFixture[str],
) -> None:
    schema = json.loads(here(capsys, "schema").out)
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    tasks = sorted(STARTER.glob("*/routes/*/*/*/task.yaml"))
    assert len(tasks) > 5
    for task in tasks:
        faults = [
            error.message for error in validator.iter_errors(yaml.safe_load(task.read_text()))
        ]
        assert faults == [], task
    wrong = {"actions": [{"do": "sql", "fill": "run.sql"}]}
    assert not validator.is_valid(wrong)


def test_conf_prep_fills_in_names_and_keeps_the_file_to_its_owner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "connections.yaml"
    file.write_text("password: ${PWD_OF_MAIN}\nport: ${PORT:-5432}\n")
    (tmp_path / ".env").write_text("PWD_OF_MAIN='a b'\n")
    done = here(capsys, "conf-prep", file, "-o", "-")
    assert (done.status, done.out) == (0, "password: a b\nport: 5432\n")
    done = here(capsys, "conf-prep", file)
    assert done.status == 0
    assert file.read_text() == "password: a b\nport: 5432\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_conf_prep_writes_nothing_when_a_name_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.conf"
    file.write_text("a\n${NO_SUCH_NAME_HERE}\n")
    done = here(capsys, "conf-prep", file)
    assert done.status == 2
    assert f"{file}:2: the environment has no NO_SUCH_NAME_HERE" in done.err
    assert file.read_text() == "a\n${NO_SUCH_NAME_HERE}\n"
    done = here(capsys, "conf-prep", tmp_path / "none.conf")
    assert done.status == 2
    assert "none.conf:1: cannot be read: No such file or directory" in done.err


# Steering.


def test_pause_stops_manager_and_worker_until_resume(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t")})
    prepare(folder)
    assert here(capsys, "pause", folder).out.endswith("paused\n")
    assert "the warehouse is paused (by " in here(capsys, "manager", folder).out
    assert "nothing is started until `dapu resume " in here(capsys, "worker", folder).out
    assert "The warehouse is paused (by " in here(capsys, "status", folder).out
    assert here(capsys, "resume", folder).out == "resumed\n"
    assert here(capsys, "resume", folder).out == "it was not paused\n"
    assert run_due(folder).order == ["r.s.t"]


@pytest.mark.parametrize("how", ["the job ends", "its worker dies"])
def test_pause_wait_returns_when_no_job_is_running(
    make_warehouse: MakeWarehouse, connection: PgSession, how: str
) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t")})
    prepare(folder)
    manager(folder)
    with closing(open_warehouse(folder).connect("worker")) as worker:
        with worker, worker.cursor() as cursor:
            number = workers.enrol(cursor, Registry())
            assert agenda.claim(cursor, Registry(), number, backend=0)
        with running("pause", folder, "--wait") as process:
            assert process.stdout is not None
            assert "waits for: r.s.t" in process.stdout.readline()
            assert process.poll() is None
            if how == "its worker dies":
                worker.close()
            else:
                rows(connection, "update meta.agenda set status = 'done', ended_at = now()")
            out, _ = process.communicate(timeout=20)
    assert out.endswith("paused\n")
    assert process.returncode == 0


def test_the_manager_tells_of_jobs_that_failed_for_good(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str], connection: PgSession
) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t", run="{retries: 0}")})
    prepare(folder)
    manager(folder)
    with connection, connection.cursor() as cursor:
        assert agenda.claim(cursor, Registry(), worker=77, backend=0)
    done = here(capsys, "manager", folder)
    assert done.status == 1
    assert done.out.endswith("r.s.t: its worker died; the job is failed\n")


def test_retry_and_cancel_by_number(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = {row["task"]: row for row in _status(capsys, ran)["tasks"]}
    assert jobs["r.s.bad"]["last_status"] == "failed"
    done = here(capsys, "retry", ran, "1")
    assert re.fullmatch(r"r\.s\.\w+: job \d+ queued\n", done.out)
    number = re.findall(r"\d+", done.out)[0]
    done = here(capsys, "cancel", ran, number)
    assert re.fullmatch(rf"r\.s\.\w+: job {number}, which was waiting, is cancelled\n", done.out)
    done = here(capsys, "cancel", ran, number)
    assert (done.status, done.err) == (2, f"dapu: job {number} is cancelled already\n")
    done = here(capsys, "cancel", ran, "99")
    assert (done.status, done.err) == (2, "dapu: there is no job 99\n")
    done = here(capsys, "retry", ran, "99")
    assert (done.status, done.err) == (2, "dapu: there is no job 99\n")


def _status(capsys: pytest.CaptureFixture[str], folder: Path) -> Any:
    return json.loads(here(capsys, "status", folder, "--json").out)


# One task.


def test_run_takes_up_the_changed_definition_first(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(ran, {"routes/r/s/bad/odd.sql": "select 1 where false"})
    done = here(capsys, "run", ran, "r.s.bad")
    assert done.status == 0, done.text
    assert "r.s.bad: changed" in done.out
    assert "worker: 1 job: 1 done" in done.out


def test_run_of_an_unknown_task_names_the_nearest(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "run", ran, "r.s.goood")
    assert done.status == 2
    assert "there is no task `r.s.goood`; did you mean `r.s.good`?" in done.err


def test_run_of_a_faulty_task_tells_its_fault_and_not_its_neighbours(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t"), **a_task("r.s.t_too")})
    prepare(folder)
    write(folder, {"routes/r/s/t_too/task.yaml": "actions: 1"})
    assert here(capsys, "run", folder, "r.s.t").status == 0
    done = here(capsys, "run", folder, "r.s.t_too")
    assert done.status == 2
    assert "task.yaml:1: actions: must be a list, not 1" in done.err


@pytest.mark.parametrize(
    ("why", "route", "running_task"),
    [
        ("the task is running already: r.s.t (job 1)", "", "r.s.t"),
        ("its route.yaml has `disabled: [worker]`", "disabled: [worker]", None),
        (
            "its route runs 1 at once, and these are running: r.s.u (job 2)",
            "concurrency: 1",
            "r.s.u",
        ),
    ],
)
def test_run_says_why_a_task_cannot_start(
    make_warehouse: MakeWarehouse,
    capsys: pytest.CaptureFixture[str],
    why: str,
    route: str,
    running_task: str | None,
) -> None:
    folder = make_warehouse({"routes/r/route.yaml": route, **a_task("r.s.t"), **a_task("r.s.u")})
    prepare(folder)
    manager(folder)
    with open_warehouse(folder).session("test") as session, session.cursor() as cursor:
        cursor.execute(
            "update meta.agenda set status = 'running', worker = %s, started_at = now()"
            " where task = %s",
            [workers.enrol(cursor, Registry()), running_task],
        )
        session.commit()
        done = here(capsys, "run", folder, "r.s.t")
    assert done.status == 1
    assert f"dapu: r.s.t cannot start now: {why}; it is queued as job " in done.err


# Wrong use.


@pytest.mark.parametrize("made", [False, True], ids=["missing", "empty"])
def test_a_directory_that_is_no_warehouse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], made: bool
) -> None:
    folder = tmp_path / "finances"
    if made:
        folder.mkdir()
    for name in ("versioner", "status", "worker", "validate"):
        done = here(capsys, name, folder)
        assert done.status == 2
        assert done.err == (
            f"dapu: {folder} is no warehouse directory: it has no warehouse.yaml. "
            "Make a new one with: dapu init finances\n"
        )


@pytest.mark.parametrize(
    "arguments", [["worker"], ["worker", "x", "--processes", "0"], ["frob"], ["init"]]
)
def test_wrong_use_ends_with_status_two(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    done = here(capsys, *arguments)
    assert done.status == 2
    assert "Usage: dapu" in done.err
