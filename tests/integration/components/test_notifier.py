"""Notices: written with what they tell, sent once, and never lost."""

from __future__ import annotations

import json
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.components.notifier import Notifier, send_all, send_test
from dapu.warehouse.warehouse import open_warehouse
from tests.conftest import MakeWarehouse
from tests.services.misbehaving_http import MisbehavingServer, Reply
from tests.support.command import here, running, wait_until
from tests.support.components import ROUTE, a_task, manager, rows
from tests.support.rounds import prepare, run_due, run_task

FAILS = {"run.sql": "select 1 / 0"}
WRITES = "import sys, os; open({!r}, 'a').write(sys.stdin.read() + chr(10))"


@pytest.fixture
def told(tmp_path: Path) -> Path:
    return tmp_path / "told"


@pytest.fixture
def folder(make_warehouse: MakeWarehouse, server: MisbehavingServer, told: Path) -> Path:
    """Two that fail and one that does not; a web server and a command are told."""
    command = json.dumps([sys.executable, "-c", WRITES.format(str(told))])
    url = server.url.replace("http://", "json://") + "/SECRETPATH"
    folder = make_warehouse({
        "warehouse.yaml": f"""\
            notify:
            - name: web
              url: "{url}"
            - name: program
              command: {command}
              on: [failed, failed again, recovered, late, schema changed, rows rejected,
                row count unusual]
              tasks: ['s.*']
            """,
        **ROUTE,
        **a_task("r.s.bad", FAILS, run="{retries: 0, pause: 0}"),
        **a_task("r.s.worse", FAILS, run="{retries: 0, pause: 0}"),
        **a_task("r.s.good"),
    })  # fmt: skip
    prepare(folder)
    return folder


