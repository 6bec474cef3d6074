"""What is due, and why a task is not: one rule, whatever the registry holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as PgSession

from dapu.registry import agenda, why
from dapu.registry.store import Registry
from dapu.warehouse.clock import day_parts_at
from dapu.warehouse.settings import Settings
from tests.conftest import MakeWarehouse
from tests.support.command import dapu, here
from tests.support.components import a_task, manager, registrar, rows, versioner, write

NOW = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)
NAMES = ["r.s.a", "r.s.b", "r.s.c"]
SETTINGS = Settings()
REGISTRY = Registry()
HOURS = st.none() | st.integers(-30, 0).map(lambda hours: NOW + timedelta(hours=hours))
TASK = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["ready"] * 8 + ["upgrading", "faulty"]),
        "on_masters": st.booleans(),
        "pause": st.integers(0, 30).map(lambda hours: timedelta(hours=hours)),
        "day_parts": st.sampled_from([[], [], ["morning"], ["workhours"], ["morning", "evening"]]),
        "next_cron_at": st.none() | st.integers(-2, 2).map(lambda h: NOW + timedelta(hours=h)),
        "changed_at": st.integers(-30, -1).map(lambda hours: NOW + timedelta(hours=hours)),
        "last_started_at": HOURS,
        "last_ended_at": HOURS,
        "last_done_at": HOURS,
        "job": st.sampled_from([None] * 5 + ["waiting", "running", "backfill"]),
        "masters": st.sets(st.sampled_from(NAMES)),
        "tries": st.sampled_from([0, 0, 0, 1, 4]),
        "priority": st.integers(1, 2),
        "wait": st.sampled_from([-1, -1, 0, 1]),
        "has_table": st.booleans(),
        "only_sql": st.booleans(),
        "override": st.none() | st.fixed_dictionaries({
            "pause": st.none() | st.just(timedelta(hours=2)),
            "day_parts": st.sampled_from([None, [], ["evening"], ["workhours"]]),
            "blacklisted": st.booleans(),
        }),
    }
)  # fmt: skip


@pytest.fixture
def empty(make_warehouse: MakeWarehouse, connection: PgSession) -> PgSession:
    versioner(make_warehouse({"routes/r/route.yaml": ""}))
    connection.autocommit = False
    return connection


def put(cursor: Any, tasks: dict[str, dict[str, Any]], paused: bool, disabled: bool) -> None:
    """Makes a registry that has these tasks."""
    off = ["manager"] if disabled else []
    cursor.execute("insert into meta.route (route, connection, disabled) values ('r', 'main', %s)",
                   [off])  # fmt: skip
    cursor.execute("create schema if not exists s")
    if paused:
        cursor.execute("""insert into meta.control values ('paused', '{"by": "me"}')""")
    for name, task in tasks.items():
        _put_task(cursor, name, task)
    for name, task in tasks.items():
        for master in task["masters"] - {name}:
            cursor.execute("insert into meta.dependency values (%s, %s)", [name, master])


def _put_task(cursor: Any, name: str, task: dict[str, Any]) -> None:
    table = name.rpartition(".")[2]
    actions = [{"do": "sql"}] if task["only_sql"] else [{"do": "database"}, {"do": "sql"}]
    columns = ("state", "on_masters", "pause", "day_parts", "next_cron_at", "changed_at",
               "last_started_at", "last_ended_at", "last_done_at")  # fmt: skip
    values = {column: task[column] for column in columns} | {
        "task": name, "route": "r", "schema_name": "s", "table_name": table, "hash": "",
        "definition": json.dumps({"actions": actions}), "priority": 5, "retries": 3,
        "retry_wait": timedelta(minutes=1), "timeout": timedelta(hours=1),
        "fault": "x" if task["state"] == "faulty" else None,
        "cron": "0 * * * *" if task["next_cron_at"] else None,
    }  # fmt: skip
    _insert(cursor, "registry", values)
    if task["has_table"]:
        cursor.execute(f"create table s.{table} ()")
    if task["override"] is not None:
        _insert(cursor, "override", {"task": name, **task["override"]})
    if task["job"] is not None:
        job = {"task": name, "route": "r", "priority": 5, "cause": "run", "status": "waiting"}
        if task["job"] == "backfill":
            job["backfill"] = '{"from": "1"}'
        if task["job"] == "running":
            job |= {"status": "running", "worker": 1, "started_at": NOW}
        else:
            job |= {"tries": task["tries"], "priority": task["priority"]}
            job["not_before"] = NOW + timedelta(hours=task["wait"])
        _insert(cursor, "agenda", job)


def _insert(cursor: Any, table: str, values: dict[str, Any]) -> None:
    marks = ", ".join(["%s"] * len(values))
    cursor.execute(f"insert into meta.{table} ({', '.join(values)}) values ({marks})",
                   list(values.values()))  # fmt: skip


def is_due(name: str, tasks: dict[str, dict[str, Any]], paused: bool, disabled: bool) -> bool:
    """The rule as docs/operating.md has it."""
    task = tasks[name]
    override = task["override"] or {"pause": None, "day_parts": None, "blacklisted": False}
    if paused or disabled or override["blacklisted"] or task["state"] != "ready":
        return False
    if task["job"] in ("waiting", "running"):
        return False
    masters = [tasks[master] for master in task["masters"] - {name}]
    started, ended = task["last_started_at"], task["last_ended_at"]
    is_changed = started is not None and task["changed_at"] > started
    if task["on_masters"]:
        if not (started is None or is_changed) or any(not m["last_done_at"] for m in masters):
            return False
    else:
        parts = task["day_parts"] if override["day_parts"] is None else override["day_parts"]
        if parts and not set(parts) & set(day_parts_at(SETTINGS, NOW)):
            return False
        if task["next_cron_at"] and task["next_cron_at"] > NOW:
            return False
        pause = task["pause"] if override["pause"] is None else override["pause"]
        if not (ended is None or is_changed or ended + pause <= NOW):
            return False
    return all(m["has_table"] or (m["last_done_at"] and m["only_sql"]) for m in masters)


@given(
    tasks=st.fixed_dictionaries(dict.fromkeys(NAMES, TASK)),
    paused=st.sampled_from([False] * 9 + [True]),
    disabled=st.sampled_from([False] * 9 + [True]),
    concurrency=st.sampled_from([None, 1]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_has_no_reason_is_due_and_is_what_the_manager_queues(
    empty: PgSession,
    tasks: dict[str, dict[str, Any]],
    paused: bool,
    disabled: bool,
    concurrency: int | None,
) -> None:
    with empty.cursor() as cursor:
        try:
            put(cursor, tasks, paused, disabled)
            cursor.execute("update meta.route set concurrency = %s", [concurrency])
            found = {name: why.why(cursor, REGISTRY, SETTINGS, name, NOW) for name in NAMES}
            parts = day_parts_at(SETTINGS, NOW)
            queued = {name for _, name in agenda.queue_due(cursor, REGISTRY, NOW, parts)}
            assert queued == {name for name in NAMES if is_due(name, tasks, paused, disabled)}
            assert queued == {name for name, one in found.items() if one and one.reason == "due"}
            _check_times(cursor, found, queued)
            _check_claim(cursor)
        finally:
            empty.rollback()


def _check_times(cursor: Any, found: dict[str, Any], queued: set[str]) -> None:
    """A time that is named is the first at which the clock no longer holds the task back."""
    for name, one in found.items():
        if one.at is None or name in queued or one.reason == "not_before":
            continue
        assert one.at > NOW
        at = why.why(cursor, REGISTRY, SETTINGS, name, one.at)
        assert at is not None
        assert at.reason not in ("day_part", "cron", "pause")
        before = why.why(cursor, REGISTRY, SETTINGS, name, one.at - timedelta(microseconds=1))
        assert before is not None
        assert before.reason in ("day_part", "cron", "pause")


def _check_claim(cursor: Any) -> None:
    """The job that is ready is the one that a worker takes, and no other job is."""
    now = datetime.now(UTC)
    cursor.execute("update meta.agenda set not_before = not_before + (now() - %s)", [NOW])
    found = why.reasons(cursor, REGISTRY, SETTINGS, NAMES, now)
    claimed = agenda.claim(cursor, REGISTRY, 1, 1)
    ready = [name for name, one in found.items() if one.reason == "ready"]
    if claimed is None or claimed.job.backfill is None:  # of a backfill no task is asked
        assert ready == ([claimed.job.task] if claimed else [])
    before = [one for one in found.values() if one.reason == "ahead"]
    assert claimed is not None or not before


@pytest.fixture
def folder(make_warehouse: MakeWarehouse) -> Path:
    folder = make_warehouse({"routes/r/route.yaml": "concurrency: 1"})
    for files in (
        a_task("r.s.t", run="{pause: 4 hours}"),
        a_task("r.s.u"),
        a_task("r.s.mart", depends="[r.s.t]"),
    ):
        write(folder, files)
    versioner(folder)
    assert registrar(folder).faults == []
    return folder


def told(folder: Path, task: str = "r.s.t") -> tuple[str, str, str | None]:
    found = json.loads(dapu("why", folder, task, "--json").out)
    return found["reason"], found["sentence"], found["at"]


def test_from_due_to_run_and_its_pause(folder: Path, connection: PgSession) -> None:
    assert dapu("why", folder, "r.s.t").out.startswith("r.s.t: it is due: the Manager")
    reason, sentence, _ = told(folder, "r.s.mart")
    assert (reason, "r.s.t" in sentence) == ("master_never_ran", True)
    manager(folder)
    assert told(folder)[:2] == ("ready", "job 1 waits: no worker runs; the next one takes it")
    assert told(folder, "r.s.u")[:2] == (
        "ahead",
        "job 2 waits: 1 job is before it, and no worker runs",
    )
    rows(connection, "update meta.agenda set status = 'running', worker = 1, started_at = now() "
                     "where task = 'r.s.t'")  # fmt: skip
    assert told(folder)[0] == "running"
    reason, sentence, _ = told(folder, "r.s.u")
    assert reason == "route_full"
    assert "runs 1 at once" in sentence
    rows(connection, "update meta.agenda set status = 'cancelled', ended_at = now()")
    dapu("run", folder, "r.s.t")
    reason, sentence, at = told(folder)
    assert reason == "pause"
    assert at is not None
    assert at[:16].replace("T", " ") in sentence
    assert told(folder, "r.s.mart")[0] in ("ready", "ahead")


def test_what_an_operator_did(folder: Path, connection: PgSession) -> None:
    rows(connection, "insert into meta.override (task, blacklisted, note) "
                     "values ('r.s.t', true, 'until May')")  # fmt: skip
    assert told(folder)[0] == "blacklisted"
    assert "until May" in told(folder)[1]
    dapu("pause", folder)
    assert told(folder, "r.s.u")[0] == "paused"
    dapu("resume", folder)
    manager(folder)
    rows(connection, "update meta.agenda set not_before = now() + interval '1 hour', tries = 1")
    reason, sentence, at = told(folder, "r.s.u")
    assert reason == "not_before"
    assert at is not None
    assert "next try" in sentence


def test_a_task_that_is_not_there(folder: Path) -> None:
    done = dapu("why", folder, "r.s.tt")
    assert done.status == 2
    assert "did you mean `r.s.t`" in done.err


def test_several_tasks_have_a_line_each(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "why", folder, "s.*", "r.s.t")
    assert [line.partition(": ")[0] for line in done.out.splitlines()] == [
        "r.s.t",
        "r.s.u",
        "r.s.mart",
    ]
    found = json.loads(here(capsys, "why", folder, "+r.s.mart", "--json").out)
    assert [(one["task"], one["reason"]) for one in found] == [
        ("r.s.t", "due"),
        ("r.s.mart", "master_never_ran"),
    ]
