"""The lines of `dapu status`, at any width."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click
import pytest

from dapu.cli.arguments import moment
from dapu.cli.console import has_colours
from dapu.cli.task_table import strip, task_table
from dapu.registry.overview import Overview, sorted_tasks
from dapu.warehouse.clock import day_part_starts
from dapu.warehouse.settings import Settings

NOW = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)
LONG = "erp.staging.a_table_with_a_long_name"


def task(name: str, **values: Any) -> Overview:
    nothing: dict[str, Any] = dict.fromkeys(Overview._fields)
    usual = {"task": name, "state": "ready", "reason": "pause", "due_from": NOW, "tries": 0,
             "day_parts": [], "late_after": timedelta(hours=1), "corrected_masters": [],
             "blacklisted": False}  # fmt: skip
    return Overview(**(nothing | usual | values))


TASKS = [
    task("erp.s.a", last_status="done", run_endings="fd", run_seconds=[2.0, 1.5], rows=1000,
         last_ended_at=NOW, took=timedelta(seconds=2), message="3 rows\nand more " * 20),
    task(LONG, last_status="failed", run_endings="f", run_seconds=[1.0], message="Übel 漢字" * 30),
]  # fmt: skip


@pytest.mark.parametrize("width", [*range(1, 160, 3), None])
@pytest.mark.parametrize("colours", [False, True])
def test_no_name_is_ever_broken(width: int | None, colours: bool) -> None:
    lines = task_table(TASKS, Settings(), NOW, width=width, colours=colours)
    assert any(line.startswith("erp.s.a") for line in lines)
    assert any(line.startswith(LONG) for line in lines)
    plain = [re.sub(r"\x1b\[\d+m", "", line) for line in lines]
    if width is not None and width > len(LONG):
        wide = [len(line) + len(re.findall("[漢字]", line)) for line in plain]
        assert max(wide) <= width
    if not colours:
        assert plain == lines


def test_what_failed_comes_first_then_what_is_late() -> None:
    late = task("a.s.late", due_since=NOW - timedelta(hours=2), reason=None)
    waits = task("a.s.waits", now="waiting", due_since=NOW - timedelta(minutes=50))
    retried = task("a.s.x", now="waiting", tries=1)
    found = sorted_tasks([*TASKS, waits, late, retried], NOW)
    assert [(one.task, one.condition(NOW)) for one in found] == [
        (LONG, "failed"),
        ("a.s.x", "retrying"),
        ("a.s.late", "late"),
        ("a.s.waits", "waiting"),
        ("erp.s.a", "done"),
    ]


def test_a_strip_shows_how_long_runs_took() -> None:
    assert strip("ddfs", [1.0, 8.0, 9.0, 0.0]) == "▂█✗·"
    assert strip("d", [0.0]) == "▁"


def test_colours_only_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dapu.cli.console.is_terminal", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert has_colours()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_colours()


def test_a_moment_is_a_word_a_length_of_time_or_a_time() -> None:
    zone = ZoneInfo("Europe/Tallinn")
    now = datetime.now(zone)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    assert moment("today", zone) == today
    assert moment("yesterday", zone) == today - timedelta(days=1)
    assert timedelta(0) <= moment("2 hours", zone) - now + timedelta(hours=2) < timedelta(minutes=1)
    assert moment("2024-05-01", zone) == datetime(2024, 5, 1, tzinfo=zone)
    assert moment("2024-05-01 06:00+23:59", zone).utcoffset() == timedelta(hours=3)
    for text in ("soon", "99999999 days", "0001-01-01T00:00+12:00"):
        with pytest.raises(click.UsageError, match="yesterday"):
            moment(text, zone)


def test_a_part_of_the_day_may_have_begun_yesterday() -> None:
    settings = Settings.model_validate({"day_parts": {"night": "22-6", "day": "6-22"}})
    at = datetime(2024, 5, 6, 3, tzinfo=UTC)
    assert day_part_starts(settings, at) == {"night": datetime(2024, 5, 5, 22, tzinfo=UTC)}
