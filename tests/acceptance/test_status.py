"""`dapu status`: each task, and one with its jobs, events and offending rows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from psycopg2.extensions import connection as PgSession

from tests.support.command import here


def test_status_shows_each_task(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "status", ran)
    assert done.status == 0
    assert re.search(r"r\.s\.good +done ", done.out)
    assert re.search(r"r\.s\.bad +failed .*the check `sql: odd.sql` failed: more than 20", done.out)
    assert re.search(r"r\.s\.later +retrying .* [-\d]{10} [:\d]{8} +.*division by zero", done.out)
    assert re.search(r"r\.s\.good .* ▁|█ ", done.out)
    shown = here(capsys, "status", ran, "r.s.later").out
    assert re.search(r"now: job \d+ waits: its next try is at \d{4}-\d\d-\d\d ", shown)
    assert re.search(r"next run: \d{4}-\d\d-\d\d ", shown)
    done = here(capsys, "status", ran, "r.s.god")
    assert (done.status, done.err) == (
        2,
        "dapu: there is no task `r.s.god`; did you mean `r.s.good`?"
        " (a new one is known once it is registered)\n",
    )
    done = here(capsys, "status", ran)
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
    offending, _, sent = done.out.partition("Offending rows:")[2].partition("SQL as it was sent")
    assert "1  select" in sent
    assert re.findall(r"\d+", offending) == [str(number) for number in range(1, 21)]


def test_status_of_a_job_that_was_never_tried_says_until_when_it_waits(
    ran: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("update meta.agenda set tries = 0 where task = 'r.s.later'")
    shown = here(capsys, "status", ran, "r.s.later").out
    assert re.search(r"now: job \d+ waits: it may start from \d{4}-\d\d-\d\d ", shown)


def test_status_of_a_task_shows_all_that_is_known_of_it(
    ran: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("""
            insert into meta.dependency values ('r.s.good', 'r.s.bad'), ('r.s.later', 'r.s.good');
            insert into meta.override (task, pause, note) values ('r.s.good', '2 hours', 'ask Ann');
            insert into meta.watermark
            values ('r.s.good', 'at', 'date', '2024-05-01', 1, now(), 'q');
            insert into meta.migration values ('r.s.good', 1, '001_create.sql', 'x');
            update meta.registry set git_commit = 'abc1' where task = 'r.s.good'""")
    shown = here(capsys, "status", ran, "r.s.good").out
    for line in (
        r"now: its pause .* override: ask Ann",
        r"last run: done \d{4}-",
        r"depends on: r\.s\.bad \(failed \d{4}-",
        r"wakes: r\.s\.later \(never ran\)",
        r"watermark: at 2024-05-01 in `q` \(by job 1, ",
        r"override: pause 02:00:00: ask Ann",
        r"steps applied: 001_create\.sql \(\d{4}-",
        r"registered: \d{4}-.* by [^ ]+@[^ ]+, commit abc1, definition [0-9a-f]{8}",
        r"  description: all is well",
    ):
        assert re.search(rf"^{line}", shown, re.MULTILINE), line
    found = json.loads(here(capsys, "status", ran, "r.s.good", "--json").out)
    assert found["jobs"][0]["hash"] == found["registered"]["hash"]
    assert found["next_run_at"] == found["why"]["at"]
    assert found["masters"][0]["task"] == "r.s.bad"


def test_status_of_those_that_failed_or_are_late_and_what_is_new_of_it(
    ran: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    def shown(*options: str) -> list[str]:
        done = here(capsys, "status", ran, *options, "--json")
        assert done.status == 0, done.err
        return [task["task"] for task in json.loads(done.out)["tasks"]]

    assert shown() == ["r.s.bad", "r.s.later", "r.s.good"]
    assert shown("--failed") == ["r.s.bad", "r.s.later"]
    assert shown("--late") == []
    assert shown("--limit", "1", "--route", "r", "--since", "yesterday") == ["r.s.bad"]
    assert shown("s.*", "--since", "2099-01-01") == []
    assert here(capsys, "status", ran, "--since", "soon").status == 2
    assert "no task" in here(capsys, "status", ran, "--route", "x").err
    for command, said in (
        (["--check"], {"failed": ["r.s.bad"], "late": []}),
        (["--check"], {"failed": [], "late": []}),
        (["--check", "--route", "r"], {"failed": ["r.s.bad"], "late": []}),  # a look of its own
    ):
        done = here(capsys, "status", ran, *command, "--json")
        assert {what: [*of] for what, of in json.loads(done.out).items()} == said
        assert done.status == (1 if said["failed"] else 0)
    with connection, connection.cursor() as cursor:
        cursor.execute("""
            update meta.registry set last_ended_at = last_ended_at - interval '25 hours',
                last_started_at = now() - interval '25 hours',
                changed_at = now() - interval '2 days'
            where task = 'r.s.good';
            update meta.registry set state = 'faulty', fault = 'x' where task = 'r.s.later'""")
    assert shown("--late") == ["r.s.good"]
    done = here(capsys, "status", ran, "--check")
    assert (done.status, here(capsys, "status", ran, "--check").status) == (1, 0)
    assert re.search(r"^r\.s\.good: late: due since \d{4}-", done.out, re.MULTILINE)
    assert "r.s.later: failed: x" in done.out
    with connection, connection.cursor() as cursor:  # `expect: {fresh_within: 1 day}`
        cursor.execute("""
            update meta.registry set last_ended_at = now(),
                last_done_at = now() - interval '26 hours', fresh_within = '1 day'
            where task = 'r.s.good'""")
    assert shown("--late") == ["r.s.good"]
    assert "r.s.good: late: not fresh since" in here(capsys, "status", ran, "--check", "s.good").out
