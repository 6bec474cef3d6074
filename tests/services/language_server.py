"""yaml-language-server, which editors ask about YAML files; spoken to over its standard streams.

The protocol: https://microsoft.github.io/language-server-protocol/
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

_STOPS_WITHIN = 10  # seconds


class LanguageServer:
    """A running server, for the files of one folder with the settings of VS Code in it."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input: IO[bytes] = process.stdin
        self._output: IO[bytes] = process.stdout
        self._folder, self._asked = folder, 0
        self._settings = json.loads((folder / ".vscode/settings.json").read_text("utf-8"))
        abilities = {
            "workspace": {"configuration": True},
            "textDocument": {"hover": {"contentFormat": ["plaintext"]}},
        }
        root = {"rootUri": folder.as_uri(), "capabilities": abilities, "processId": None}
        folders = [{"uri": folder.as_uri(), "name": folder.name}]
        self._ask("initialize", {**root, "workspaceFolders": folders})
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": None})

    def faults(self, path: str, text: str) -> list[tuple[int, str]]:
        """Opens a file; returns its faults with their lines, from 1 on."""
        document = {"uri": self._uri(path), "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        while True:
            message = self._next()
            given = message.get("params") or {}
            if message.get("method") == "textDocument/publishDiagnostics":
                if given["uri"] != document["uri"]:
                    continue
                found = given["diagnostics"]
                return [(one["range"]["start"]["line"] + 1, one["message"]) for one in found]

    def hover(self, path: str, line: int, column: int) -> str:
        """What is shown over a place, in lines from 1 and columns from 0 on."""
        found = self._ask("textDocument/hover", self._place(path, line, column))
        contents = found["contents"] if found else ""
        return str(contents["value"] if isinstance(contents, dict) else contents)

    def completions(self, path: str, line: int, column: int) -> list[str]:
        """What is proposed at a place."""
        found = self._ask("textDocument/completion", self._place(path, line, column))
        return [item["label"] for item in found["items"]]

    def _place(self, path: str, line: int, column: int) -> dict[str, Any]:
        position = {"line": line - 1, "character": column}
        return {"textDocument": {"uri": self._uri(path)}, "position": position}

    def _uri(self, path: str) -> str:
        return (self._folder / path).as_uri()

    def _ask(self, method: str, params: Any) -> Any:
        self._asked += 1
        self._send({"id": self._asked, "method": method, "params": params})
        while True:
            message = self._next()
            if message.get("id") == self._asked and "method" not in message:
                return message.get("result")

    def _tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def _next(self) -> dict[str, Any]:
        """The server's next message; what it asks for itself is answered."""
        length, line = 0, b""
        while line != b"\r\n":
            line = self._output.readline()
            assert line, "the language server has ended"
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message: dict[str, Any] = json.loads(self._output.read(length))
        if "method" in message and "id" in message:
            self._send({"id": message["id"], "result": self._answer(message)})
        return message

    def _answer(self, message: dict[str, Any]) -> Any:
        if message["method"] != "workspace/configuration":
            return None
        schemas = {"schemas": self._settings["yaml.schemas"], "completion": True, "hover": True}
        known = {"yaml": {**schemas, "validate": True, "schemaStore": {"enable": False}}}
        return [known.get(item.get("section")) for item in message["params"]["items"]]

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._input.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._input.flush()


@contextmanager
def running_language_server(packages: Path, folder: Path) -> Iterator[LanguageServer]:
    """Starts a server. packages: npm's node_modules, with yaml-language-server."""
    command = [str(packages / ".bin/yaml-language-server"), "--stdio"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield LanguageServer(process, folder)
    finally:
        process.kill()
        process.wait(_STOPS_WITHIN)
