"""Singer taps: the same rows and states as of an Airbyte connector, in other words.

https://github.com/singer-io/getting-started/blob/master/docs/SPEC.md. A tap prints SCHEMA, RECORD,
STATE and ACTIVATE_VERSION. Each state is of all streams, and nothing says that a stream is
complete: it is when the tap has ended well. So ACTIVATE_VERSION, which asks to delete the rows of
earlier readings of a whole table, has nothing to do: such a table is replaced at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import jiter

from dapu.errors import JobError
from dapu.sources.connectors.connector import Connector
from dapu.sources.connectors.messages import (
    ConnectionStatus,
    Document,
    FaultyMessage,
    Message,
    State,
    StreamName,
    StreamRecord,
    as_document,
)
from dapu.sources.connectors.prepared import Prepared
from dapu.sources.connectors.runner import Verb
from dapu.sources.connectors.streams import Stream, streams_of

_ENTRY = "singer"  # what the tap's own catalog says of a stream, beside what Airbyte's would
_NEWS = ("INCREMENTAL", "LOG_BASED")
_IGNORED = ("SCHEMA", "ACTIVATE_VERSION")


class SingerTap(Connector):
    """A tap with its configuration. See `Connector`."""

    def spec(self) -> Document:
        """See `Connector`. Raises JobError: a tap does not say what it wants."""
        raise JobError(f"the tap {self.connection} does not say what it wants: see its README")

    def check(self) -> ConnectionStatus:
        """See `Connector`. A tap works when it can list its streams."""
        try:
            self.discover()
        except JobError as error:
            return ConnectionStatus(False, str(error))
        return ConnectionStatus(True, "")

    def discover(self) -> dict[StreamName, Stream]:
        """See `Connector`."""
        with self._process("discover", {"config": self._config()}) as process:
            text = b"".join(process.lines())
            self._check_end(process, None)
        try:
            entries = jiter.from_json(text)["streams"]
            return streams_of([_document(entry) for entry in entries])
        except (ValueError, KeyError, TypeError) as error:
            raise JobError(f"the catalog of the tap {self.connection} is faulty: {error}") from None

    @contextmanager
    def read(self, catalog: Document, state: Sequence[Document]) -> Iterator[Iterator[Message]]:
        """See `Connector`. catalog: in the words of Airbyte."""
        entries = [_selected(configured) for configured in catalog["streams"]]
        documents: dict[str, Any] = {"config": self._config(), "catalog": {"streams": entries}}
        if state:
            documents["state"] = state[0]["data"]
        with self._running("read", documents) as messages:
            yield messages

    def _words(self, verb: Verb, prepared: Prepared) -> list[str]:
        more = ["--discover"] if verb == "discover" else []
        return [*prepared.command, *prepared.options, *more]

    def _read_line(self, line: bytes) -> Message | None:
        return read_singer_message(line)


def read_singer_message(line: bytes) -> Message | None:
    """The message of a line; None of one that changes nothing.

    Raises FaultyMessage where a line begins as a message and is not one.
    """
    found = as_document(line)
    if not isinstance(found, dict):
        return found
    kind = found.get("type")
    try:
        if kind == "RECORD":
            record = found["record"]
            record.keys  # noqa: B018 - a record is an object
            return StreamRecord(StreamName(found["stream"]), record)
        if kind == "STATE":
            return State("LEGACY", None, {"type": "LEGACY", "data": found["value"]})
    except (KeyError, AttributeError) as error:
        raise FaultyMessage(f"a {kind} lacks what it must have: {error}") from None
    if kind in _IGNORED:
        return None
    raise FaultyMessage(f"the tap sent a message of the type {kind}, which dapu does not know")


def _document(entry: Document) -> Document:
    """An entry of a tap's catalog, in the words of Airbyte."""
    table = _table_metadata(entry)
    key = entry.get("key_properties") or table.get("table-key-properties") or []
    cursors = table.get("valid-replication-keys") or []
    cursor = entry.get("replication_key") or table.get("replication-key") or next(iter(cursors), "")
    method = str(entry.get("replication_method") or _method(table) or "")
    is_incremental = method.upper() in _NEWS or (not method and bool(cursor))
    return {
        "name": entry.get("stream") or entry["tap_stream_id"],
        "json_schema": entry["schema"],
        "supported_sync_modes": ["full_refresh", *(["incremental"] if is_incremental else [])],
        "source_defined_primary_key": [[name] for name in key],
        "default_cursor_field": [cursor] if cursor else [],
        _ENTRY: entry,
    }


def _table_metadata(entry: Document) -> Document:
    for part in entry.get("metadata") or []:
        if not part.get("breadcrumb"):
            return dict(part.get("metadata") or {})
    return {}


def _method(table: Mapping[str, Any]) -> Any:
    return table.get("forced-replication-method") or table.get("replication-method")


def _selected(configured: Document) -> Document:
    """The entry of a stream that is to be read, with all its columns."""
    stream = configured["stream"]
    entry: Document = stream[_ENTRY]
    is_whole = configured["sync_mode"] == "full_refresh"
    wanted = {"selected": True}
    table: Document = dict(wanted)
    method = str(_method(_table_metadata(entry)) or "INCREMENTAL")
    table["replication-method"] = "FULL_TABLE" if is_whole else method
    if configured["cursor_field"] and not is_whole:
        table["replication-key"] = configured["cursor_field"][0]
    parts = [
        {
            **part,
            "metadata": {
                **(part.get("metadata") or {}),
                **(wanted if part.get("breadcrumb") else table),
            },
        }
        for part in entry.get("metadata") or [{"breadcrumb": []}]
    ]
    of_entry = {"replication_method": table["replication-method"], "metadata": parts}
    return {**entry, "schema": {**entry["schema"], **wanted}, **wanted, **of_entry}
