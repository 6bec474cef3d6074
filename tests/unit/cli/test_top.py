"""`dapu top` on terminals of several sizes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dapu.cli.top import page_lines, sections
from dapu.registry.activity import Activity, EndedJob, RunningJob, WaitingJob

NOW = datetime(2026, 11, 29, 18, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(days=2)
FOUND = Activity(
    [RunningJob("erp.staging.invoice", 12, timedelta(minutes=3), 1_234_567, 3, "host")],
    [],
    [
        EndedJob(
            "erp.staging.item", 11, "failed", NOW, timedelta(0), 0, "no\n such \x1btable " * 9
        ),
        EndedJob("erp.staging.sale", 10, "done", EARLIER, timedelta(0), 5, "5 rows"),
    ],
    0,
    1,
)


@pytest.mark.parametrize("width", [20, 40, 80, 160])
def test_each_job_is_a_line_whatever_the_width(width: int) -> None:
    lines = page_lines(sections(FOUND, UTC), NOW, width, 40)
    assert max(map(len, lines)) <= width
    assert all(line.isprintable() for line in lines)
    tasks = [line.split()[0] for line in lines if line.startswith("erp.")]
    assert tasks == ["erp.staging.invoice", "erp.staging.item", "erp.staging.sale"]
    assert "Next: -" in lines


def test_what_is_wanted_most_is_kept_longest() -> None:
    wide, narrow = (page_lines(sections(FOUND, UTC), NOW, width, 40) for width in (160, 50))
    assert wide[1].split() == ["task", "job", "for", "rows", "worker"]
    assert "1,234,567" in wide[2]
    assert narrow[-3].split() == ["task", "status", "at"]
    assert narrow[-2].split() == ["erp.staging.item", "failed", "18:00:00"]
    assert narrow[-1].endswith("2026-11-27 18:00:00")


def test_a_low_terminal_shows_what_runs_first() -> None:
    assert len(page_lines(sections(FOUND, UTC), NOW, 80, 3)) == 3
    waiting = FOUND._replace(running=[], next=[WaitingJob("a.b.c", 1, 3, NOW)], waiting=1)
    assert page_lines(sections(waiting, UTC), NOW, 80, 9)[0] == "0 running, 1 waiting, 1 workers -"
