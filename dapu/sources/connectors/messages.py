"""The Airbyte protocol: lines of a connector as messages, with every number as it was written.

Each line of a connector's standard output is one JSON object
(https://docs.airbyte.com/platform/understanding-airbyte/airbyte-protocol). A line that does not
begin as an object is a line of its log. One that begins as an object and is broken is a message
that was lost, so it is a fault and never passed over.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jiter

from dapu.errors import JobError

LONGEST_LINE = 50 << 20  # bytes
_BEGINS_AS_OBJECT = re.compile(rb'\s*\{\s*("|\}|$)')
# What airbyte-cdk has its users read of most errors: the other text says what it was.
_SAYS_NOTHING = "Something went wrong in the connector"
_SHOWN = 200  # characters of a broken line
_MOST_RECORDS = 1 << 63

Level = Literal["error", "warning", "info"]
Document = dict[str, Any]

_LEVELS: dict[str, Level] = {
    "FATAL": "error",
    "ERROR": "error",
    "WARN": "warning",
    "WARNING": "warning",
}


class FaultyMessage(JobError):
    """A line of a connector that is not what the protocol says."""


class StreamName(NamedTuple):
    """What a connector calls a stream."""

    name: str
    namespace: str | None = None

    def __str__(self) -> str:
        return self.name if self.namespace is None else f"{self.namespace}.{self.name}"


def stream_name(name: Any, space: Any) -> StreamName:
    """The name of a stream as a document has it: an empty namespace is none."""
    return StreamName(str(name), str(space) if space else None)


class StreamRecord(NamedTuple):
    """One row of a stream: numbers are int or Decimal."""

    stream: StreamName
    data: Document


@dataclass(frozen=True)
class State:
    """How far the connector has read: what it is given at its next start.

    kind: `STREAM` is of one stream; `GLOBAL` of all together; `LEGACY` too, in no known form.
    message: the whole state, to be handed back as it came.
    record_count: how many records the connector counts since the last state.
    """

    kind: Literal["STREAM", "GLOBAL", "LEGACY"]
    stream: StreamName | None
    message: Document
    record_count: int | None = None


@dataclass(frozen=True)
class StreamStatus:
    """A stream began, or ended. status: `STARTED`, `RUNNING`, `COMPLETE` or `INCOMPLETE`."""

    stream: StreamName
    status: str


@dataclass(frozen=True)
class ConnectorFailure:
    """Why the connector cannot go on. stream: the one that it is about, if it names one."""

    message: str
    stream: StreamName | None = None
    kind: str = "system_error"
    details: str | None = None


@dataclass(frozen=True)
class Log:
    """A line for people."""

    level: Level
    message: str


@dataclass(frozen=True)
class NewConfig:
    """The connector changed its own configuration: a token that it renewed, for example."""

    config: Document


@dataclass(frozen=True)
class Spec:
    """What the connector wants in its configuration, as a JSON Schema and more."""

    spec: Document


@dataclass(frozen=True)
class Catalog:
    """The streams that the connector has."""

    streams: list[Document]


@dataclass(frozen=True)
class ConnectionStatus:
    """Whether the configuration works."""

    succeeded: bool
    message: str


@dataclass(frozen=True)
class Estimate:
    """How many rows a stream will have, as the connector thinks."""

    stream: StreamName | None
    rows: int | None


Message = (
    StreamRecord
    | State
    | StreamStatus
    | ConnectorFailure
    | Log
    | NewConfig
    | Spec
    | Catalog
    | ConnectionStatus
    | Estimate
)


def read_message(line: bytes) -> Message | None:
    """The message of a line; None of a blank one, and of an analytics message.

    Raises FaultyMessage where a line begins as a message and is not one.
    """
    found = as_document(line)
    if not isinstance(found, dict):
        return found
    kind = found.get("type")
    if kind == "RECORD":
        record = _part(found, "record", line)
        stream, data, space = record.get("stream"), record.get("data"), record.get("namespace")
        if stream.__class__ is not str or data.__class__ is not dict:
            raise FaultyMessage(f"a RECORD needs a `stream` and its `data`: {_shown(line)}")
        if space is not None and space.__class__ is not str:
            raise FaultyMessage(f"the `namespace` of a RECORD is a text: {_shown(line)}")
        return StreamRecord(StreamName(stream, space or None), data)
    if not isinstance(kind, str):
        return Log("info", line.decode("utf-8", "replace").strip())
    reader = _READERS.get(kind)
    if reader is None:
        raise FaultyMessage(f"the connector sent a message of the unknown type {kind}")
    try:
        return reader(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FaultyMessage(f"a {kind} lacks what it must have ({error}): {_shown(line)}") from None


def as_document(line: bytes) -> Document | Log | None:
    """A line that begins as an object; as a line of the log where it does not, None where blank.

    Raises FaultyMessage for one that is broken.
    """
    if not _BEGINS_AS_OBJECT.match(line):
        if line.startswith(BOM_UTF8):  # some programs begin their output so
            return as_document(line.removeprefix(BOM_UTF8))
        return _log_of_line(line)
    try:
        # Of the parsers that were measured the fastest that keeps the digits of numbers and finds
        # keys that come twice: 4 µs a record of 300 bytes.
        found: Document = jiter.from_json(
            line, float_mode="decimal", catch_duplicate_keys=True, allow_inf_nan=False
        )
    except ValueError as error:
        raise FaultyMessage(
            f"the connector sent a broken message ({error}): {_shown(line)}"
        ) from None
    return found


def _part(message: Document, name: str, line: bytes) -> Document:
    part = message.get(name)
    if not isinstance(part, dict):
        raise FaultyMessage(f"a message has no `{name}`: {_shown(line)}")
    return part


def _state(message: Document) -> State:
    state = message["state"]
    kind: Literal["STREAM", "GLOBAL", "LEGACY"] = state.get("type") or "LEGACY"
    count = _count((state.get("sourceStats") or {}).get("recordCount"))
    if kind == "STREAM":
        stream = _name(state["stream"]["stream_descriptor"])
        return State("STREAM", stream, state, count)
    if kind not in ("GLOBAL", "LEGACY"):
        raise ValueError(f"the type of state {kind} is unknown")
    state["data" if kind == "LEGACY" else "global"]  # must be there
    return State(kind, None, state, count)


def _trace(message: Document) -> Message | None:
    trace = message["trace"]
    match trace["type"]:
        case "ERROR":
            error = trace["error"]
            more = error.get("internal_message")
            text = str(error.get("message") or "")
            if not text or text.startswith(_SAYS_NOTHING):
                text = str(more or text or "no reason given")
            stream = error.get("stream_descriptor")
            kind = str(error.get("failure_type") or "system_error")
            return ConnectorFailure(
                text, _name(stream) if stream else None, kind, more and str(more)
            )
        case "STREAM_STATUS":
            status = trace["stream_status"]
            return StreamStatus(_name(status["stream_descriptor"]), str(status["status"]))
        case "ESTIMATE":
            return _estimate(trace["estimate"])
        case "ANALYTICS":
            return None
    raise ValueError(f"the type of trace {trace['type']} is unknown")


def _estimate(estimate: Mapping[str, Any]) -> Estimate:
    return Estimate(
        _name(estimate) if "name" in estimate else None, _count(estimate.get("row_estimate"))
    )


def _count(value: Any) -> int | None:
    """A number of records; some connectors write it as 100.0."""
    if value is None:
        return None
    if not 0 <= value < _MOST_RECORDS:  # 1e999999999 as an int would take the memory
        raise ValueError(f"{value} is no number of records")
    return int(value)


def _control(message: Document) -> Message:
    control = message["control"]
    if control["type"] != "CONNECTOR_CONFIG":
        raise ValueError(f"the type of control {control['type']} is unknown")
    config = control["connectorConfig"]["config"]
    if not isinstance(config, dict):
        raise TypeError("its `config` is no object")
    return NewConfig(config)


def _log(message: Document) -> Log:
    log = message["log"]
    return Log(_level(str(log.get("level", ""))), str(log["message"]))


def _connection_status(message: Document) -> ConnectionStatus:
    status = message["connectionStatus"]
    return ConnectionStatus(status["status"] == "SUCCEEDED", str(status.get("message") or ""))


def _log_of_line(line: bytes) -> Log | None:
    text = line.decode("utf-8", "replace").strip()
    first, _, _ = text.partition(" ")
    return Log(_level(first.strip(":[]")), text) if text else None


def _level(word: str) -> Level:
    return _LEVELS.get(word.upper(), "info")


def _name(descriptor: Mapping[str, Any]) -> StreamName:
    return stream_name(descriptor["name"], descriptor.get("namespace"))


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "replace").strip()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"


_READERS: dict[str, Callable[[Document], Message | None]] = {
    "STATE": _state,
    "LOG": _log,
    "TRACE": _trace,
    "CONTROL": _control,
    "SPEC": lambda message: Spec(message["spec"]),
    "CATALOG": lambda message: Catalog(list(message["catalog"]["streams"])),
    "CONNECTION_STATUS": _connection_status,
}
