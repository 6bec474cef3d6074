"""`/spec`, `/check` and `/discover`: what callers ask for, and where they find the answers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.services.fake_docker import FakeDocker
from tests.services.misbehaving_http import MisbehavingServer, Reply
from tests.services.scripted_connector import record, status, stream
from tests.support.components import registrar
from tests.support.served import SHOP, Served, configured

USERS = stream("users", {"id": "integer"})


def test_an_answer_stands_in_the_table_of_its_command(served: Served) -> None:
    served.connector.has(USERS)
    started = served.get("/spec", **SHOP).json()["startedAt"]
    assert served.post("/check", {}, **SHOP, storageKey="k").json() == {"ok": True}
    assert served.post("/discover", {}, **SHOP, storageKey="k").json() == {"ok": True}
    assert served.rows("select status, catalog from meta.source_catalog") == [("RUNNING", None)]
    served.work()
    [(package, version, specs, seconds, error)] = served.rows(
        "select package, version, specs, extract(epoch from timestamp), error from meta.source_spec"
    )
    assert (package, version, specs, error) == ("shop", "1", {"connectionSpecification": {}}, None)
    assert seconds >= started
    query = "select package, version, key, status, description from meta.source_check"
    assert served.rows(query) == [("shop", "1", "k", "SUCCESS", None)]
    query = "select key, status, catalog, description from meta.source_catalog"
    assert served.rows(query) == [("k", "SUCCESS", {"streams": [USERS]}, None)]
    query = (
        "select distinct is_insertable_into, is_updatable from information_schema.views "
        "where table_schema = 'meta' and table_name ~ '^(source_|task_log)'"
    )
    assert served.rows(query) == [("NO", "NO")]  # callers only read


def test_what_fails_is_an_answer_too_and_the_next_replaces_it(served: Served) -> None:
    served.connector.refuses("the password is wrong")
    served.post("/check", {}, **SHOP, storageKey="k")
    served.get("/spec", package="airbyte/../etc")
    assert [outcome.status for outcome in served.work().outcomes.values()] == ["done", "done"]
    query = "select status, description from meta.source_check"
    assert served.rows(query) == [("FAILED", "the password is wrong")]
    [(specs, error)] = served.rows("select specs, error from meta.source_spec")
    assert specs is None
    assert "airbyte/../etc is not known" in error
    served.connector.accepts()
    served.post("/check", {}, **SHOP, storageKey="k")
    assert served.rows(query) == [("FAILED", "the password is wrong")]
    served.work()
    assert served.rows(query) == [("SUCCESS", None)]


def test_one_that_waits_is_replaced_by_the_next(served: Served) -> None:
    served.connector.has(USERS)
    for _ in range(3):
        served.post("/discover", {}, **SHOP, storageKey="any key / of 'mine'")
    assert len(served.work().order) == 1
    assert served.rows("select status from meta.source_catalog") == [("SUCCESS",)]


def test_a_task_of_the_warehouse_follows(served: Served) -> None:
    served.connector.has(USERS)
    registrar(served.folder)
    served.post("/discover", {}, **SHOP, storageKey="k", thenRun="local.staging.after")
    assert served.work().order == ["dapu-server.discover.k", "local.staging.after"]


def test_an_address_follows_once_the_answer_is_there(
    served: Served, server: MisbehavingServer
) -> None:
    served.connector.has(USERS)
    console = {
        "SYNCCTL_AUTH_TOKENS": "a-token-of-the-test",
        "SYNCCTL_CONSOLE_URL": f"{server.url}/",
        "SYNCCTL_CONSOLE_TOKEN": "token-of-the-console",
    }
    ids = {"workspaceId": "w/1", "syncId": "s&1", "taskId": "t1"}
    with served.listening(console):
        served.post("/discover", {}, **SHOP, storageKey="k", thenRun="true", **ids)
    server.on("/api/w%2F1/sources/run", Reply(status=404))
    served.work()
    [asked] = server.asked
    assert (asked.get("syncId"), asked.get("taskId"), asked.get("nodelay")) == ("s&1", "t1", "true")
    assert asked.headers["Authorization"] == "Bearer token-of-the-console"
    assert served.rows("select status from meta.source_catalog") == [("SUCCESS",)]
    query = "select sync_id, task_id, status, error from meta.source_task"
    [(sync, task, status, error)] = served.rows(query)
    assert (sync, task, status) == ("s&1", "t1", "FAILED")
    assert "answers 404" in error


MANIFEST = """\
type: DeclarativeSource
streams:
- type: DeclarativeStream
  name: users
  schema_loader: {type: InlineSchemaLoader, schema: {properties: {id: {type: integer}}}}
spec: {type: Spec, connection_specification: {properties: {token: {type: string}}}}
"""


def test_a_manifest_answers_all_requests(served: Served) -> None:
    served.connector.stands_for_cdk(served.folder)
    served.connector.has(USERS)
    served.connector.says(record("users", id=1), status("users", "COMPLETE"))
    (served.folder / "crm.yaml").write_text(MANIFEST)
    with (served.folder / "connections.yaml").open("a") as file:
        file.write("- {name: crm, driver: connector, manifest: crm.yaml}\n")
    crm = {"package": "crm", "version": "1"}
    served.get("/spec", **crm)
    served.post("/check", {"token": "hidden-word-1"}, **crm, storageKey="k")
    served.post("/discover", {"token": "hidden-word-1"}, **crm, storageKey="k")
    served.read(configured(USERS, "full_refresh"), **crm)
    served.work()
    [(specs, error)] = served.rows("select specs, error from meta.source_spec")
    assert error is None
    assert specs["connectionSpecification"] == {"properties": {"token": {"type": "string"}}}
    assert served.rows("select status from meta.source_check") == [("SUCCESS",)]
    assert served.rows("select catalog from meta.source_catalog") == [({"streams": [USERS]},)]
    assert served.rows("select status from meta.source_task") == [("SUCCESS",)]
    assert served.rows("select id from staging.users") == [(1,)]
    given = served.connector.was_given("config")
    assert given["password"] == "hidden-word-1"
    assert given["__injected_declarative_manifest"]["streams"][0]["name"] == "users"


def test_images_run_where_the_server_is_to_run_them(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = FakeDocker(tmp_path / "docker", tmp_path / "connector")
    monkeypatch.setenv("PATH", f"{docker.folder}{os.pathsep}{os.environ['PATH']}")
    with served.listening(runner="docker"):
        served.get("/spec", package="airbyte/source-faker", version="6.2.10")
        served.get("/spec", package="airbyte/source-faker")  # a tag that moves
        served.post("/check", {}, package="-it", storageKey="k")
        served.work()
    pulls = {run["image"]: run["flags"]["--pull"] for run in docker.runs}
    assert pulls == {
        "airbyte/source-faker:6.2.10": ["missing"],
        "airbyte/source-faker:latest": ["always"],
    }
    assert served.rows("select error from meta.source_spec") == [(None,), (None,)]
    [(why,)] = served.rows("select description from meta.source_check")
    assert "not the name and the tag of an image" in why


def test_what_cannot_follow_is_refused(served: Served) -> None:
    for then in ("true", "no such thing"):
        answer = served.post("/discover", {}, **SHOP, storageKey="k", thenRun=then)
        assert answer.status_code == 400
        assert "thenRun" in answer.json()["error"]
