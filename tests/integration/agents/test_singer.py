"""`do: singer`: what a tap prints is in the table, and its state comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Database, MakeWarehouse
from tests.services.scripted_tap import ScriptedTap, bookmark, entry, row, schema, version
from tests.support.one_task import OneTask

USERS = entry("users", {"id": "integer", "name": ["null", "string"]}, cursor="id")
RATES = entry("rates", {"id": "string", "rate": "number"})


@pytest.fixture
def tap(tmp_path: Path) -> ScriptedTap:
    folder = tmp_path / "tap"
    folder.mkdir()
    found = ScriptedTap(folder)
    found.has(USERS, RATES)
    return found


@pytest.fixture
def task(make_warehouse: MakeWarehouse, database: Database, tap: ScriptedTap) -> OneTask:
    found = OneTask(make_warehouse, database)
    found.has(tap.connection, "do: singer\nstream: users")
    return found


def test_records_become_rows_and_the_state_comes_back(task: OneTask, tap: ScriptedTap) -> None:
    tap.says(schema("users"), row("users", id=1, name="Ann"), bookmark(users=1))
    task.run()
    assert tap.was_given("state") is None
    tap.says(
        schema("users"), row("users", id=1, name="Anna"), row("users", id=2), bookmark(users=2)
    )
    task.run()
    assert tap.was_given("state") == {"users": 1}
    assert task.rows() == [(1, "Anna"), (2, None)]


def test_the_tap_is_given_the_streams_selected(task: OneTask, tap: ScriptedTap) -> None:
    tap.says()
    task.run()
    [users] = tap.was_given("catalog")["streams"]
    table, *columns = users["metadata"]
    assert table["metadata"]["replication-method"] == "INCREMENTAL"
    assert table["metadata"]["replication-key"] == "id"
    assert all(part["metadata"]["selected"] for part in (table, *columns))


def test_a_whole_table_is_replaced_when_the_tap_has_ended_well(
    task: OneTask, tap: ScriptedTap
) -> None:
    task.has(tap.connection, "do: singer\nstream: rates")
    tap.says(schema("rates"), row("rates", id="EUR", rate=1.10), version("rates", 1))
    task.run()
    tap.says(schema("rates"), row("rates", id="USD", rate=1), version("rates", 2), "exit 1")
    task.fails()
    assert task.rows("select id from staging.thing") == [("EUR",)]
    tap.says(schema("rates"), row("rates", id="USD", rate=1), version("rates", 2))
    task.run()
    assert task.rows("select id from staging.thing") == [("USD",)]


def test_a_tap_that_is_killed_goes_on_from_its_state(task: OneTask, tap: ScriptedTap) -> None:
    task.has(tap.connection, "do: singer\nstream: users\nload: append")
    tap.says(row("users", id=1), bookmark(users=1), row("users", id=2), "exit 9")
    assert "users PARTIAL, 1 row" in task.fails()
    tap.says(row("users", id=2), bookmark(users=2))
    task.run()
    assert tap.was_given("state") == {"users": 1}
    assert [id_ for id_, _ in task.rows()] == [1, 2]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['> {"type": "RECORD", "stream": "users"}'], ["RECORD", "record"]),
        (['> {"type": "BATCH", "stream": "users"}'], ["BATCH"]),
        ([row("rates", id="EUR")], ["rates", "not asked for"]),
        (['> {"type": "STATE", "val'], ["broken message"]),
    ],
)
def test_what_a_tap_does_wrong_fails_the_job(
    task: OneTask, tap: ScriptedTap, lines: list[str], words: list[str]
) -> None:
    tap.says(*lines)
    message = task.fails()
    assert [word for word in words if word not in message] == []


def test_a_tap_is_not_read_as_an_airbyte_connector(task: OneTask, tap: ScriptedTap) -> None:
    task.has(tap.connection, "do: airbyte\nstream: users")
    assert "`do: singer`" in task.fails()
