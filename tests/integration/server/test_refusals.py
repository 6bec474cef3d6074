"""What is not as it must be is refused with its place, before a job is queued."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from dapu.server import bodies
from tests.services.scripted_connector import stream
from tests.support.served import SHOP, TOKEN, Served, configured

USERS = configured(stream("users", {"id": "integer"}))
CHECK = {**SHOP, "storageKey": "k"}
READ = {**SHOP, "syncId": "s", "taskId": "t"}


def _read_body(**changed: Any) -> bytes:
    content = {"config": {}, "catalog": {"streams": [USERS]}} | changed
    return json.dumps(content).encode()


def test_who_has_no_known_token_gets_nothing_and_reads_it_nowhere(served: Served) -> None:
    for token in (None, "", "x", TOKEN.upper(), f"{TOKEN}x"):
        answer = served.get("/spec", token, **SHOP)
        assert (answer.status_code, answer.json()["ok"]) == (401, False)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert TOKEN not in answer.text
        assert served.get("/metrics", token).status_code == 401
        assert served.get("/health", token).json() == {"status": "pass"}


_FAULTY: list[tuple[str, dict[str, str], bytes, str]] = [
    ("/check", CHECK, b"{", "not JSON"),
    ("/check", CHECK, b"[]", "the body"),
    ("/check", CHECK, b'{"a": 1, "a": 2}', "twice"),
    ("/check", CHECK, b'{"a": "\\u0000"}', "NUL"),
    ("/check", CHECK, b"[" * 100_000, "nested"),
    ("/check", SHOP, b"{}", "storageKey"),
    ("/check", CHECK | {"package": ""}, b"{}", "package"),
    ("/check", CHECK | {"storageKey": "a\0"}, b"{}", "storageKey"),
    ("/read", READ, _read_body(catalog={"streams": []}), "catalog.streams"),
    ("/read", READ, _read_body(catalog={"streams": [{}]}), "catalog.streams.0.stream"),
    ("/read", READ, _read_body(state=[{"type": "STREAM"}]), "state"),
    ("/read", READ | {"namespace": "meta"}, _read_body(), "dapu's own"),
    ("/read", READ | {"namespace": "pg_catalog"}, _read_body(), "PostgreSQL's own"),
    ("/read", READ, _read_body(state="x"), "state"),
    ("/read", SHOP | {"syncId": "s"}, _read_body(), "taskId"),
    ("/read", READ | {"startedBy": "{"}, _read_body(), "startedBy"),
    ("/read", READ | {"startedBy": '{"by": "\\ud800"}'}, _read_body(), "startedBy"),
    ("/read", READ | {"addMeta": "perhaps"}, _read_body(), "addMeta"),
]


def test_what_is_faulty_is_named(served: Served) -> None:
    for path, query, body, words in _FAULTY:
        answer = served.post(path, body, **query)
        assert (answer.status_code, answer.json()["ok"]) == (400, False), (query, body)
        assert words in answer.json()["error"]
    assert served.rows("select count(*) from meta.agenda") == [(0,)]


def test_a_body_that_is_too_long_is_not_read_to_its_end(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "LONGEST", 1000)
    assert served.post("/check", b" " * 2000, **CHECK).status_code == 413


def test_other_paths_and_methods_are_refused_in_the_same_form(served: Served) -> None:
    assert served.get("/nowhere").status_code == 404
    answer = requests.get(f"{served.url}/read", timeout=20)
    assert (answer.status_code, answer.json()["ok"]) == (405, False)
    assert served.get("//health").status_code == 200
    allowed = requests.options(f"{served.url}/actions/run", timeout=20).headers["Allow"]
    assert allowed == "GET, POST"


def test_without_its_registry_the_server_is_not_healthy(served: Served) -> None:
    served.rows("drop table meta.migration")
    answer = served.get("/health")
    assert (answer.status_code, answer.json()) == (503, {"status": "fail"})


def test_figures_for_monitoring(served: Served) -> None:
    served.post("/check", {}, **CHECK)
    served.get("/tasks/no.such.task")
    text = served.get("/metrics").text
    asked = 'dapu_http_requests_total{method="GET",path="/tasks/{task}",status="404"} 1.0'
    assert asked in text
    assert 'dapu_http_request_seconds_count{path="/check"} 1.0' in text
    assert "dapu_http_open_streams 0.0" in text
    assert 'dapu_requests{command="check",status="waiting"} 1.0' in text
    assert 'dapu_jobs{status="waiting"} 1.0' in text


def test_all_that_may_be_asked_for_is_described(served: Served) -> None:
    described = served.get("/openapi.json").json()["paths"]
    paths = {"/", "/tasks/{task}", "/tasks/{task}/sql", "/jobs/{job}", "/live", "/events"}
    paths |= {"/lineage/{task}", "/catalogue/{task}", "/actions/{name}", "/login", "/logout"}
    assert paths | {"/metrics", "/healthz", "/spec", "/read", "/cancel"} <= set(described)
    for path, item in described.items():
        for method, operation in item.items():
            assert operation.get("description") or operation.get("summary"), (method, path)
            assert {"400", "401", "403", "503"} <= set(operation["responses"]), (method, path)
