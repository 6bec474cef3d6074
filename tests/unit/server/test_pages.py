"""How pages become HTML; no database is asked."""

from __future__ import annotations

from datetime import UTC

import pytest

from dapu.pages.assets import assets, assets_by_hashed_name
from dapu.pages.frame import Fault, Frame, Links, render, roughly

FRAME = Frame("<i>shop</i>", UTC, "now")


def test_what_others_wrote_is_shown_as_it_is() -> None:
    html = render("fault.html", FRAME, Fault("No <script>", "x\"'><img src=x onerror=alert(1)>"))
    assert "<script>alert" not in html
    assert "<img" not in html
    assert "No &lt;script&gt; · &lt;i&gt;shop&lt;/i&gt;" in html


def test_the_files_of_a_page_are_named_by_their_content() -> None:
    known = assets_by_hashed_name()
    for name in assets():
        assert Links().asset(name).removeprefix("/static/") in known


@pytest.mark.parametrize(
    ("parts", "query", "expected"),
    [
        ((), {}, "/"),
        (("tasks", "a.b.c/d?e"), {}, "/tasks/a.b.c%2Fd%3Fe"),
        (("tasks",), {"q": "a b&c", "late": "", "after": None}, "/tasks?q=a+b%26c"),
    ],
)
def test_addresses_are_quoted(
    parts: tuple[str, ...], query: dict[str, str | None], expected: str
) -> None:
    assert Links().to(*parts, **query) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(4, "4 s"), (150, "2 min"), (7200, "2 h"), (86400 * 3, "3 days")],
)
def test_a_length_of_time_is_said_roughly(seconds: float, expected: str) -> None:
    assert roughly(seconds) == expected


def test_a_sentence_begins_with_a_great_letter_but_no_id_does() -> None:
    def said(message: str) -> str:
        return render("fault.html", FRAME, Fault("No", message))

    assert "There is no task" in said("there is no task `x`")
    assert ">r.mart.m1 has never run" in said("r.mart.m1 has never run")
    assert ">größe_ñ: is faulty" in said("größe_ñ: is faulty")


def test_files_have_their_short_names() -> None:
    html = render("fault.html", FRAME, Fault("No", "/srv/w/routes/erp/s/sale/task.yaml:3: no"))
    assert ">routes/erp/s/sale/task.yaml:3: no" in html
