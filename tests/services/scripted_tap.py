"""A Singer tap that says what a test wants: as a scripted connector, in the words of Singer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.services.scripted_connector import play, store_given

_ROOT = Path(__file__).parents[2]


def entry(name: str, columns: dict[str, Any], cursor: str | None = None) -> Any:
    """A stream of a tap's catalog, with the key `id`. cursor: where only news can be read."""
    table = {"table-key-properties": ["id"], "valid-replication-keys": [cursor] if cursor else []}
    properties = {k: {"type": v} if isinstance(v, str) else v for k, v in columns.items()}
    return {
        "tap_stream_id": name,
        "stream": name,
        "schema": {"type": "object", "properties": properties},
        "metadata": [
            {"breadcrumb": [], "metadata": table},
            *({"breadcrumb": ["properties", one], "metadata": {}} for one in properties),
        ],
    }


def row(stream: str, /, **data: Any) -> str:
    """A line that prints a record."""
    return "> " + json.dumps({"type": "RECORD", "stream": stream, "record": data})


def schema(stream: str) -> str:
    """A line that prints the schema of a stream."""
    found = {"type": "SCHEMA", "stream": stream, "schema": {}, "key_properties": ["id"]}
    return "> " + json.dumps(found)


def version(stream: str, number: int) -> str:
    """A line that prints that all rows of an older version are to go."""
    return "> " + json.dumps({"type": "ACTIVATE_VERSION", "stream": stream, "version": number})


def bookmark(**value: Any) -> str:
    """A line that prints the state of all streams."""
    return "> " + json.dumps({"type": "STATE", "value": value})


class ScriptedTap:
    """A tap of a test. folder: for its script and its catalog."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def connection(self) -> str:
        """The keys of its connection beside `name`."""
        start = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); import runpy; "
        start += "runpy.run_module('tests.services.scripted_tap', run_name='__main__')"
        command = json.dumps([sys.executable, "-c", start, str(self._folder)])
        return f"driver: connector\nprotocol: singer\ncommand: {command}\nsilence: 20 seconds"

    def has(self, *entries: Any) -> None:
        """Its catalog."""
        (self._folder / "catalog.json").write_text(json.dumps({"streams": entries}, indent=2))

    def says(self, *lines: str) -> None:
        """What it does when it reads."""
        (self._folder / "script").write_text("\n".join(lines))

    def was_given(self, name: str) -> Any:
        """The `config`, `catalog` or `state` of the last reading; None without one."""
        path = self._folder / f"given-{name}.json"
        return json.loads(path.read_text()) if path.exists() else None


def main(folder: Path, words: list[str]) -> int:
    """The tap itself."""
    if words[-1] == "--discover":
        sys.stdout.write((folder / "catalog.json").read_text())
        return 0
    store_given(folder, words)
    return play((folder / "script").read_text().splitlines())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
