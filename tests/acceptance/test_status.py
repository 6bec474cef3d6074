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
    assert re.search(r"r\.s\.later +next try at [-\d]{10} [:\d]{8} .*division by zero", done.out)
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
    shown = here(capsys, "status", ran, "r.s.later").out
    assert re.search(r"now: job \d+ waits: its next try is at \d{4}-\d\d-\d\d ", shown)
    assert re.search(r"next run: \d{4}-\d\d-\d\d ", shown)


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


def test_status_of_an_unknown_task_names_the_nearest(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "status", ran, "r.s.god")
    assert (done.status, done.err) == (
        2,
        "dapu: there is no task `r.s.god`; did you mean `r.s.good`?\n",
    )
