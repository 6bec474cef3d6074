"""What an action does is what its page showed, and nothing that was not said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
import requests

from tests.conftest import Database, MakeWarehouse
from tests.services.scripted_connector import ScriptedConnector
from tests.support.components import registrar
from tests.support.served import TOKEN, Served

_TASK = "tags: [nightly]\nactions: [{do: sql, file: q.sql}]\n"
_NAMES = ("sale", "shop", "rate")
_FILES = {f"routes/local/staging/{name}/task.yaml": _TASK for name in _NAMES} | {
    f"routes/local/staging/{name}/q.sql": "select 1" for name in _NAMES
}
SALE = "local.staging.sale"
_WATERMARK = (
    "insert into meta.watermark (task, source, column_name, kind, value)"
    f" values ('{SALE}', 'q.sql', 'sale_id', 'integer', '7')"
)
_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_BUTTON = re.compile(r'href="(/actions/[^"]+)"')


@pytest.fixture
def served(
    make_warehouse: MakeWarehouse, database: Database, connector: ScriptedConnector
) -> Iterator[Served]:
    """Three tasks of the tag `nightly`: each has a job that waits, 1 to 3, and one that failed."""
    found = Served(make_warehouse, database, connector, _FILES)
    registrar(found.folder)
    for status, at in (("waiting", "null, null"), ("failed", "now(), now()")):
        _add_jobs(found, status, at)
    with found.listening():
        yield found


def _add_jobs(served: Served, status: str, at: str) -> None:
    served.rows(
        "insert into meta.agenda (task, route, priority, cause, status, started_at, ended_at)"
        f" select task, route, 1, 'run', '{status}', {at} from meta.registry"
        " where task <> 'local.staging.after' order by task"
    )


def _act(served: Served, name: str, query: str = "", **fields: Any) -> requests.Response:
    address = f"{served.url}/actions/{name}{query}"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return requests.post(address, fields, headers=headers, timeout=20)


def _shown(served: Served, name: str, **query: str) -> dict[str, str]:
    """What the form of an action's page sends, but for the two fields of browsers."""
    page = served.get(f"/actions/{name}", **query)
    assert page.status_code == 200, page.text
    fields = dict(_FIELD.findall(page.text))
    return {key: unescape(fields[key]) for key in fields.keys() - {"csrf", "next"}}


def _offered(served: Served, path: str, **query: str) -> set[str]:
    found = _BUTTON.findall(served.get(path, **query).text)
    return {one.removeprefix("/actions/").partition("?")[0] for one in found}


def _statuses(served: Served) -> list[str]:
    rows = served.rows("select status from meta.agenda order by job")
    return [status for (status,) in rows]


_FOREIGN = [
    ("cancel", "route", "local"),
    ("cancel", "note", "x"),
    ("cancel", "full", "false"),
    ("retry", "length", "2 days"),
    ("pause", "task", SALE),
    ("resume", "select", "tag:nightly"),
    ("run", "status", "failed"),
    ("unblacklist", "note", ""),
    ("blacklist", "tsak", SALE),
]


def test_a_parameter_of_another_action_is_refused(served: Served) -> None:
    for name, field, value in _FOREIGN:
        shown = served.get(f"/actions/{name}", **{field: value})
        for answer in (_act(served, name, **{field: value}), shown):
            assert answer.status_code == 400
            said = unescape(answer.text)
            assert f"`{name}` has no parameter `{field}`" in said
            assert ("`job`" in said) == (name in ("cancel", "retry"))
    assert _statuses(served) == ["waiting"] * 3 + ["failed"] * 3
    assert served.rows("select * from meta.control where name = 'paused'") == []


def test_an_act_takes_no_parameter_from_its_address(served: Served) -> None:
    for name, query in (("pause", "?route=local"), ("cancel", "?job=1"), ("run", "?next=/")):
        answer = _act(served, name, query)
        assert (answer.status_code, "as a form" in answer.text) == (400, True)
    assert served.rows("select * from meta.control where name = 'paused'") == []
    assert _statuses(served)[0] == "waiting"


def test_where_nothing_fits_there_is_no_button(served: Served) -> None:
    page = served.get("/actions/cancel", status="running").text
    assert "nothing to do" in page
    assert "<form" not in page.partition("<main")[2]
    assert "<form" in served.get("/actions/cancel", status="waiting").text.partition("<main")[2]


