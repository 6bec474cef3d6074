"""An Execute server: real HTTP, with the API as its known client uses it.

It keeps documents by type, id and version, in the order in which they last changed, and answers
`/fetch/document/` and `/fetch/document/schema`. It can be told to misbehave in its next answers.
Run as a program, with a number of documents or of items of one list, it serves them until its
standard input ends.
"""

from __future__ import annotations

import base64
import json
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from tests.services.execute_afes import AFE_SCHEMA, make_afe, make_long_afe
from tests.services.serving import Server, serving

KEY_ID, KEY_SECRET = "key-1", "s3cret-of-the-key"

Fault = (
    int  # answers with this status
    | Literal[
        "cut",  # the body ends in the middle of a line
        "cut between lines",
        "bad line",
        "not an object",
        "repeat",  # the last document comes twice
        "no mark",
        "no truncated",
        "odd truncated",
        "no end",  # neither Content-Length nor chunks
        "mark goes back",
        "mark stands still",
        "login page",
        "no last newline",
        "blank lines",
        "stall",  # says nothing after the first line
    ]
)


@dataclass
class _Stored:
    changed: datetime
    document: dict[str, Any] | bytes

    def text(self, calculated: dict[str, Any]) -> bytes:
        if isinstance(self.document, bytes):
            return self.document
        return json.dumps(self.document | calculated, ensure_ascii=False).encode()


@dataclass
class Question:
    """What a client asked."""

    path: str
    values: dict[str, str]


@dataclass
class ExecuteServer:
    """A running server.

    inclusive: whether `since` means "from then on" or "after then".
    transfer: how the end of a body is told. slow: seconds to wait after each document.
    """

    url: str = ""
    schema: dict[str, Any] = field(default_factory=dict)
    calculated: Callable[[dict[str, Any]], dict[str, Any]] = lambda document: {}
    inclusive: bool = False
    transfer: Literal["chunked", "length"] = "chunked"
    slow: float = 0
    questions: list[Question] = field(default_factory=list)
    faults: deque[Fault] = field(default_factory=deque)
    retry_after: str | None = None
    _stored: dict[tuple[str, str, int], _Stored] = field(default_factory=dict)
    _clock: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(
        self,
        type: str,  # noqa: A002
        id: str,  # noqa: A002
        version: int = 1,
        *,
        deleted: bool = False,
        author: str | None = "author-1",
        **fields: Any,
    ) -> None:
        """Makes or changes a version of a document."""
        document: dict[str, Any] = {"$TYPE": type, "DOCUMENT_ID": id, "$VERSION": version}
        if author is not None:
            document["$AUTHOR_ID"] = author
        with self._lock:
            changed = self._tick()
            document |= {"$DATE": _text(changed), "$DELETED": deleted, **fields}
            self._store((type, id, version), _Stored(changed, document))

    def put_text(self, key: tuple[str, str, int], text: bytes) -> None:
        """A document as the bytes of its line."""
        with self._lock:
            self._store(key, _Stored(self._tick(), text))

    def clear(self) -> None:
        """Forgets all documents, as a server that was restored."""
        with self._lock:
            self._stored.clear()

    def misbehave(self, *faults: Fault) -> None:
        """The next answers have these faults, one each."""
        self.faults.extend(faults)

    def mark(self) -> str:
        """The mark of one who has read all."""
        with self._lock:
            return _text(self._clock)

    def documents(self) -> list[tuple[str, str, int]]:
        """Type, id and version of all that are there, as they changed."""
        with self._lock:
            return list(self._stored)

    def contents(self, upto: datetime | None = None) -> dict[tuple[str, str, int], dict[str, Any]]:
        """The documents that last changed until then."""
        with self._lock:
            return {
                key: stored.document
                for key, stored in self._stored.items()
                if isinstance(stored.document, dict) and (upto is None or stored.changed <= upto)
            }

    def since(self, since: datetime, limit: int) -> tuple[list[_Stored], datetime, bool]:
        """The documents that changed since then, up to when, and whether there are more."""
        with self._lock:
            later = [
                stored
                for stored in self._stored.values()
                if stored.changed > since or (self.inclusive and stored.changed == since)
            ]
            if len(later) <= limit:
                return later, max(self._clock, since), False
            return later[:limit], later[limit - 1].changed, True

    def _store(self, key: tuple[str, str, int], stored: _Stored) -> None:
        self._stored.pop(key, None)  # so that the newest change is the last
        self._stored[key] = stored

    def _tick(self) -> datetime:
        self._clock += timedelta(milliseconds=1)
        return self._clock


