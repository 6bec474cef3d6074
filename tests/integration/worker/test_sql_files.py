"""`do: sql` by what else the job did: only after a change, or outside of its transaction."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from dapu.warehouse.warehouse import open_warehouse
from dapu.worker.worker import Worker
from tests.conftest import MakeWarehouse
from tests.support.command import running, wait_until
from tests.support.components import ROUTE, queued
from tests.support.one_task import OneTask
from tests.support.rounds import Seen, prepare

_LOADS = """
do: transform
query: query.sql
"""
_QUERY = {"query.sql": "select * from shop"}
_AFTERWARDS = {
    **_QUERY,
    "vacuum.sql": "vacuum (analyze) {{ this }};\n"
    "create index concurrently if not exists by_id on {{ this }} (id);\ncall note()",
}
_SHOP = """
create table shop (id int); insert into shop values (1);
create table noted (what text);
create procedure note() language plpgsql as $$ begin
    insert into noted values ('a'); commit; insert into noted values ('b'); commit; end $$;
"""


def has(task: OneTask, actions: str, files: dict[str, str]) -> None:
    """Writes the definition."""
    task.has("driver: files\npath: /", _LOADS, files)
    path = task.folder / "routes/source/staging/thing/task.yaml"
    path.write_text(f"run: {{retries: 0}}\nactions:\n{actions}")


def test_file_runs_only_when_the_table_changed_or_only_when_not(task: OneTask) -> None:
    note = "insert into noted values ('{}')".format
    has(
        task,
        "- {do: transform, query: query.sql}\n"
        "- {do: sql, file: new.sql, when: changed}\n- {do: sql, file: old.sql, when: unchanged}",
        {**_QUERY, "new.sql": note("new"), "old.sql": note("old")},
    )
    task.execute(_SHOP)
    assert "not run, since the table is changed" in task.run()
    assert "not run, since the table is unchanged" in task.run()
    task.execute("insert into shop values (2)")
    task.run()
    assert task.rows("select what from noted") == [("new",), ("old",), ("new",)]


def test_statements_outside_the_transaction_run_after_the_job(task: OneTask) -> None:
    actions = "- {do: transform, query: query.sql}\n"
    has(task, actions + "- {do: sql, file: vacuum.sql, transaction: none}", _AFTERWARDS)
    task.execute(_SHOP)
    task.run()
    assert task.rows("select what from noted") == [("a",), ("b",)]
    assert task.rows("select indisvalid from pg_index where indexrelid = 'staging.by_id'::regclass")


def test_what_fails_after_the_commit_takes_nothing_back(task: OneTask) -> None:
    actions = "- {do: transform, query: query.sql}\n"
    files = {**_QUERY, "late.sql": "vacuum {{ this }};\nselect 1 / 0"}
    has(task, actions + "- {do: sql, file: late.sql, transaction: none}", files)
    task.execute(_SHOP)
    prepare(task.folder)
    queued(task.folder)
    counts = Worker(open_warehouse(task.folder), Seen(), minutes=1).run()
    assert counts.failing == {"source.staging.thing": "done"}
    assert task.rows() == [(1,)]
    [(status, message)] = task.rows("select status, message from meta.agenda")
    assert status == "done"
    assert "late.sql:2: division by zero" in message
    [event] = task.rows("select message from meta.event where level = 'error'")
    assert "late.sql:2" in event[0]


def test_a_worker_that_is_killed_after_the_commit_leaves_them_to_the_next(task: OneTask) -> None:
    note = "insert into noted values ('b')"
    has(
        task,
        "- {do: transform, query: query.sql}\n"
        "- {do: sql, file: slow.sql, transaction: none}\n"
        "- {do: sql, file: note.sql, transaction: none, when: changed}",
        {**_QUERY, "slow.sql": "select pg_sleep((select s from wait))", "note.sql": note},
    )
    task.execute(_SHOP + "create table wait as select 60 as s")
    prepare(task.folder)
    queued(task.folder)
    sleeps = "select count(*) from pg_stat_activity where query ~ '^select pg_sleep'"
    with running("worker", task.folder) as process:
        wait_until(lambda: task.rows(sleeps) == [(1,)])
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert task.rows("select status, after_commit from meta.agenda") == [("done", "changed")]
    task.execute("update wait set s = 0")
    counts = Worker(open_warehouse(task.folder), Seen(), minutes=1).run()
    assert (counts.jobs, counts.failing) == (1, {})
    assert task.rows("select what from noted") == [("b",)]
    done = "select status, tries, rows, after_commit from meta.agenda"
    assert task.rows(done) == [("done", 2, 1, None)]
    task.execute("update meta.agenda set after_commit = 'changed'")  # one that kills each worker
    assert Worker(open_warehouse(task.folder), Seen(), minutes=1).run().jobs == 0
    [(message,)] = task.rows("select message from meta.event where level = 'error'")
    assert "did not end: no tries left" in message


def test_they_are_the_job_where_there_is_nothing_else(task: OneTask) -> None:
    has(
        task,
        "- {do: sql, file: call.sql, transaction: none}",
        {"call.sql": "call note();\nselect 1 / 0"},
    )
    task.execute(_SHOP)
    assert "call.sql:2: division by zero" in task.fails()
    assert task.rows("select what from noted") == [("a",), ("b",)]


def test_transaction_that_stays_open_is_an_error(task: OneTask) -> None:
    has(
        task,
        "- {do: sql, file: open.sql, transaction: none}",
        {"open.sql": "begin;\ninsert into noted values ('x')"},
    )
    task.execute(_SHOP)
    assert "begin a transaction and do not end it" in task.fails()
    assert task.rows("select what from noted") == []


@pytest.mark.parametrize(
    ("actions", "says"),
    [
        (
            "[{do: sql, file: a.sql, transaction: none}, {do: sql, file: a.sql}]",
            "put that one last",
        ),
        ("[{do: sql, file: a.sql, when: changed}]", "no action before it loads the table"),
        ("[{do: sql, file: a.sql, when: often}]", "must be 'changed' or 'unchanged'"),
    ],
)
def test_actions_that_make_no_sense_are_refused(
    make_warehouse: MakeWarehouse, actions: str, says: str
) -> None:
    task = "routes/r/s/t"
    folder: Path = make_warehouse({
        **ROUTE, f"{task}/task.yaml": f"actions: {actions}", f"{task}/a.sql": "select 1",
    })  # fmt: skip
    [fault] = prepare(folder).faults
    assert (fault.file.name, fault.line) == ("task.yaml", 1)
    assert says in fault.message
