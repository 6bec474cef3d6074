"""Pause, resume, retry and cancel: how a person steers what runs."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.registry import agenda, workers
from dapu.registry.store import Registry
from dapu.warehouse.warehouse import open_warehouse
from tests.conftest import MakeWarehouse
from tests.support.command import here, running
from tests.support.components import ROUTE, a_task, manager, rows
from tests.support.rounds import prepare, run_due


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


def test_paused_route_stands_still_and_the_others_go_on(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_warehouse({
        **ROUTE, "routes/q/route.yaml": "", **a_task("r.s.t"), **a_task("q.s.u"), **a_task("q.s.v"),
    })  # fmt: skip
    prepare(folder)
    manager(folder)  # what waits already does not start either
    assert here(capsys, "pause", folder, "--route", "r").out.endswith("route r paused\n")
    assert sorted(run_due(folder).order) == ["q.s.u", "q.s.v"]
    assert "waits: its route is paused (by " in here(capsys, "why", folder, "r.s.t").out
    assert "The route r is paused (by " in here(capsys, "status", folder).out
    prepare(folder)  # a deploy does not end it
    assert run_due(folder).order == []
    assert here(capsys, "resume", folder, "--route", "r").out == "resumed\n"
    assert here(capsys, "resume", folder, "--route", "r").out == "it was not paused\n"
    assert run_due(folder).order == ["r.s.t"]


def test_manager_queues_nothing_of_a_paused_route(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t")})
    prepare(folder)
    here(capsys, "pause", folder, "--route", "r")
    assert manager(folder).queued == []
    said = here(capsys, "why", folder, "r.s.t").out
    assert re.search("its route is paused .by .*, until `dapu resume --route`", said)
    for command in ("pause", "resume"):
        wrong = here(capsys, command, folder, "--route", "rr")
        assert (wrong.status, "no route `rr`" in wrong.err) == (2, True)


def test_pause_wait_has_a_limit(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t")})
    prepare(folder)
    manager(folder)
    assert here(capsys, "pause", folder, "--minutes", "5").status == 2  # it goes with --wait
    with closing(open_warehouse(folder).connect("worker")) as worker:
        with worker, worker.cursor() as cursor:
            number = workers.enrol(cursor, Registry())
            assert agenda.claim(cursor, Registry(), number, backend=0)
        done = here(capsys, "pause", folder, "--wait", "--minutes", "0")
        assert (done.status, "paused; still running: r.s.t" in done.out) == (1, True)
        other = here(capsys, "pause", folder, "--wait", "--route", "r", "--minutes", "0")
        assert other.status == 1
    assert "is paused" in here(capsys, "manager", folder).out


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


def test_the_manager_reports_jobs_that_failed_for_good(
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


def test_tasks_are_kept_off_and_read_anew_and_each_is_an_event_with_who_did_it(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str], connection: PgSession
) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.t"), **a_task("r.s.u")})
    prepare(folder)
    told = here(capsys, "blacklist", folder, "r.s.t", "--for", "2 days", "--note", "it moves").out
    assert told == "r.s.t: blacklisted for 2 days\n"
    assert "blacklisted" in here(capsys, "why", folder, "r.s.t").out
    assert run_due(folder).order == ["r.s.u"]
    assert (
        here(capsys, "blacklist", folder, "route:r", "--end").out
        == "r.s.t: no longer blacklisted\n"
    )
    again = here(capsys, "blacklist", folder, "r.s.t", "--end")
    assert again.out == "nothing was to be done to 1 task\n"
    assert here(capsys, "watermark", folder, "r.s.t").out == "r.s.t: has no watermark\n"
    done = here(capsys, "watermark", folder, "r.s.t", "--clear", "--json")
    assert json.loads(done.out) == {"tasks": ["r.s.t"]}
    for length in ("soon", "0 hours"):
        assert here(capsys, "blacklist", folder, "r.s.t", "--for", length).status == 2
    here(capsys, "run", folder, "r.s.t")
    here(capsys, "run", folder, "r.s.*")
    events = rows(connection, "select message from meta.event where data ->> 'way' = 'command'")
    words = ["blacklisted by", "no longer blacklisted, by", "watermark cleared by"]
    words += ["queued by"] * 3
    for (message,), word in zip(events, words, strict=True):
        assert message.startswith(word)
        assert "@" in message
