"""`/read`: streams of a connector come into tables, through a job that any worker runs."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from dapu.components.cleaner import clean
from dapu.server.bodies import Refused
from dapu.server.desk import Asked
from dapu.warehouse.warehouse import open_warehouse
from tests.services.scripted_connector import (
    failure,
    new_config,
    record,
    state,
    state_of_all,
    status,
    stream,
)
from tests.support.command import wait_until
from tests.support.components import manager, registrar
from tests.support.served import SHOP, Served, configured

USERS = stream("Users", {"id": "integer", "fullName": "string"})
DONE = status("Users", "COMPLETE")
ANN = record("Users", id=1, fullName="Ann")
BOB = record("Users", id=2, fullName="Bob")
TASKS = "select task_id, status, description::json, error from meta.source_task order by 1"


def test_a_read_goes_on_from_where_the_last_one_ended(served: Served) -> None:
    served.connector.says(ANN, state("Users", 1), DONE)
    assert served.read(configured(USERS)).json() == {"ok": True}
    assert served.rows(TASKS)[0][:2] == ("t1", "PENDING")
    served.work()
    served.connector.says(BOB, state("Users", 2), DONE)
    served.read(configured(USERS), task="t2")
    served.work()
    assert served.rows('select * from staging."Users" order by id') == [(1, "Ann"), (2, "Bob")]
    assert served.connector.was_given("state")[0]["stream"]["stream_state"] == {"at": 1}
    assert served.connector.was_given("config") == {"password": "hidden-word-1"}
    assert served.rows("select sync_id, stream, state from meta.source_state") == [
        ("s1", "Users", {"at": 2})
    ]
    [first, second] = served.rows(TASKS)
    assert first == ("t1", "SUCCESS", first[2], None)
    assert second[2] == {"Users": {"events": 1, "bytes": 6, "status": "SUCCESS"}}


@pytest.mark.parametrize(
    ("query", "body", "given"),
    [
        ({}, {"state": [json.loads(state("Users", 7)[2:])["state"]]}, {"at": 7}),
        ({}, {"state": {}}, None),
        ({"fullSync": "true"}, {}, None),
    ],
)
def test_a_caller_may_say_from_where_a_read_goes_on(
    served: Served, query: dict[str, str], body: Any, given: Any
) -> None:
    served.connector.says(ANN, state("Users", 1), DONE)
    served.read(configured(USERS))
    served.work()
    served.read(configured(USERS), task="t2", body=body, **query)
    assert served.work().outcomes["dapu-server.read.s1"].status == "done"
    states = served.connector.was_given("state")
    assert (states and states[0]["stream"]["stream_state"]) == given


def test_a_state_of_all_streams_is_under_the_name_that_callers_know(served: Served) -> None:
    served.connector.says(ANN, state_of_all(at=1), DONE)
    served.read(configured(USERS))
    served.work()
    query = "select stream, state from meta.source_state"
    assert served.rows(query) == [("_GLOBAL_STATE", {"shared_state": {"at": 1}})]


def test_names_and_a_time_of_each_row_as_the_caller_wants_them(served: Served) -> None:
    how = {"toSameCase": "true", "addMeta": "true", "namespace": "Lake", "tableNamePrefix": "P_"}
    served.connector.says(ANN, DONE)
    served.read(configured(USERS, "full_refresh"), **how)
    served.work()
    query = "select id, fullname, _jitsu_timestamp > now() - interval '1 hour' from lake.p_users"
    assert served.rows(query) == [(1, "Ann", True)]


def test_rows_without_a_key_or_without_deduplication_are_appended(served: Served) -> None:
    for number, wanted in enumerate(({}, {"deduplicate": "false"})):
        sync = {"syncId": f"s{number}", "tableNamePrefix": f"p{number}_"}
        for task in ("a", "b"):
            served.connector.says(ANN, state("Users", 1), DONE)
            served.read(configured(USERS), task=task, **sync, **wanted)
            served.work()
    assert served.rows('select count(*) from staging."p0_Users"') == [(1,)]
    assert served.rows('select count(*) from staging."p1_Users"') == [(2,)]


def test_a_sync_is_read_once_at_a_time(served: Served) -> None:
    scheduled = {"startedBy": '{"trigger": "scheduled"}'}
    assert served.read(configured(USERS), **scheduled).json() == {"ok": True}
    assert served.read(configured(USERS)).json() == {"ok": True}  # the same once more
    other = served.read(configured(USERS), task="t2")
    assert (other.status_code, other.json()["ok"]) == (409, False)
    assert "t1" in other.json()["error"]
    assert served.read(configured(USERS), task="t3", **scheduled).json() == {"ok": True}
    [(count, delay)] = served.rows(
        "select count(*), extract(epoch from min(not_before - queued_at))::int from meta.agenda"
    )
    assert count == 1
    assert 0 <= delay < 60


def test_two_servers_at_once_start_one_sync_once(served: Served) -> None:
    desks = [served.desk() for _ in range(6)]
    ready, answers = threading.Barrier(len(desks)), list[str]()
    body = {"config": {}, "catalog": {"streams": [configured(USERS)]}}
    how = {"namespace": "", "tableNamePrefix": "", "toSameCase": False, "addMeta": False}
    how |= {"deduplicate": True, "debug": False}

    def ask(number: int) -> None:
        asked = Asked("read", "shop", "1", None, "s1", f"t{number}")
        ready.wait()
        try:
            desks[number].read(asked, body, how, full=False, is_delayed=False)
            answers.append("taken")
        except Refused as refused:
            answers.append(str(refused.status))

    threads = [threading.Thread(target=ask, args=[number]) for number in range(len(desks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["409"] * 5 + ["taken"]
    assert served.rows("select count(*) from meta.agenda") == [(1,)]


def test_a_read_that_fails_says_how_far_each_stream_came(served: Served) -> None:
    orders = stream("Orders", {"id": "integer"})
    served.connector.says(ANN, state("Users", 1), failure("the shop is closed"), "exit 1")
    served.read(configured(USERS), configured(orders, "full_refresh"))
    served.fail_at_once()
    served.work()
    [(_, overall, description, error)] = served.rows(TASKS)
    assert list(description) == ["Users", "Orders"]
    assert overall == "PARTIAL"
    assert [one["status"] for one in description.values()] == ["PARTIAL", "FAILED"]
    assert "the shop is closed" in error
    logged = served.rows("select level, sync_id, task_id from meta.task_log where level = 'ERROR'")
    assert logged == [("ERROR", "s1", "t1")]


def test_a_read_that_is_tried_again_is_still_running(served: Served) -> None:
    served.connector.says(ANN, state("Users", 1), "exit 1")
    served.read(configured(USERS))
    served.rows("update meta.registry set retry_wait = '1 hour'")
    served.work()
    [(_, overall, description, error)] = served.rows(TASKS)
    assert (overall, description["Users"]["status"]) == ("RUNNING", "RUNNING")
    assert description["Users"]["events"] == 1
    assert "ended with status 1" in error
    served.connector.says(BOB, state("Users", 2), DONE)
    served.rows("update meta.agenda set not_before = now()")
    served.work()
    [(_, overall, description, error)] = served.rows(TASKS)
    assert (overall, error) == ("SUCCESS", None)
    assert description["Users"] == {"events": 2, "bytes": 12, "status": "SUCCESS"}


def test_a_read_whose_worker_died_is_due_though_no_other_worker_runs(served: Served) -> None:
    served.read(configured(USERS))
    served.rows("update meta.agenda set status = 'running', started_at = now(), worker = 1")
    assert served.rows(TASKS)[0][1] == "RUNNING"
    assert served.desk().due() == 1


def test_a_read_is_cancelled(served: Served) -> None:
    served.read(configured(USERS))
    assert served.get("/cancel", **SHOP, syncId="s1", taskId="unknown").json() == {"ok": True}
    assert served.rows(TASKS)[0][1] == "PENDING"
    assert served.get("/cancel", **SHOP, syncId="s1", taskId="t1").json() == {"ok": True}
    assert served.work().order == []
    [(_, overall, description, _)] = served.rows(TASKS)
    assert (overall, description["Users"]["status"]) == ("CANCELLED", "CANCELLED")


def test_a_running_read_is_cancelled_and_keeps_what_its_states_stand_for(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dapu.agents.streams.delivery.ROWS", 1)
    orders = stream("Orders", {"id": "integer"})
    served.connector.says(ANN, state("Users", 1), DONE, record("Orders", id=1), "sleep 600")
    served.read(configured(USERS), configured(orders, "full_refresh"))
    work = threading.Thread(target=served.work)
    work.start()
    table = "select to_regclass('staging.\"Users\"')::text"
    wait_until(lambda: served.rows(table) == [('staging."Users"',)])
    served.get("/cancel", **SHOP, syncId="s1", taskId="t1")
    work.join(30)
    assert not work.is_alive()
    [(_, overall, description, _)] = served.rows(TASKS)
    assert overall == "CANCELLED"
    assert [one["status"] for one in description.values()] == ["SUCCESS", "CANCELLED"]
    assert served.rows('select * from staging."Users"') == [(1, "Ann")]


def test_a_configuration_that_the_connector_renewed_is_used_next_time(served: Served) -> None:
    served.connector.says(new_config(password="renewed-word-2"), "exit 1")
    served.read(configured(USERS))
    served.fail_at_once()
    served.work()
    served.connector.says(DONE)
    served.read(configured(USERS), task="t2")
    served.work()
    assert served.connector.was_given("config") == {"password": "renewed-word-2"}
    served.read(configured(USERS), task="t3", body={"config": {"password": "newer-word-3"}})
    served.work()
    assert served.connector.was_given("config") == {"password": "newer-word-3"}


def test_no_configuration_stands_in_a_table_in_plain_text(served: Served) -> None:
    served.connector.says("> ERROR hidden-word-1 is wrong", DONE)
    served.read(configured(USERS))
    text = served.everything()
    assert "hidden-word-1" not in text
    assert "gAAAA" in text  # encrypted
    served.work()
    text = served.everything()
    assert "hidden-word-1" not in text
    assert "gAAAA" not in text


def test_registrar_and_manager_have_nothing_to_do_with_its_tasks(served: Served) -> None:
    served.connector.says(DONE)
    served.read(configured(USERS))
    assert registrar(served.folder).unregistered == []
    served.work()
    assert [task for _, task in manager(served.folder).queued] == ["local.staging.after"]
    assert registrar(served.folder).unregistered == []


def test_the_last_read_of_a_sync_outlives_the_agenda(served: Served) -> None:
    for task in ("t1", "t2"):
        served.connector.says(ANN, state("Users", 1), DONE)
        served.read(configured(USERS), task=task)
        served.work()
    served.rows("update meta.request set requested_at = '2020-01-01'")
    served.rows("update meta.agenda set ended_at = '2020-01-01'")
    clean(open_warehouse(served.folder))
    assert [row[:2] for row in served.rows(TASKS)] == [("t2", "SUCCESS")]
    assert served.rows("select stream from meta.source_state") == [("Users",)]