def test_tasks_that_are_no_longer_those_shown_are_let_be(served: Served) -> None:
    for name in ("run", "blacklist"):
        fields = _shown(served, name, select="tag:nightly")
        assert fields.keys() == {"select", "shown"}
        assert _act(served, name, **fields).json()["done"] == 3
    fields = _shown(served, "unblacklist", select="tag:nightly")
    served.rows(f"delete from meta.registry where task = '{SALE}'")
    answer = _act(served, "unblacklist", **fields)
    assert (answer.status_code, "2 tasks now" in answer.json()["error"]) == (409, True)
    assert "look again" in answer.json()["error"]
    assert served.rows("select count(*) from meta.override where blacklisted") == [(3,)]


def test_tasks_to_which_nothing_would_be_done_are_not_shown(served: Served) -> None:
    for name in ("unblacklist", "clear-watermark"):
        assert "nothing to do" in served.get(f"/actions/{name}", select="tag:nightly").text
    served.rows(_WATERMARK)
    fields = _shown(served, "clear-watermark", select="tag:nightly")
    served.rows(_WATERMARK.replace("sale", "shop"))
    assert _act(served, "clear-watermark", **fields).status_code == 409  # of two tasks by now
    fields = _shown(served, "clear-watermark", select="tag:nightly")
    done = _act(served, "clear-watermark", **fields).json()
    assert done["first"] == [SALE, "local.staging.shop"]
    assert served.rows("select * from meta.watermark") == []


def test_jobs_that_came_since_they_were_shown_are_let_be(served: Served) -> None:
    fields = _shown(served, "retry", status="failed", select="local.staging.s*")
    assert (fields["upto"], fields["most"]) == ("6", "2")
    _add_jobs(served, "failed", "now(), now()")
    assert _act(served, "retry", **fields).json()["done"] == 2  # those later are not meant
    served.rows(
        "update meta.agenda set status = 'failed', started_at = now(), ended_at = now()"
        " where job < 4"
    )
    answer = _act(served, "retry", **fields)  # an older one failed meanwhile: it was not shown
    assert (answer.status_code, "more than the 2" in answer.json()["error"]) == (409, True)


def test_one_job_has_to_fit_all_that_is_asked(served: Served) -> None:
    for name, job, status in (("cancel", "1", "running"), ("retry", "4", "done")):
        page = served.get(f"/actions/{name}", job=job, status=status).text
        assert "nothing to do" in page
        answer = _act(served, name, job=job, status=status)
        assert (answer.status_code, "does not fit" in answer.json()["error"]) == (409, True)
    assert _act(served, "cancel", job="1", since="tomorrow").status_code == 409
    assert "failed already" in _act(served, "cancel", job="4").json()["error"]
    assert _statuses(served) == ["waiting"] * 3 + ["failed"] * 3
    assert _act(served, "cancel", **_shown(served, "cancel", job="1")).json()["done"] == 1
    assert _statuses(served)[0] == "cancelled"


def test_what_would_do_nothing_is_not_offered(served: Served) -> None:
    assert _offered(served, "/jobs", task="tag:nightly") == {"retry", "cancel"}
    for query in ({"task": "tag:nosuch"}, {"since": "gestern"}, {"status": "lost"}):
        assert _offered(served, "/jobs", **query) == set()
    assert "run" in _offered(served, "/tasks", q="tag:nightly")
    assert _offered(served, "/tasks", q="tag:nosuch") == set()
    assert "clear-watermark" not in _offered(served, f"/tasks/{SALE}")
    served.rows(_WATERMARK)
    assert "clear-watermark" in _offered(served, f"/tasks/{SALE}")


def test_jobs_of_a_task_that_is_gone_can_be_cancelled_from_their_list(served: Served) -> None:
    served.rows(f"delete from meta.registry where task = '{SALE}'")
    page = served.get("/jobs", task=SALE, status="waiting").text
    (address,) = [one for one in _BUTTON.findall(page) if "cancel" in one]
    assert f"2 {SALE}" in served.get(unescape(address)).text


def test_the_form_has_what_the_link_says(served: Served) -> None:
    page = served.get("/actions/blacklist", task=SALE, length="48 h", note='"why"').text
    assert 'name="length" value="2 days"' in page
    assert 'name="note" value="&#34;why&#34;"' in page
    assert 'value="4 hours"' in served.get("/actions/blacklist", task=SALE).text
    for full in ("true", "false"):
        box = re.search(r'<input type="checkbox"[^>]*>', _run_page(served, full))
        assert box is not None
        assert ("checked" in box[0]) == (full == "true")
    for length in ("0 hours", "0", "soon"):
        answer = _act(served, "blacklist", task=SALE, length=length)
        assert (answer.status_code, "length" in answer.json()["error"]) == (400, True)
        assert served.get("/actions/blacklist", task=SALE, length=length).status_code == 400


def _run_page(served: Served, full: str) -> str:
    return served.get("/actions/run", task=SALE, full=full).text
