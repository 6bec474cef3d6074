"""A connector that says what a test wants, in the Airbyte protocol, and misbehaves on purpose.

Its script is a file of lines: what stands behind `> ` is printed, `exit N` ends it, `sleep N` makes
it silent, `big N` sends a record with a text of N bytes, and `repeat A B` sends B - A records. It
needs nothing but Python, so that it starts at once.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_CDK = "6.61.6"  # the version that runs a manifest whose connection names none
IMAGE = """\
driver: connector
image: airbyte/source-faker
version: 6.2.10
memory: 512m
cpus: 1.5
config: {password: hidden-word-1, count: 1.10}
"""
"""The keys of a connection whose connector is an image."""


def stream(name: str, columns: dict[str, Any], key: str | None = "id", **more: Any) -> Any:
    """A stream of a catalog. columns: the type or the JSON Schema of each."""
    properties = {k: {"type": v} if isinstance(v, str) else v for k, v in columns.items()}
    return {
        "name": name,
        "json_schema": {"type": "object", "properties": properties},
        "supported_sync_modes": ["full_refresh", "incremental"],
        "source_defined_cursor": True,
        "source_defined_primary_key": [[key]] if key else [],
    } | more


def record(stream_: str, /, **data: Any) -> str:
    """A line that prints a record."""
    return _says("RECORD", record={"stream": stream_, "data": data, "emitted_at": 1})


def state(name: str, value: Any, count: int | None = None) -> str:
    """A line that prints the state of a stream. count: the records since the last one."""
    document = {
        "type": "STREAM",
        "stream": {"stream_descriptor": {"name": name}, "stream_state": {"at": value}},
    }
    stats = {} if count is None else {"sourceStats": {"recordCount": count}}
    return _says("STATE", state=document | stats)


def state_of_all(**shared: Any) -> str:
    """A line that prints a state of all streams together."""
    return _says("STATE", state={"type": "GLOBAL", "global": {"shared_state": shared}})


def status(name: str, word: str) -> str:
    """A line that prints that a stream has begun or ended."""
    found = {"stream_descriptor": {"name": name}, "status": word}
    return _says("TRACE", trace={"type": "STREAM_STATUS", "emitted_at": 1, "stream_status": found})


def new_config(**config: Any) -> str:
    """A line that prints that the connector changed its configuration."""
    control = {"type": "CONNECTOR_CONFIG", "emitted_at": 1, "connectorConfig": {"config": config}}
    return _says("CONTROL", control=control)


def failure(message: str, name: str | None = None) -> str:
    """A line that prints why the connector cannot go on."""
    error = {"message": message} | ({"stream_descriptor": {"name": name}} if name else {})
    return _says("TRACE", trace={"type": "ERROR", "emitted_at": 1, "error": error})


def _says(kind: str, **more: Any) -> str:
    return "> " + json.dumps({"type": kind, **more})


class ScriptedConnector:
    """A connector of a test. folder: for its script and its catalog."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def connection(self) -> str:
        """The keys of its connection beside `name`."""
        command = json.dumps([sys.executable, __file__, str(self._folder)])
        return f"driver: connector\ncommand: {command}\nsilence: 20 seconds"

    def stands_for_cdk(self, warehouse: Path) -> None:
        """Manifests of a warehouse directory are run by this instead of airbyte-cdk."""
        place = warehouse / ".dapu/connectors" / f"airbyte-cdk-{_CDK}"
        (place / "bin").mkdir(parents=True)
        program = place / "bin/source-declarative-manifest"
        words = shlex.join([sys.executable, __file__, str(self._folder)])
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        program.chmod(0o755)
        (place / "ready").touch()

    def has(self, *streams: Any) -> None:
        """Its catalog."""
        catalog = {"type": "CATALOG", "catalog": {"streams": streams}}
        (self._folder / "catalog.json").write_text(json.dumps(catalog))

    def refuses(self, why: str) -> None:
        """What `check` answers."""
        (self._folder / "refusal").write_text(why)

    def accepts(self) -> None:
        """`check` succeeds again."""
        (self._folder / "refusal").unlink()

    def says(self, *lines: str) -> None:
        """What `read` does."""
        (self._folder / "script").write_text("\n".join(lines))

    def was_given(self, name: str) -> Any:
        """The `config`, `catalog` or `state` of the last reading; None without one."""
        path = self._folder / f"given-{name}.json"
        return json.loads(path.read_text()) if path.exists() else None


def main(folder: Path, verb: str, words: Iterable[str]) -> int:
    """The connector itself."""
    if verb == "spec":
        _print(json.dumps({"type": "SPEC", "spec": {"connectionSpecification": {}}}))
    elif verb == "check":
        _print(json.dumps({"type": "CONNECTION_STATUS", "connectionStatus": _check(folder)}))
    elif verb == "discover":
        _print((folder / "catalog.json").read_text())
    else:
        store_given(folder, words)
        return play((folder / "script").read_text().splitlines())
    return 0


def store_given(folder: Path, words: Iterable[str]) -> None:
    """Keeps copies of the files that a connector was given, for the test to look at."""
    given = dict(zip(*[iter(words)] * 2, strict=True))
    for name in ("config", "catalog", "state"):
        target = folder / f"given-{name}.json"
        target.unlink(missing_ok=True)
        if f"--{name}" in given:
            target.write_text(Path(given[f"--{name}"]).read_text())


def _check(folder: Path) -> dict[str, str]:
    refusal = folder / "refusal"
    if refusal.exists():
        return {"status": "FAILED", "message": refusal.read_text()}
    return {"status": "SUCCEEDED"}


def play(lines: Iterable[str]) -> int:
    """Does what a script says; the exit status."""
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "exit":
            return int(rest)
        _STEPS[word](rest)
    return 0


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _send(first: int, last: int) -> None:
    for number in range(first, last):
        sys.stdout.write(record("users", id=number, name=f"user {number}")[2:] + "\n")


_STEPS: dict[str, Callable[[str], object]] = {
    ">": _print,
    "stderr": sys.stderr.write,
    "sleep": lambda rest: time.sleep(float(rest)),
    "big": lambda rest: _print(record("users", id=1, name="x" * int(rest))[2:]),
    "repeat": lambda rest: _send(*map(int, rest.split())),
}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
