"""What somebody sends who wishes ill: each page answers, changes nothing, and escapes all."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from tests.support.browser import HOSTILE, TASK, Browser, MakeServed
from tests.support.served import Served

TEXTS = (
    HOSTILE,
    "%00",
    "\0",
    "'; drop table meta.agenda; --",
    "100%",
    "%(tasks)s {0} {{ 7 * 7 }}",
    "\\",
    "../../../../etc/passwd",
    "x" * 480,
    "x" * 9000,
    "\U0001f600 ŝ Ω",
    "+:*",
    "tag:",
    "9" * 30,
    "-1",
    "NaN",
)
QUERIES = {
    "/tasks": ("q", "state", "after"),
    "/jobs": ("task", "status", "since", "before"),
    "/events": ("task", "status", "since", "before"),
    "/lineage": ("q",),
    f"/lineage/{TASK}": ("column",),
    "/catalogue": ("q", "after"),
    "/actions/retry": ("task", "job", "select", "status", "since", "until", "upto", "next"),
    "/actions/blacklist": ("task", "length", "note"),
    "/login": ("next",),
}


@pytest.fixture
def served(make_served: MakeServed, logins: str) -> Served:
    found = make_served(f"server:\n  logins:\n{logins}\n")
    found.rows(
        "insert into meta.agenda (task, route, status, priority, cause, started_at, ended_at,"
        f" message) values ('{TASK}', 'local', 'failed', 1, 'run', now(), now(), '{HOSTILE}')"
    )
    found.rows(
        "insert into meta.event (job, task, level, message, data) values"
        f""" (1, '{TASK}', 'error', '{HOSTILE}', '{{"{HOSTILE}": "{HOSTILE}", "rows":"""
        f""" [{{"{HOSTILE}": "{HOSTILE}"}}], "failed_at": {{"file": "../../{HOSTILE}","""
        f""" "line": 3, "definition": ["{HOSTILE}", 7], "sql": "{HOSTILE}", "sql_line": 99}}}}')"""
    )
    return found


def test_texts_of_others_are_shown_as_they_are_and_harm_nothing(served: Served) -> None:
    before = served.rows("select status, message from meta.agenda")
    with served.listening():
        ann = Browser(served)
        ann.log_in("ann", "ann-password")
        for page in ("/", "/tasks", f"/tasks/{TASK}", "/jobs", "/jobs/1", "/events", "/catalogue"):
            answer = ann.page(page)
            assert (page, answer.status_code) == (page, 200)
            assert "<script>alert" not in answer.text
            assert "<img" not in answer.text
        for page, names in QUERIES.items():
            for name in names:
                for text in TEXTS:
                    _check(ann, f"{page}?{name}={quote(text)}")
        for text in TEXTS:
            for page in ("/tasks/", "/jobs/", "/lineage/", "/catalogue/", "/actions/", "/static/"):
                _check(ann, page + quote(text, safe=""))
        _check(ann, "/tasks?q=%ff%fe&state=%C3%28")  # no UTF-8
    assert served.rows("select status, message from meta.agenda") == before


def _check(browser: Browser, path: str) -> None:
    answer = browser.page(path)
    assert answer.status_code in (200, 303, 400, 403, 404, 409), (path, answer.text)
    assert "<script>alert" not in answer.text, path
    assert "<img" not in answer.text, path
    assert "Traceback" not in answer.text, path
    place = answer.headers.get("Location", "/")
    assert re.match(r"/(?![/\\])", place), (path, place)


def test_the_session_of_somebody_who_was_removed_is_none(served: Served) -> None:
    with served.listening():
        ann = Browser(served)
        ann.log_in("ann", "ann-password")
        assert ann.page("/").status_code == 200
    settings = served.folder / "warehouse.yaml"
    settings.write_text(settings.read_text().replace("name: ann", "name: bob"))
    with served.listening():
        ann.url = served.url
        assert ann.page("/").status_code == 303
        assert ann.page(f"/actions/run?task={TASK}").status_code == 303
        vic = Browser(served)
        vic.log_in("vic", "vic-password")
        vic.cookies.update({name: f"{value}"[:-3] + "abc" for name, value in vic.cookies.items()})
        assert vic.page("/").status_code == 303  # of a cookie that somebody changed


def test_without_a_proxy_in_the_settings_no_header_says_who_or_whence(served: Served) -> None:
    with served.listening():
        browser = Browser(served)
        for name in ("X-Remote-User", "X-Forwarded-User", "Remote-User", "X-Auth-Request-User"):
            assert browser.page("/", headers={name: "ada"}).status_code == 303
        tries = []
        for number in range(11):
            browser.headers["X-Forwarded-For"] = f"10.0.0.{number}"
            tries.append(browser.log_in(f"ann{number}", "wrong-password").status_code)
        assert tries[-1] == 429  # they all come from one address


def test_an_action_is_done_by_post_alone(served: Served) -> None:
    with served.listening():
        ann = Browser(served)
        ann.log_in("ann", "ann-password")
        csrf = ann.csrf(f"/actions/run?task={TASK}")
        ann.page(f"/actions/run?task={TASK}&csrf={csrf}")
        for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"):
            address = f"{served.url}/actions/run?task={TASK}"
            ann.request(method, address, data={"csrf": csrf, "task": TASK}, timeout=20)
        crossed = {"Sec-Fetch-Site": "cross-site"}
        done = ann.submit("/actions/run", crossed, csrf=csrf, task=TASK)
        assert done.status_code == 403
        assert served.rows("select count(*) from meta.agenda") == [(1,)]
