"""How far a connector has read, from one run to the next.

A state is of one stream (STREAM), or of all that have none of their own (GLOBAL, LEGACY, and each
state of Singer). What is kept is handed back as it came. A stream whose table was dropped, or that
had another load mode, is read from its beginning, and its part is taken out of a state of all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from dapu.agents.streams.delivery import Delivery
from dapu.errors import FaultyText
from dapu.sources.connectors.messages import Document, StreamName, stream_name
from dapu.sources.documents.exact_json import dump, parse

_ALL = "all streams"  # under which a state of all streams together is kept


class States:
    """The states of a task's streams. entries: as the last run left them."""

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self._entries = entries
        self._sent_all = False
        self.of_all: Document | None = None
        """The last state of all streams together that came in this run."""

    def begin(self, deliveries: Collection[Delivery], existing: Collection[StreamName]) -> None:
        """Gives each stream the state from which it goes on. existing: those that have a table."""
        for delivery in deliveries:
            entry = self._entries.get(str(delivery.stream.name), {})
            if delivery.stream.name in existing and not delivery.waits_for_end:
                delivery.generation = entry.get("generation", 0)
                if (state := _unpacked(entry)) is not None:
                    delivery.go_on(state)

    def to_send(
        self, deliveries: Collection[Delivery], existing: Collection[StreamName]
    ) -> list[Document]:
        """What the connector is given."""
        of_all = self._state_of_all(deliveries, existing)
        own = [one.state for one in deliveries if one.has_own_state and one.state]
        self._sent_all = of_all is not None
        return [*([of_all] if of_all else []), *own]

    def _state_of_all(
        self, deliveries: Collection[Delivery], existing: Collection[StreamName]
    ) -> Document | None:
        entry = self._entries.get(_ALL, {})
        state = _unpacked(entry)
        if state is None:
            return None
        covered = set(entry.get("streams", ()))
        for delivery in deliveries:
            if delivery.waits_for_end or delivery.has_own_state:
                continue
            name = delivery.stream.name
            if str(name) in covered and name in existing:
                delivery.go_on(None)
            elif not _take_out(state, name) and str(name) in covered:
                for other in deliveries:
                    other.starts_anew = other.starts_anew or not other.has_own_state
                return None
        return (
            state if any(not one.starts_anew and one.state is None for one in deliveries) else None
        )

    def entries(self, deliveries: Iterable[Delivery], *, with_all: bool) -> dict[str, Any]:
        """What is to be kept once the rows of these streams are committed.

        with_all: they are all that the state of all streams stands for.
        """
        kept: dict[str, Any] = {}
        shared = []
        for delivery in deliveries:
            if delivery.waits_for_end:
                continue
            own = {"state": dump(delivery.state)} if delivery.has_own_state else {}
            kept[str(delivery.stream.name)] = {"generation": delivery.generation, **own}
            if not delivery.has_own_state:
                shared.append(str(delivery.stream.name))
        if with_all and self.of_all is not None:
            kept[_ALL] = {"state": dump(self.of_all), "streams": shared}
        elif shared and not self._sent_all:
            kept[_ALL] = {}  # they are read from their beginning
        return kept


def entries_of(given: Any, streams: Iterable[StreamName]) -> dict[str, Any]:
    """What a caller gives as state, as it is kept: a list of states, or one of the old kind.

    streams: those that a state of all stands for. Raises FaultyText for what is none.
    """
    if isinstance(given, dict):
        given = [{"type": "LEGACY", "data": given}] if given else []
    entries: dict[str, Any] = {}
    for state in given:
        if not isinstance(state, dict):
            raise FaultyText("a state is an object, and `state` a list of them")
        kind = state.get("type", "LEGACY")
        if kind == "STREAM" and isinstance(state.get("stream"), dict):
            entries[str(_stream_of(state["stream"]))] = {"state": dump(state)}
        elif state.get({"GLOBAL": "global", "LEGACY": "data"}.get(kind, "")) is not None:
            entries[_ALL] = {"state": dump(state), "streams": [str(name) for name in streams]}
        else:
            raise FaultyText(
                "a state is of type STREAM with `stream`, GLOBAL with `global`, or "
                "LEGACY with `data`"
            )
    return entries


def _unpacked(entry: Mapping[str, Any]) -> Document | None:
    """A state is stored as text, which keeps its digits and the order of its keys."""
    state: Document | None = parse(entry["state"].encode()) if entry.get("state") else None
    return state


def _take_out(state: Document, stream: StreamName) -> bool:
    """Removes a stream's part of a state of all streams; whether it had one of its own there."""
    parts = (state.get("global") or {}).get("stream_states") or []
    others = [one for one in parts if _stream_of(one) != stream]
    if len(others) == len(parts):
        return False
    state["global"]["stream_states"] = others
    return True


def _stream_of(part: Mapping[str, Any]) -> StreamName:
    descriptor = part.get("stream_descriptor") or {}
    return stream_name(descriptor.get("name"), descriptor.get("namespace"))
