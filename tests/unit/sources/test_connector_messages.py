"""What a line of a connector is, and what is not taken for a message."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from typing import Any

import pytest

from dapu.sources.connectors.messages import (
    ConnectorFailure,
    FaultyMessage,
    State,
    StreamName,
    StreamRecord,
    read_message,
)

_RECORD = {"stream": "users", "data": {"id": 1}}
_DESCRIPTOR = {"name": "users", "namespace": ""}
_STATUS = {"stream_descriptor": _DESCRIPTOR, "status": "COMPLETE"}
_STREAM = {"stream_descriptor": {"name": "users"}, "stream_state": {}}


def test_a_mark_of_the_byte_order_does_not_make_a_message_a_line_of_the_log() -> None:
    line = json.dumps({"type": "RECORD", "record": _RECORD}).encode()
    assert read_message(BOM_UTF8 + line) == StreamRecord(StreamName("users"), {"id": 1})


def test_an_empty_namespace_is_none() -> None:
    for kind, content in (
        ("record", _RECORD | {"namespace": ""}),
        ("state", {"type": "STREAM", "stream": {"stream_descriptor": _DESCRIPTOR}}),
        ("trace", {"type": "STREAM_STATUS", "stream_status": _STATUS}),
    ):
        found: Any = read_message(json.dumps({"type": kind.upper(), kind: content}).encode())
        assert found.stream == StreamName("users")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"message": "no such user", "internal_message": "HTTP 404"}, "no such user"),
        (
            {
                "message": "Something went wrong in the connector. See the logs for more details.",
                "internal_message": "HTTP 500",
            },
            "HTTP 500",
        ),
        ({"internal_message": "HTTP 500"}, "HTTP 500"),
        ({}, "no reason given"),
    ],
)
def test_why_a_connector_failed(error: dict[str, str], said: str) -> None:
    trace = {"type": "TRACE", "trace": {"type": "ERROR", "error": error}}
    assert read_message(json.dumps(trace).encode()) == ConnectorFailure(
        said, details=error.get("internal_message")
    )


@pytest.mark.parametrize(("written", "count"), [("100.0", 100), ("0", 0), ("null", None)])
def test_how_many_records_a_state_stands_for(written: str, count: int | None) -> None:
    assert _state(written).record_count == count


@pytest.mark.parametrize("written", ["1e999999999", "-1", '"many"', "[1]"])
def test_what_is_no_number_of_records(written: str) -> None:
    with pytest.raises(FaultyMessage, match="STATE"):
        _state(written)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("record", _RECORD | {"namespace": ["a"]}),
        ("record", None),
        ("state", [1]),
        ("trace", None),
        ("control", {"type": "CONNECTOR_CONFIG", "connectorConfig": {"config": "token"}}),
    ],
)
def test_a_message_of_another_form_is_faulty(kind: str, content: Any) -> None:
    with pytest.raises(FaultyMessage, match=kind.upper()):
        read_message(json.dumps({"type": kind.upper(), kind: content}).encode())


def _state(count: str) -> State:
    state = f'{{"type": "STREAM", "stream": {json.dumps(_STREAM)}'
    stats = f'"sourceStats": {{"recordCount": {count}}}'
    found = read_message(f'{{"type": "STATE", "state": {state}, {stats}}}}}'.encode())
    assert isinstance(found, State)
    return found
