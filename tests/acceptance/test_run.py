"""A round as cron runs it, and one task as a person does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dapu.registry import workers
from dapu.registry.store import Registry
from dapu.warehouse.warehouse import open_warehouse
from tests.conftest import MakeWarehouse
from tests.support.command import dapu, here
from tests.support.components import ROUTE, a_task, manager, write
from tests.support.rounds import prepare

STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")


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
        "versioner: warehouse: 001_x.sql",
        "registrar: r.s.t: new",
        "registrar: 1 task (1 new, 0 changed), 0 faults",
        "manager: r.s.t: job 1 queued",
        "worker: r.s.t: job 1 started",
    ]
    assert re.fullmatch(r"worker: r\.s\.t: job 1 done: 1 row in \d\.\d s", told[5])
    assert told[6:] == ["worker: 1 job: 1 done"]
    components = ("versioner", "registrar", "manager", "worker")
    again = [here(capsys, name, folder).out for name in components]
    assert [STAMP.sub("", text) for text in again] == [
        "versioner: everything is up to date\n",
        "registrar: 1 task (0 new, 0 changed), 0 faults\n",
        "manager: nothing is due\n",
        "worker: nothing is due\n",
    ]


def test_what_goes_wrong_has_its_time_and_component_in_the_log(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_warehouse({**ROUTE, "connections.yaml": "- name: main\n  driver: none\n- 1\n"})
    for component in ("manager", "worker"):
        lines = here(capsys, component, folder).err.splitlines()
        assert len(lines) > 1
        assert all(STAMP.sub("", line).startswith(f"{component}: ") for line in lines)


def test_a_worker_reports_what_failed_and_where_to_look(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(ran, {"routes/r/s/bad/odd.sql": "select 1"})
    done = here(capsys, "run", ran, "r.s.bad")
    assert done.status == 1
    assert f"dapu: failed: r.s.bad; see `dapu status {ran} TASK`" in done.err
    assert "`dapu status DIR TASK` shows them: ?column? = 1" in done.out, "no log, but a person"


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


def test_run_of_a_faulty_task_shows_its_fault_and_not_its_neighbours(
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


def test_a_task_that_is_new_and_faulty_is_named_with_its_faults(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a short name too; and a dry run lists it."""
    folder = make_warehouse({**ROUTE, "routes/r/s/bad/task.yaml": "actions: [{do: sql, fill: x}]"})
    prepare(folder)
    for name in ("r.s.bad", "s.bad"):
        done = here(capsys, "run", folder, name)
        assert done.status == 2
        assert "unknown key `fill`" in done.err
        done = here(capsys, "run", folder, name, "--dry-run", "--json")
        [planned] = json.loads(done.out)
        assert (planned["task"], planned["definition"][:7]) == ("r.s.bad", "faulty:")
