"""A connector that counts: fast, and each record of it is known beforehand.

    counting_connector.py FOLDER read --config … --catalog … [--state …]

Its streams `one` and `two` have the records 1 … N, where N stands in FOLDER/size; each has ten
columns. It goes on after the number in its state, and sends a state every `every` records: of each
stream (config `states: stream`) or of both together (`states: global`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STREAMS = ("one", "two")
COLUMNS = {
    "id": {"type": "integer"},
    "name": {"type": "string"},
    "email": {"type": "string"},
    "amount": {"type": "number"},
    "at": {"type": "string", "format": "date-time"},
    "day": {"type": "string", "format": "date"},
    "is_new": {"type": "boolean"},
    "note": {"type": ["null", "string"]},
    "visits": {"type": "integer"},
    "country": {"type": "string"},
}
DATA = (
    '{"id":%d,"name":"user %d","email":"user%d@example.org","amount":%d.50,'
    '"at":"2024-01-31T10:00:00Z","day":"%s","is_new":true,"note":null,"visits":%d,'
    '"country":"Eesti"}'
)
_RECORD = f'{{"type":"RECORD","record":{{"stream":"%s","emitted_at":1,"data":{DATA}}}}}\n'


def main(folder: Path, command: str, words: list[str]) -> None:
    """Answers one command of the protocol."""
    given = dict(zip(words[::2], words[1::2], strict=True))
    match command:
        case "spec":
            _send("SPEC", spec={"connectionSpecification": {"type": "object"}})
        case "check":
            _send("CONNECTION_STATUS", connectionStatus={"status": "SUCCEEDED"})
        case "discover":
            _send("CATALOG", catalog={"streams": [_stream(name) for name in STREAMS]})
        case _:
            documents = {name.strip("-"): _read(path) for name, path in given.items()}
            _read_streams(int((folder / "size").read_text()), **documents)


def _stream(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "json_schema": {"type": "object", "properties": COLUMNS},
        "supported_sync_modes": ["full_refresh", "incremental"],
        "source_defined_cursor": True,
        "source_defined_primary_key": [["id"]],
    }


def _read_streams(
    size: int, config: dict[str, Any], catalog: dict[str, Any], state: list[Any] | None = None
) -> None:
    read_to = dict.fromkeys(STREAMS, 0)
    for one in state or []:
        for part in one["global"]["stream_states"] if one["type"] == "GLOBAL" else [one["stream"]]:
            read_to[part["stream_descriptor"]["name"]] = part["stream_state"]["id"]
    every, is_global = config["every"], config["states"] == "global"
    for configured in catalog["streams"]:
        name = configured["stream"]["name"]
        if configured["sync_mode"] == "full_refresh":
            read_to[name] = 0
        _send_status(name, "STARTED")
        for last in _steps(read_to[name], size, every):
            first = read_to[name] + 1
            sys.stdout.write("".join(_record(name, n) for n in range(first, last + 1)))
            read_to[name] = last
            _send("STATE", state=_state_of_all(read_to) if is_global else _state(name, read_to))
        _send_status(name, "COMPLETE")


def _steps(low: int, high: int, every: int) -> Iterator[int]:
    yield from range(low + every, high, every)
    if high > low:
        yield high


def _record(stream: str, number: int) -> str:
    return _RECORD % (stream, number, number, number, number, "2024-01-31", number)


def _state(name: str, read_to: dict[str, int]) -> dict[str, Any]:
    return {"type": "STREAM", "stream": _part(name, read_to)}


def _state_of_all(read_to: dict[str, int]) -> dict[str, Any]:
    parts = [_part(name, read_to) for name in read_to]
    return {"type": "GLOBAL", "global": {"stream_states": parts}}


def _part(name: str, read_to: dict[str, int]) -> dict[str, Any]:
    return {"stream_descriptor": {"name": name}, "stream_state": {"id": read_to[name]}}


def _send_status(name: str, status: str) -> None:
    stream_status = {"stream_descriptor": {"name": name}, "status": status}
    trace = {"type": "STREAM_STATUS", "emitted_at": 1, "stream_status": stream_status}
    _send("TRACE", trace=trace)


def _send(kind: str, **content: Any) -> None:
    sys.stdout.write(json.dumps({"type": kind, **content}) + "\n")
    sys.stdout.flush()


def _read(path: str) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