def of_program(told: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []


def kinds(message: dict[str, Any]) -> list[tuple[str, str]]:
    return [(notice["task"], notice["kind"]) for notice in message["notices"]]


def test_a_storm_is_one_message_and_each_notice_is_sent_once(
    folder: Path, server: MisbehavingServer, told: Path, connection: PgSession
) -> None:
    server.on("/SECRETPATH", Reply("", status=200))
    warehouse = open_warehouse(folder)
    # Who is new is told what happens from now on.
    assert send_test(warehouse) == [("web", None), ("program", None)]
    server.asked.clear()
    told.unlink()
    run_due(folder)
    assert send_all(warehouse, collect=timedelta(minutes=5)) == []  # it waits for more
    assert server.asked == []
    for _ in range(2):
        assert send_all(warehouse) == []
    [asked] = server.asked
    sent = json.loads(asked.body)
    assert sent["title"] == "warehouse: 2 failed"
    assert "r.s.bad failed (job " in sent["message"]
    [message] = of_program(told)
    assert kinds(message) == [("r.s.bad", "failed"), ("r.s.worse", "failed")]
    assert message["again"] is False

    rows(connection, "update meta.registry set last_status = 'failed' where task = 'r.s.good'")
    (folder / "routes/r/s/bad/run.sql").write_text("select 1")
    for task in ("r.s.bad", "r.s.worse", "r.s.good"):
        run_task(folder, task)
    # A worker sends what is left when it ends.
    with Notifier(warehouse, pytest.fail):
        pass
    assert kinds(of_program(told)[1]) == [
        ("r.s.bad", "recovered"),
        ("r.s.worse", "failed again"),
        ("r.s.good", "recovered"),
    ]
    assert json.loads(server.asked[1].body)["title"] == "warehouse: 2 recovered"


def test_what_is_not_taken_is_tried_again_and_no_secret_is_shown(
    folder: Path,
    server: MisbehavingServer,
    told: Path,
    connection: PgSession,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert send_all(open_warehouse(folder)) == []
    server.on("/SECRETPATH", Reply("SECRETPATH is wrong", status=500))
    run_due(folder)
    done = here(capsys, "notify", folder)
    assert done.status == 1
    assert "web: its url did not take the message" in done.err
    assert len(of_program(told)) == 1  # the other one is told all the same
    [(error,)] = rows(connection, "select error from meta.message where recipient = 'web'")
    assert "SECRETPATH" not in done.text + error
    server.on("/SECRETPATH", Reply(""))
    assert (here(capsys, "notify", folder).status, len(server.asked)) == (0, 1)  # it waits
    rows(connection, "update meta.message set not_before = now() where sent_at is null")
    assert (here(capsys, "notify", folder).status, len(server.asked)) == (0, 2)
    done = here(capsys, "notify", folder, "--test", "--to", "web", "--json")
    assert json.loads(done.out) == [{"name": "web", "fault": None}]
    assert json.loads(server.asked[2].body)["title"] == "warehouse: a test"
    assert "did you mean `web`" in here(capsys, "notify", folder, "--test", "--to", "wep").err


def test_a_sender_that_is_killed_loses_nothing(
    folder: Path, server: MisbehavingServer, told: Path, connection: PgSession
) -> None:
    assert send_all(open_warehouse(folder)) == []
    run_due(folder)
    # Between the collecting and the sending: nothing has left.
    rows(connection, "insert into meta.message (recipient) values ('program')")
    rows(connection, """
        insert into meta.delivery select 'program', notice, (select max(message) from meta.message)
        from meta.notice where task = 'r.s.bad'""")  # fmt: skip
    # While the server has the request and has not answered: nobody knows whether it took it.
    server.on("/SECRETPATH", Reply("", waits=30))
    with running("notify", folder) as process:
        wait_until(lambda: server.asked)
        process.send_signal(signal.SIGKILL)
        process.wait()
    server.on("/SECRETPATH", Reply(""))
    locks = "select count(*) from pg_locks where locktype = 'advisory' and granted"
    wait_until(lambda: rows(connection, locks) == [(0,)])
    assert send_all(open_warehouse(folder)) == []
    first, second = (json.loads(asked.body)["message"] for asked in server.asked)
    assert "This may have arrived before" in second
    assert first.splitlines()[-1] == second.splitlines()[-1] == "(dapu message 2)"
    assert [kinds(message) for message in of_program(told)] == [
        [("r.s.bad", "failed")],
        [("r.s.worse", "failed")],
    ]
    assert [message["again"] for message in of_program(told)] == [False, False]


def test_what_a_job_found_and_what_is_late(
    make_warehouse: MakeWarehouse, told: Path, connection: PgSession
) -> None:
    command = json.dumps([sys.executable, "-c", WRITES.format(str(told))])
    every = "[late, schema changed, rows rejected, row count unusual]"
    folder = make_warehouse({
        "warehouse.yaml": f"notify: [{{name: p, command: {command}, on: {every}}}]",
        **ROUTE,
        **a_task("r.s.late"),
        "routes/r/s/t/task.yaml": "actions: [{do: database, query: q.sql, on_bad_value: reject, "
        "load: append}]",
        "routes/r/s/t/q.sql": "select i as n from generate_series(1, 100) i",
    })  # fmt: skip
    prepare(folder)
    send_all(open_warehouse(folder))
    for _ in range(5):
        run_task(folder, "r.s.t")
    query = (
        "select case i when 1 then 'x' else i::text end as n, i as m from generate_series(1, 9) i"
    )
    (folder / "routes/r/s/t/q.sql").write_text(query)
    run_task(folder, "r.s.t")
    rows(connection, "update meta.registry set changed_at = now() - interval '2 hours'")
    rows(connection, "update meta.agenda set queued_at = now() - interval '2 hours', "
                     "not_before = now() - interval '2 hours'")  # fmt: skip
    manager(folder)
    rows(connection, "update meta.agenda set queued_at = now() - interval '2 hours', "
                     "not_before = now() - interval '2 hours'")  # fmt: skip
    for _ in range(2):
        manager(folder)
        send_all(open_warehouse(folder))
    [message] = of_program(told)
    assert sorted(set(kinds(message))) == [
        ("r.s.late", "late"),
        ("r.s.t", "row count unusual"),
        ("r.s.t", "rows rejected"),
        ("r.s.t", "schema changed"),
    ]
    said = {notice["kind"]: notice["message"] for notice in message["notices"]}
    assert said["row count unusual"] == "8 rows, where 100 are usual"
    assert "the new column m (integer) is added" in said["schema changed"]
