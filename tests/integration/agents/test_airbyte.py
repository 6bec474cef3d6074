"""`do: airbyte`: what a connector sends is in the table, and after a failure nothing is twice."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from dapu.agents.streams.early import EarlyLoad
from tests.conftest import Database, MakeWarehouse
from tests.services.scripted_connector import (
    ScriptedConnector,
    failure,
    record,
    state,
    state_of_all,
    status,
    stream,
)
from tests.support.command import wait_until
from tests.support.one_task import OneTask

USERS = stream("users", {"id": "integer", "name": "string"})
DONE = status("users", "COMPLETE")


@pytest.fixture
def connector(tmp_path: Path) -> ScriptedConnector:
    folder = tmp_path / "connector"
    folder.mkdir()
    found = ScriptedConnector(folder)
    found.has(USERS)
    return found


@pytest.fixture
def task(
    make_warehouse: MakeWarehouse, database: Database, connector: ScriptedConnector
) -> OneTask:
    found = OneTask(make_warehouse, database)
    found.has(connector.connection, "do: airbyte\nstream: users")
    return found


def test_records_become_rows_and_the_state_comes_back(
    task: OneTask, connector: ScriptedConnector
) -> None:
    connector.says(record("users", id=1, name="Ann"), state("users", 1, count=1), DONE)
    task.run()
    connector.says(record("users", id=2, name="Bob"), state("users", 2, count=1), DONE)
    task.run()
    assert task.rows() == [(1, "Ann"), (2, "Bob")]
    [given] = connector.was_given("state")
    assert given["stream"]["stream_state"] == {"at": 1}


def test_types_come_from_the_schema_and_numbers_keep_their_digits(
    task: OneTask, connector: ScriptedConnector
) -> None:
    columns = {
        "id": "integer",
        "amount": "number",
        "at": {"type": ["null", "string"], "format": "date-time"},
        "day": {"type": "string", "format": "date"},
        "tags": "array",
        "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    }
    connector.has(stream("users", columns))
    line = record("users", id=1, amount=0, at="2024-01-31T10:00:00Z", day="2024-01-31", tags=[1])
    connector.says(line.replace('"amount": 0', '"amount": 1.10'), DONE)
    task.run()
    assert task.types() == {
        "id": "bigint",
        "amount": "numeric",
        "at": "timestamp with time zone",
        "day": "date",
        "tags": "jsonb",
        "either": "jsonb",
    }
    assert task.rows("select amount, tags from staging.thing") == [(Decimal("1.10"), [1])]
    assert task.rows("select amount::text from staging.thing") == [("1.10",)]


def test_personal_data_is_hashed_and_masked(
    task: OneTask, connector: ScriptedConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAPU_HASH_KEY", "correct horse battery staple")
    connector.has(stream("users", {"id": "integer", "code": "integer", "name": "string"}))
    hidden = "do: airbyte\nstream: users\nload: merge\nkey: [code]\nhash: [code]\n"
    task.has(connector.connection, hidden + "mask: {name: first 1}")
    (task.folder / "warehouse.yaml").write_text("hash_key: ${DAPU_HASH_KEY}\n")
    for _ in range(2):
        connector.says(record("users", id=1, code=38001085718, name="Ann"), DONE)
        task.run()
    expected = "9dbbaef77781f47d3d10cffeae03ad98f1d4f05ee83fe6ae75965197f34fd4dd"
    assert task.rows() == [(1, expected, "A…")]
    task.has(connector.connection, "do: airbyte\nstream: users\nhash: [nam]")
    assert "users has no column nam; did you mean `name`" in task.fails()
    task.has(connector.connection, "do: airbyte\nstream: users\nkey: [id]\nmask: {id: hide}")
    assert "id stands in `hash` or `key` too" in task.fails()


def test_texts_keep_what_copy_has_signs_for(task: OneTask, connector: ScriptedConnector) -> None:
    texts = ["a\tb", "a\nb", "\\N", "a\\b", "", "\r", "Õ😀", None]
    connector.says(*(record("users", id=n, name=text) for n, text in enumerate(texts)), DONE)
    task.run()
    assert [name for _, name in task.rows()] == texts


def test_a_full_refresh_replaces_the_table_when_it_is_complete(
    task: OneTask, connector: ScriptedConnector
) -> None:
    task.has(connector.connection, "do: airbyte\nstream: users\nload: replace")
    connector.says(record("users", id=1, name="Ann"), DONE)
    task.run()
    connector.says(record("users", id=2, name="Bob"), "exit 1")
    assert "ended with status 1" in task.fails()
    assert task.rows() == [(1, "Ann")]
    connector.says(DONE)
    task.run()
    assert task.rows() == []


def test_a_manifest_that_says_all_its_streams_is_asked_for_them_once(
    task: OneTask, connector: ScriptedConnector
) -> None:
    loader = "{type: InlineSchemaLoader, schema: {properties: {}}}"
    task.has("driver: connector\nmanifest: shop.yaml", "do: airbyte\nstream: users")
    connector.stands_for_cdk(task.folder)
    manifest = task.folder / "shop.yaml"
    manifest.write_text(f"streams: [{{name: users, schema_loader: {loader}}}]")
    connector.says(record("users", id=1, name="Ann"), DONE)
    task.run()
    connector.has()
    task.run()
    assert task.rows() == [(1, "Ann")]
    manifest.write_text(f"streams: [{{name: users, schema_loader: {loader}}}]\nversion: 2")
    assert "no stream users" in task.fails()


def test_a_load_that_began_early_gives_what_it_gives_at_the_end(
    task: OneTask, connector: ScriptedConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = list[object]()
    finish = EarlyLoad.finish

    def noted(self: EarlyLoad) -> object:
        results.append(result := finish(self))
        return result

    monkeypatch.setattr("dapu.agents.streams.early.RECORDS", 2)
    monkeypatch.setattr(EarlyLoad, "finish", noted)
    task.has(connector.connection, "do: airbyte\nstream: users\nload: replace")
    for name in ("Ann", "Bob"):  # makes the table, and replaces it
        connector.says(*(record("users", id=n, name=name) for n in range(4)), DONE)
        task.run()
        assert task.rows() == [(n, name) for n in range(4)]
    assert all(results)
    assert len(results) == 2
    for end in ("exit 1", state("users", 1)):  # not said to be complete
        connector.says("repeat 0 5", status("users", "STARTED"), end)
        task.fails()
    connector.says(*(record("users", id=n, name="\0a"[n < 3 :]) for n in range(4)), DONE)
    assert "record 4" in task.fails()
    monkeypatch.setattr("dapu.agents.streams.early._LONGEST", -1)
    connector.says("repeat 0 3", DONE)
    task.run()
    assert len(results) == 4
    assert not any(results[2:])
    assert len(task.rows()) == 3


def test_of_a_connector_that_dies_what_its_states_stand_for_is_kept(
    task: OneTask, connector: ScriptedConnector
) -> None:
    task.has(connector.connection, "do: airbyte\nstream: users\nload: append")
    connector.says(
        record("users", id=1, name="Ann"),
        state("users", 1),
        record("users", id=2, name="Bob"),
        failure("the shop is closed"),
        "exit 1",
    )
    message = task.fails()
    assert "the shop is closed" in message
    assert "PARTIAL, 1 row" in message
    assert task.rows() == [(1, "Ann")]
    connector.says(record("users", id=2, name="Bob"), state("users", 2), DONE)
    task.run()
    assert task.rows() == [(1, "Ann"), (2, "Bob")]


def test_a_state_of_all_streams_waits_for_the_rows_of_all(
    task: OneTask, connector: ScriptedConnector
) -> None:
    connector.has(USERS, stream("orders", {"id": "integer"}))
    streams = "do: airbyte\nstreams: {users: {load: append}, orders: {load: append}}"
    task.has(connector.connection, streams)
    sent = (record("users", id=1, name="Ann"), status("users", "COMPLETE"), record("orders", id=7))
    connector.says(*sent, "exit 1")
    task.fails()
    assert task.rows("select to_regclass('staging.users'), to_regclass('staging.orders')") == [
        (None, None)
    ]
    connector.says(*sent, state_of_all(at=1), status("orders", "COMPLETE"))
    task.run()
    assert task.rows("select u.id, o.id from staging.users u, staging.orders o") == [(1, 7)]
    connector.says(status("users", "COMPLETE"), status("orders", "COMPLETE"))
    task.run()
    assert connector.was_given("state")[0]["global"] == {"shared_state": {"at": 1}}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([record("users", id=1), '> {"type": "RECORD", "rec'], ["broken message"]),
        ([record("strangers", id=1)], ["strangers", "not asked for"]),
        ([record("users", id=1), state("users", 1, count=2)], ["2 records", "1 came"]),
        ([record("users", id=1)], ["without reporting that it is complete"]),
        ([record("users", id="x"), DONE], ["stream users, record 1", '"x"']),
        ([DONE, record("users", id=1)], ["goes on after it was complete"]),
        (['> {"type": "RECORD", "record": {"stream": "users"}}'], ["RECORD", "`data`"]),
        (['> {"type": "CONTROL", "control": {"type": "?"}}'], ["CONTROL"]),
        ([status("users", "INCOMPLETE")], ["incomplete"]),
        (["stderr no such host", "exit 3"], ["status 3", "no such host"]),
    ],
)
def test_what_a_connector_does_wrong_fails_the_job_with_what_it_was(
    task: OneTask, connector: ScriptedConnector, lines: list[str], words: list[str]
) -> None:
    connector.says(status("users", "STARTED"), *lines)
    message = task.fails()
    assert [word for word in words if word not in message] == []


def test_lines_that_are_no_messages_are_its_log(
    task: OneTask, connector: ScriptedConnector
) -> None:
    connector.says("> ERROR the cache is cold", "> {'a': 1}", record("users", id=1), "> ", DONE)
    task.run()
    assert [event for event in task.events() if "cache is cold" in event] != []
    assert task.rows() == [(1, None)]


def test_a_stream_without_any_status_is_complete_when_the_connector_ends_well(
    task: OneTask, connector: ScriptedConnector
) -> None:
    connector.says(record("users", id=1, name="Ann"))
    task.run()
    assert task.rows() == [(1, "Ann")]


def test_keys_that_the_schema_does_not_have_are_reported(
    task: OneTask, connector: ScriptedConnector
) -> None:
    connector.says(record("users", id=1, name="Ann", shoe_size=43), DONE)
    assert "shoe_size" in task.run()


def test_names_of_the_connector_are_kept_where_that_is_wanted(
    task: OneTask, connector: ScriptedConnector
) -> None:
    connector.has(stream("Käive", {"Id": "integer", "fullName": "string"}, key="Id"))
    task.has(connector.connection, "do: airbyte\ncasing: keep\nstreams: {Käive: {}}")
    connector.says(record("Käive", Id=1, fullName="Ann"), status("Käive", "COMPLETE"))
    task.run()
    assert task.rows('select "Id", "fullName" from staging."Käive"') == [(1, "Ann")]


def test_a_silent_connector_is_ended(task: OneTask, connector: ScriptedConnector) -> None:
    task.has(connector.connection.replace("20 seconds", "1 second"), "do: airbyte\nstream: users")
    connector.says(record("users", id=1), "sleep 60")
    assert "silent for 1.0 s" in task.fails()


def test_a_record_of_40_mb_arrives(task: OneTask, connector: ScriptedConnector) -> None:
    connector.says(f"big {40 << 20}", DONE)
    task.run()
    assert task.rows("select length(name) from staging.thing") == [(40 << 20,)]


def test_appended_rows_replace_the_table_when_the_stream_is_read_from_its_beginning(
    task: OneTask, connector: ScriptedConnector
) -> None:
    task.has(connector.connection, "do: airbyte\nstream: users\nload: append")
    both = (record("users", id=1), state("users", 1), record("users", id=2), state("users", 2))
    connector.says(*both, DONE)
    task.run()
    task.run(full=True)
    assert connector.was_given("state") is None
    assert [id_ for id_, _ in task.rows()] == [1, 2]
    connector.says(record("users", id=1), "exit 1")  # without a state nothing is replaced
    task.execute("delete from meta.seen")
    task.fails()
    assert [id_ for id_, _ in task.rows()] == [1, 2]
    [users] = connector.was_given("catalog")["streams"]
    assert users["generation_id"] == users["minimum_generation_id"] > 0


def test_a_stream_whose_table_was_dropped_is_read_from_its_beginning(
    task: OneTask, connector: ScriptedConnector
) -> None:
    connector.says(record("users", id=1), state("users", 1), DONE)
    task.run()
    task.execute("drop table staging.thing")
    task.run()
    assert connector.was_given("state") is None
    assert [id_ for id_, _ in task.rows()] == [1]


def test_a_new_stream_is_taken_out_of_the_state_of_all(
    task: OneTask, connector: ScriptedConnector
) -> None:
    connector.has(USERS, stream("orders", {"id": "integer"}))
    streams = "do: airbyte\nstreams: {users: {load: append}, orders: {load: append}}"
    task.has(connector.connection, streams)
    done = (DONE, status("orders", "COMPLETE"))
    parts = [{"stream_descriptor": {"name": name}} for name in ("users", "orders")]
    shared = {"shared_state": {"at": 1}, "stream_states": parts}
    all_of = {"type": "STATE", "state": {"type": "GLOBAL", "global": shared}}
    rows = (record("users", id=1), record("orders", id=7))
    connector.says(*rows, f"> {json.dumps(all_of)}", *done)
    task.run()
    task.execute("drop table staging.orders")
    connector.says(record("orders", id=7), f"> {json.dumps(all_of)}", *done)
    task.run()
    [given] = connector.was_given("state")
    assert given["global"] == {"shared_state": {"at": 1}, "stream_states": parts[:1]}
    generations = {
        one["stream"]["name"]: one["minimum_generation_id"]
        for one in connector.was_given("catalog")["streams"]
    }
    assert generations["users"] == 0 < generations["orders"]
    assert task.rows("select u.id, o.id from staging.users u, staging.orders o") == [(1, 7)]


def test_rows_that_wait_for_a_stream_that_failed_come_again(
    task: OneTask, connector: ScriptedConnector
) -> None:
    connector.has(USERS, stream("orders", {"id": "integer"}))
    streams = "do: airbyte\nstreams: {users: {load: append}, orders: {load: replace}}"
    task.has(connector.connection, streams)
    sent = (record("users", id=1), record("orders", id=7), state_of_all(at=1), DONE)
    connector.says(*sent)
    assert "orders FAILED" in task.fails()
    connector.says(*sent, status("orders", "COMPLETE"))
    task.run()
    assert connector.was_given("state") is None
    assert task.rows("select u.id, o.id from staging.users u, staging.orders o") == [(1, 7)]


def test_a_stream_that_does_not_fit_leaves_the_others_alone(
    task: OneTask, connector: ScriptedConnector
) -> None:
    connector.has(USERS, stream("orders", {"id": "integer"}))
    task.has(connector.connection, "do: airbyte\nstreams: {users: , orders: }")
    connector.says(
        *(record("users", id="x"), state("users", 1), DONE),
        *(record("orders", id=7), state("orders", 1), status("orders", "COMPLETE")),
    )
    message = task.fails()
    assert "users FAILED, 0 rows; orders SUCCESS, 1 row" in message
    assert "stream users, record 1" in message
    assert task.rows("select id from staging.orders") == [(7,)]
    task.outcome()
    assert [one["stream"]["stream_descriptor"] for one in connector.was_given("state")] == [
        {"name": "orders"}
    ]


def renewed(**config: str) -> str:
    control = {"type": "CONNECTOR_CONFIG", "connectorConfig": {"config": config}, "emitted_at": 1}
    return "> " + json.dumps({"type": "CONTROL", "control": control})


def test_a_renewed_token_is_used_from_then_on(task: OneTask, connector: ScriptedConnector) -> None:
    task.has(f"{connector.connection}\nconfig: {{token: first-0}}", "do: airbyte\nstream: users")
    connector.says(renewed(token="second-1"), "> WARN second-1 is new", "exit 1")
    task.fails()
    assert [event for event in task.events() if "second-1" in event] == []
    [kept] = (task.folder / ".dapu/connectors").glob("*.json")
    assert kept.stat().st_mode & 0o777 == 0o600
    connector.says(DONE)
    task.run()
    assert connector.was_given("config") == {"token": "second-1"}
    task.has(f"{connector.connection}\nconfig: {{token: third-2}}", "do: airbyte\nstream: users")
    task.run()
    assert connector.was_given("config") == {"token": "third-2"}


def test_a_renewed_token_is_written_into_the_file_that_it_came_from(
    task: OneTask, connector: ScriptedConnector
) -> None:
    task.has(f"{connector.connection}\nconfig_file: shop.json", "do: airbyte\nstream: users")
    file = task.folder / "shop.json"
    file.write_text('{"token": "first"}')
    connector.says(renewed(token="second"), DONE)
    task.run()
    assert json.loads(file.read_text()) == {"token": "second"}
    assert file.stat().st_mode & 0o777 == 0o600


def test_states_before_records_and_endings_without_beginnings_are_fine(
    task: OneTask, connector: ScriptedConnector
) -> None:
    connector.says(state("users", 0), state("users", 0), record("users", id=1), DONE)
    task.run()
    assert task.rows() == [(1, None)]


def test_a_schema_that_changes_from_run_to_run_adds_columns(
    task: OneTask, connector: ScriptedConnector
) -> None:
    connector.says(record("users", id=1, name="Ann"), state("users", 1), DONE)
    task.run()
    connector.has(stream("users", {"id": "integer", "name": "string", "age": "integer"}))
    connector.says(record("users", id=2, name="Bob", age=40), state("users", 2), DONE)
    task.run()
    assert task.rows() == [(1, "Ann", None), (2, "Bob", 40)]


def test_a_task_that_times_out_has_the_streams_statuses_in_its_events(
    task: OneTask, connector: ScriptedConnector
) -> None:
    action = "do: airbyte\nstream: users\nload: append"
    task.has(connector.connection, action, run=", timeout: 3 seconds")
    connector.says(record("users", id=1), state("users", 1), "sleep 60")
    assert "timed out" in task.fails()
    assert [event for event in task.events() if "users TIME_EXCEEDED, 0 rows" in event] != []


def test_a_connector_ends_with_the_dapu_that_started_it(tmp_path: Path) -> None:
    mark = tmp_path / "pids"
    child = f"echo $$ >>{mark}; sleep 300 & echo $! >>{mark}; wait"
    start = (
        "from datetime import timedelta\n"
        "from dapu.sources.connectors.prepared import Prepared\n"
        "from dapu.sources.connectors.process import ConnectorProcess\n"
        f"command = ['sh', '-c', {child!r}]\n"
        "ConnectorProcess(command, Prepared([], {}), print, timedelta(hours=1)).result()\n"
    )
    dapu = subprocess.Popen([sys.executable, "-c", start])
    wait_until(lambda: mark.exists() and len(mark.read_text().split()) == 2)
    dapu.kill()
    dapu.wait()
    pids = mark.read_text().split()
    wait_until(lambda: not any(_runs(pid) for pid in pids))


def _runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
