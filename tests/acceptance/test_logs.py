"""`dapu logs` and `dapu top`: what happened, and what happens now."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from psycopg2.extensions import connection as PgSession

from tests.support.command import here, running
from tests.support.components import rows


def test_events_of_all_tasks_or_some_and_what_runs_now(
    ran: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    def logged(*options: str) -> list[str]:
        done = here(capsys, "logs", ran, *options, "--json")
        assert done.status == 0, done.err
        return [json.loads(line)["task"] for line in done.out.splitlines()]

    assert set(logged()) == {"r.s.bad", "r.s.good", "r.s.later"}
    assert set(logged("failed:", "--level", "error")) == {"r.s.bad", "r.s.later"}
    assert set(logged("--job", "1")) == {logged("--job", "1")[0]}
    assert len(logged("--limit", "2", "--since", "yesterday")) == 2
    assert logged("--since", "2099-01-01") == []
    shown = here(capsys, "logs", ran, "r.s.later").out
    assert " error   r.s.later, job " in shown
    assert "division by zero" in shown

    rows(connection, "update meta.agenda set status = 'running', worker = 1, started_at = now() "
                     "where task = 'r.s.later'")  # fmt: skip
    shown = here(capsys, "top", ran).out
    assert "1 running, 0 waiting, 0 workers" in shown
    found = json.loads(here(capsys, "top", ran, "--json").out)
    assert [job["task"] for job in found["running"]] == ["r.s.later"]
    assert {job["task"] for job in found["ended"]} == {"r.s.bad", "r.s.good"}

    # Who follows sees each event once, also one that began before and was committed after another.
    add = "insert into meta.event (task, level, message, at) values ('r.s.good', 'info', %s, {})"
    with running("logs", ran, "--follow", "--limit", "1") as process:
        assert process.stdout is not None
        process.stdout.readline()
        for message, at in (("new", "now()"), ("late", "now() - interval '20 seconds'")):
            rows(connection, add.format(at), [message])
            assert process.stdout.readline().endswith(f"r.s.good: {message}\n")
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
        assert process.stdout.read() == ""