@contextmanager
def running_execute() -> Iterator[ExecuteServer]:
    """Starts a server on a free port of this machine alone."""
    execute = ExecuteServer()

    class Handler(_Handler):
        server_state = execute

    server = Server(("127.0.0.1", 0), Handler)
    execute.url = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        yield execute


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: ExecuteServer

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        question = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        self.server_state.questions.append(Question(parts.path, question))
        if not self._is_allowed():
            self._plain(401, b"API key is unknown")
        elif parts.path == "/fetch/document/schema":
            body = json.dumps(self.server_state.schema).encode()
            self._plain(200, body, "application/json")
        elif parts.path == "/fetch/document/":
            fault = self.server_state.faults.popleft() if self.server_state.faults else None
            self._documents(question, fault)
        else:
            self._plain(404, b"no such page")

    def _is_allowed(self) -> bool:
        expected = base64.b64encode(f"{KEY_ID}:{KEY_SECRET}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {expected}"

    def _plain(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status in (429, 503) and self.server_state.retry_after:
            self.send_header("Retry-After", self.server_state.retry_after)
        self.end_headers()
        self.wfile.write(body)

    def _documents(self, question: dict[str, str], fault: Fault | None) -> None:
        if isinstance(fault, int):
            self._plain(fault, b"the server is not well")
            return
        if fault == "login page":
            self._plain(200, b"<html>Log in</html>", "text/html")
            return
        since = datetime.fromisoformat(question["since"])
        since = since if since.tzinfo else since.replace(tzinfo=UTC)
        found, mark, more = self.server_state.since(since, int(question["limit"]))
        if fault == "mark goes back":
            mark = since - timedelta(days=1)
        if fault == "mark stands still":
            mark, more = since, True
        self._head(mark, more, fault)
        lines = [self._line(stored, question) for stored in found]
        self._body(_spoilt(lines, fault), fault)

    def _line(self, stored: _Stored, question: dict[str, str]) -> bytes:
        wanted = question.get("calc") == "true" and isinstance(stored.document, dict)
        extra = self.server_state.calculated(stored.document) if wanted else {}  # type: ignore[arg-type]
        return stored.text(extra) + b"\n"

    def _head(self, mark: datetime, more: bool, fault: Fault | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        if fault != "no mark":
            self.send_header("X-Sync-Highwater-Mark", _text(mark))
        if fault != "no truncated":
            odd = fault == "odd truncated"
            self.send_header("X-Sync-Truncated", "perhaps" if odd else str(more).lower())

    def _body(self, lines: Sequence[bytes], fault: Fault | None) -> None:
        if fault == "no end":
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"".join(lines))
            self.close_connection = True
        elif self.server_state.transfer == "length":
            self._with_length(b"".join(lines), fault)
        else:
            self._chunked(lines, fault)

    def _with_length(self, body: bytes, fault: Fault | None) -> None:
        self.send_header("Content-Length", str(len(body) + 100 * _is_cut(fault)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection |= _is_cut(fault)

    def _chunked(self, lines: Sequence[bytes], fault: Fault | None) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for block in lines if self.server_state.slow else _blocks(lines):
            self.wfile.write(b"%x\r\n" % len(block) + block + b"\r\n")
            if self.server_state.slow:
                time.sleep(self.server_state.slow)
            if fault == "stall":
                time.sleep(30)
        if _is_cut(fault):
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")


def _is_cut(fault: Fault | None) -> bool:
    return fault in ("cut", "cut between lines")


def _spoilt(lines: list[bytes], fault: Fault | None) -> list[bytes]:
    match fault:
        case "cut":
            lines[-1] = lines[-1][: len(lines[-1]) // 2]
        case "bad line":
            lines.insert(len(lines) // 2, b'{"$TYPE": "AFE", oh no\n')
        case "not an object":
            lines.append(b"[1, 2]\n")
        case "repeat":
            lines.append(lines[-1])
        case "no last newline":
            lines[-1] = lines[-1].rstrip(b"\n")
        case "blank lines":
            lines = [line for one in lines for line in (b"\r\n", one)]
    return lines


def _blocks(lines: Sequence[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size > 1 << 16:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def serve(documents: int, items: int) -> None:
    """Serves so many documents, or one with a list of so many items, if `items` is not 0.

    Says its address, and ends with its standard input.
    """
    with running_execute() as server:
        server.schema = AFE_SCHEMA
        for number in range(0 if items else documents):
            server.put_text(("AFE", str(number), 1), make_afe(number))
        if items:
            server.put_text(("AFE", "1", 1), make_long_afe(items))
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
