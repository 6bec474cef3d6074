"""What the reading pages prepare; no database is asked."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dapu.errors import DapuError
from dapu.pages.all_tasks import AllTasks
from dapu.pages.failure import details_of
from dapu.pages.frame import Frame, render
from dapu.pages.kept import Kept
from dapu.pages.site import file_name
from dapu.pages.strip import strip_of
from dapu.pages.tasks import PAGE, tasks_page
from dapu.registry.overview import Overview, sorted_tasks
from dapu.registry.selectors import Selectable
from dapu.warehouse.settings import Settings

NOW = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)
HOSTILE = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>"


def task(name: str, **values: Any) -> Overview:
    nothing: dict[str, Any] = dict.fromkeys(Overview._fields)
    usual = {"task": name, "state": "ready", "reason": "pause", "due_from": NOW, "tries": 0,
             "day_parts": [], "late_after": timedelta(hours=1), "corrected_masters": [],
             "blacklisted": False}  # fmt: skip
    return Overview(**(nothing | usual | values))


def known(*tasks: Overview) -> AllTasks:
    found = [Selectable(one.task, one.task.partition(".")[0], [], False, []) for one in tasks]
    return AllTasks(sorted_tasks(tasks, NOW), found, NOW)


MANY = known(
    task("a.s.bad", last_status="failed", message=HOSTILE, description=HOSTILE),
    *(task(f"b.s.t{number:03}", last_status="done") for number in range(120)),
)


def test_the_list_of_tasks_goes_on_where_it_ended() -> None:
    seen, after = list[str](), ""
    while True:
        page = tasks_page(MANY, Settings(), "", "", after)
        assert len(page.lines) <= PAGE
        seen += [line.task.task for line in page.lines]
        if page.after is None:
            break
        after = page.after
    assert seen == [one.task for one in MANY.tasks]
    assert seen[0] == "a.s.bad"


def test_tasks_are_found_by_words_selectors_and_state() -> None:
    def found(search: str, state: str = "") -> int:
        return tasks_page(MANY, Settings(), search, state, "").found

    assert [found("T00"), found("route:b"), found("", "failed"), found("b.s.*", "failed")] == [
        10, 120, 1, 0,
    ]  # fmt: skip
    wrong = tasks_page(MANY, Settings(), "rute:b", "", "")
    assert "rute:" in wrong.fault
    assert wrong.lines == []


def test_hostile_texts_are_shown_as_they_are() -> None:
    html = render(
        "tasks.html", Frame("w", UTC, "tasks"), tasks_page(MANY, Settings(), HOSTILE, "", "")
    )
    html += render("tasks.html", Frame("w", UTC, "tasks"), tasks_page(MANY, Settings(), "", "", ""))
    assert "<script>alert" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_a_run_that_took_far_longer_stands_out() -> None:
    strip = strip_of([*[("done", 2.0)] * 5, ("done", 9.0), ("failed", 1.0)])
    assert [bar.kind for bar in strip.bars] == [*["done"] * 5, "outlier", "failed"]


def test_details_of_an_event_are_rows_or_text() -> None:
    rows, text = details_of({"rows": [{"id": 1, "name": None}], "raised_in": "line\nline"})
    assert (rows.columns, rows.rows) == (["id", "name"], [["1", ""]])
    assert (text.name, text.text) == ("raised in", "line\nline")


def test_what_takes_long_is_shown_once_more_while_it_is_read_anew() -> None:
    reads = list[float]()

    def read() -> int:
        reads.append(time.monotonic())
        time.sleep(0.06)
        return len(reads)

    kept = Kept(read, seconds=60, oldest=60)
    assert [kept.get(), kept.get()] == [1, 1]
    assert Kept(lambda: 2, 0, 0).get() == 2


def test_no_name_leads_out_of_the_site() -> None:
    assert file_name("erp.staging.sale") == "erp.staging.sale.html"
    names = [
        file_name(name) for name in ("a.b.../../c", "a.b...-..-c", "a.b.C", "a.b.c", "x" * 300)
    ]
    assert not any("/" in name or name.startswith(".") for name in names)
    assert len({name.lower() for name in names}) == len(names)  # also where case makes no file
    assert max(map(len, names)) < 200


def test_what_was_forgotten_is_read_before_it_is_shown() -> None:
    reads = list[int]()

    def read() -> int:
        time.sleep(0.06)
        reads.append(1)
        if len(reads) == 3:
            raise DapuError("the database does not answer")
        return len(reads)

    kept = Kept(read, seconds=60, oldest=60)
    assert kept.get() == 1
    kept.forget()
    assert [kept.get(), kept.get()] == [2, 2]
    kept.forget()
    with pytest.raises(DapuError):
        kept.get()
    assert kept.get() == 4


def test_what_cannot_be_read_anew_is_not_shown_any_more() -> None:
    is_down = threading.Event()

    def read() -> int:
        time.sleep(0.06)
        if is_down.is_set():
            raise DapuError("the database does not answer")
        return 1

    kept = Kept(read, seconds=0, oldest=0)
    assert kept.get() == 1
    is_down.set()
    kept._renew_quietly(time.monotonic())
    with pytest.raises(DapuError):
        kept.get()
