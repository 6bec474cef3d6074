"""What a caller of the server asks for, as a plan of tables and load modes."""

from __future__ import annotations

from typing import Any

import pytest

from dapu.agents.requests.catalog import ReadParameters, plan_catalog
from dapu.agents.streams.plan import StreamPlan
from dapu.errors import JobError
from dapu.registry.store import Registry
from tests.services.scripted_connector import stream

USERS = stream("Users", {"id": "integer", "fullName": "string"}, namespace="eu")
USUAL = {
    "schema": "staging",
    "namespace": "",
    "tableNamePrefix": "",
    "toSameCase": False,
    "addMeta": False,
    "deduplicate": True,
    "debug": False,
}


def planned(sync_mode: str = "incremental", more: Any = None, **changed: Any) -> StreamPlan:
    """The plan of one stream. more: keys of the configured one."""
    one = {"stream": USERS, "sync_mode": sync_mode, **(more or {})}
    parameters = USUAL | {"catalog": {"streams": [one]}} | changed
    [plan] = plan_catalog(ReadParameters.of_request(parameters), Registry())
    return plan


@pytest.mark.parametrize(
    ("changed", "table"),
    [
        ({}, "staging.Users"),
        ({"toSameCase": True}, "staging.users"),
        ({"tableNamePrefix": "P_"}, "staging.P_Users"),
        ({"tableNamePrefix": "P_", "toSameCase": True}, "staging.p_users"),
        ({"tableNamePrefix": "${SOURCE_NAMESPACE}_"}, "staging.eu_Users"),
        ({"namespace": "lake"}, "lake.Users"),
        ({"namespace": "lake_${SOURCE_NAMESPACE}"}, "lake_eu.Users"),
        ({"namespace": "${LEGACY}", "tableNamePrefix": "P_"}, "staging.P_eu.Users"),
        ({"more": {"table_name": "people"}, "tableNamePrefix": "P_"}, "staging.people"),
    ],
)
def test_where_a_stream_goes(changed: dict[str, Any], table: str) -> None:
    found = planned(**changed).table
    assert f"{found.schema}.{found.table}" == table


def test_columns_keep_their_names_or_are_of_the_same_case() -> None:
    assert [column.name for column in planned().columns().values()] == ["id", "fullName"]
    names = [column.name for column in planned(toSameCase=True, addMeta=True).columns().values()]
    assert names == ["id", "fullname", "_jitsu_timestamp"]


@pytest.mark.parametrize(
    ("sync_mode", "more", "deduplicate", "load", "key"),
    [
        ("full_refresh", {}, True, "replace", None),
        ("incremental", {}, True, "merge", ["id"]),
        ("incremental", {}, False, "append", None),
        (
            "incremental",
            {"stream": USERS | {"source_defined_primary_key": []}},
            True,
            "append",
            None,
        ),
        (
            "incremental",
            {"stream": USERS | {"source_defined_primary_key": []}, "primary_key": [["fullName"]]},
            True,
            "merge",
            ["fullName"],
        ),
    ],
)
def test_how_a_stream_is_loaded(
    sync_mode: str, more: Any, deduplicate: bool, load: str, key: list[str] | None
) -> None:
    options = planned(sync_mode, more, deduplicate=deduplicate).options
    assert (options.load, options.key) == (load, key)


def test_a_cursor_of_the_callers_is_handed_on() -> None:
    assert planned(more={"cursor_field": ["id"]}).stream.cursor == ["id"]


def test_a_key_inside_another_value_is_refused() -> None:
    nested = {"stream": USERS | {"source_defined_primary_key": [["a", "b"]]}}
    with pytest.raises(JobError, match="deduplicate=false"):
        planned(more=nested)
    assert planned(more=nested, deduplicate=False).options.load == "append"


@pytest.mark.parametrize(
    "faulty",
    [
        {"json_schema": {"properties": ["id"]}},
        {"json_schema": {"properties": {"id": {"type": 5}}}},
        {"json_schema": {"properties": {"id": {"type": "integer", "minimum": "low"}}}},
        {"source_defined_primary_key": 5},
    ],
)
def test_a_stream_that_cannot_be_understood_is_named(faulty: dict[str, Any]) -> None:
    with pytest.raises(JobError, match="Users"):
        planned(more={"stream": USERS | faulty})


def test_two_streams_for_one_table_are_refused() -> None:
    one = {"stream": USERS, "sync_mode": "full_refresh"}
    other = {"stream": USERS | {"namespace": "us"}, "sync_mode": "full_refresh"}
    parameters = USUAL | {"catalog": {"streams": [one, other]}}
    with pytest.raises(JobError, match="two streams"):
        plan_catalog(ReadParameters.of_request(parameters), Registry())
