"""`dapu status`: each task, and one with its jobs, events and offending rows."""

from __future__ import annotations

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
    assert "now: next try at " in here(capsys, "status", ran, "r.s.later").out


def test_status_of_a_job_that_was_never_tried_says_until_when_it_waits(
    ran: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("update meta.agenda set tries = 0 where task = 'r.s.later'")
    assert re.search(
        r"now: waits until \d{4}-\d\d-\d\d ", here(capsys, "status", ran, "r.s.later").out
    )


def test_status_of_an_unknown_task_names_the_nearest(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "status", ran, "r.s.god")
    assert (done.status, done.err) == (
        2,
        "dapu: there is no task `r.s.god`; did you mean `r.s.good`?\n",
    )
