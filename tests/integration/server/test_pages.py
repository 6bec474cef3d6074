"""What the pages offer and say: pauses, faults, old data, ids as they are."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import quote

import pytest
import requests

from dapu.pages import kept
from dapu.server import reading
from tests.conftest import Database, MakeWarehouse
from tests.services.scripted_connector import ScriptedConnector
from tests.support.browser import Browser
from tests.support.components import registrar
from tests.support.served import TOKEN, Served

_SIZE, _SALE, _DOWN = "local.staging.größe_ñ", "local.staging.sale", "local.staging.down"
_FILES = {
    "routes/local/staging/größe_ñ/task.yaml": "actions: [{do: sql, file: [a.sql]}]",
    "routes/local/staging/größe_ñ/a.sql": "select 1",
    "routes/local/staging/sale/task.yaml": "run: {retries: 0}\n"
    "actions: [{do: database, query: q.sql, load: replace}]\nchecks: [{unique: [sale_id]}]\n",
    "routes/local/staging/sale/q.sql": "select 1 as sale_id union all select 1",
    "routes/local/staging/down/task.yaml": "actions: [{do: sql, file: [a.sql]}]",
    "routes/local/staging/down/a.sql": "select 1",
}


@pytest.fixture
def served(
    make_warehouse: MakeWarehouse,
    database: Database,
    connector: ScriptedConnector,
    logins: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Served:
    monkeypatch.setattr("dapu.server.access.passwords._N", 16)
    section = f"server:\n  logins:\n{logins}\n"
    found = Served(make_warehouse, database, connector, {**_FILES, "warehouse.yaml": section})
    found.rows("create schema staging")
    registrar(found.folder)
    return found


def _ann(served: Served) -> Browser:
    browser = Browser(served)
    assert browser.log_in("ann", "ann-password").status_code == 303
    return browser


def _offered(html: str) -> set[str]:
    """The actions of a page's links, with what they are for."""
    links = [unescape(one) for one in re.findall(r'href="/actions/([^"]+)"', html)]
    return {link.partition("&next=")[0] for link in links}


def test_a_route_is_paused_and_resumed_from_the_pages_that_show_it(served: Served) -> None:
    with served.listening():
        ann = _ann(served)
        for path in (f"/tasks/{_SALE}", "/tasks?q=route:local"):
            assert "pause?route=local" in _offered(ann.page(path).text)
            assert "resume?route=local" not in _offered(ann.page(path).text)
        assert ann.submit("/actions/pause", csrf=ann.csrf("/"), route="local").status_code == 303
        for path in (f"/tasks/{_SALE}", "/tasks?q=route:local", "/"):
            assert "resume?route=local" in _offered(ann.page(path).text)
            assert "pause?route=local" not in _offered(ann.page(path).text)
        vic = Browser(served)
        vic.log_in("vic", "vic-password")
        assert _offered(vic.page("/").text) == set()


def test_a_task_is_shown_as_it_is(served: Served) -> None:
    with served.listening():
        ann = _ann(served)
        page = ann.page(f"/tasks/{quote(_SIZE)}").text
        back = re.search(r'href="/actions/run\?([^"]+)"', page)
        assert back
        confirm = ann.page(f"/actions/run?{unescape(back[1])}").text
        assert f'name="next" value="/tasks/{quote(_SIZE)}"' in confirm
        stranger = Browser(served)
        there = stranger.page(f"/tasks/{quote(_SIZE)}").headers["Location"]
        hidden = f'name="next" value="/tasks/{quote(_SIZE)}"'
        assert hidden in stranger.page(f"/login?next=/tasks/{_SIZE}").text
        assert hidden in stranger.page(there).text

        assert not any(one.startswith("cancel") for one in _offered(page))
        served.rows(
            "insert into meta.agenda (task, route, priority, cause)"
            f" values ('{_SALE}', 'local', 1, 'run')"
        )
        assert f"cancel?task={_SALE}" in _offered(ann.page(f"/tasks/{_SALE}").text)
        served.work()
        checks = ann.page(f"/tasks/{_SALE}").text.partition('id="checks"')[2]
        checks = checks.partition("</section>")[0]
        assert "unique: [sale_id]" in checks
        assert 'class="state failed"' in checks

        definition = served.folder / "routes/local/staging/down/task.yaml"
        definition.write_text("actions: [{do: sql, fiel: [a.sql]}]")
        registrar(served.folder)
        for path in (f"/tasks/{_DOWN}", "/", f"/lineage/{_DOWN}", "/tasks", "/events"):
            html = ann.page(path).text
            assert str(served.folder) not in html, path
        assert "routes/local/staging/down/task.yaml" in ann.page(f"/tasks/{_DOWN}").text


def test_what_does_not_work_is_said_on_a_page(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a-word-of-the-log")

    with served.listening():
        ann = _ann(served)
        monkeypatch.setattr(reading, "jobs_page", broken)
        fault = ann.page("/jobs")
        assert (fault.status_code, "<h1>" in fault.text) == (500, True)
        assert "a-word-of-the-log" not in fault.text
        for header in ("Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options"):
            assert header in fault.headers

        csrf = ann.csrf("/")
        ann.cookies.clear()  # as when the session is over
        path = f"/actions/run?task={_SALE}"
        headers = {"Referer": served.url + path}
        sent = ann.submit("/actions/run", headers, csrf=csrf, task=_SALE)
        assert sent.status_code == 303
        assert sent.headers["Location"] == f"/login?next={quote(path, safe='')}"
        headers = {"Referer": "https://evil.example/x"}
        sent = ann.submit("/actions/run", headers, csrf=csrf, task=_SALE)
        assert sent.headers["Location"] == "/login?next=%2F"

        token = {"Authorization": f"Bearer {TOKEN}"}
        head = requests.head(served.url + "/", headers=token, timeout=20)
        assert (head.status_code, head.text) == (200, "")
        assert requests.head(served.url + "/live", headers=token, timeout=20).status_code == 405
        nul = requests.get(
            f"{served.url}/actions/run?select=a%00", headers=token, timeout=20
        ).json()
        assert "select" in nul["error"]
        assert "control character" in nul["error"]


def test_a_list_says_how_old_it_is_and_is_new_after_an_action(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_QUICK", -1.0)  # as with thousands of tasks

    def as_of(html: str) -> str:
        found = re.search(r'As of <time datetime="([^"]+)"', html)
        assert found
        return found[1]

    with served.listening():
        ann = _ann(served)
        first = as_of(ann.page("/tasks").text)
        assert as_of(ann.page("/tasks").text) == first
        csrf = ann.csrf("/")
        ann.submit("/actions/run", csrf=csrf, task=_SALE)
        after = ann.page("/tasks").text
        assert as_of(after) > first
        assert 'class="state waiting"' in after
