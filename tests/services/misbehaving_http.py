"""A web server on loopback that does what a test tells it, wrong things too."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.services.serving import serving


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    def get(self, name: str, default: str = "") -> str:
        """The first value of a parameter."""
        return self.query.get(name, [default])[0]


@dataclass
class Reply:
    """What to answer.

    body: bytes and texts go as they are, anything else as JSON.
    missing: bytes that Content-Length promises and that never come.
    waits: seconds before the answer begins.
    """

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    missing: int = 0
    waits: float = 0

    def encoded(self) -> bytes:
        """The body as it goes over the wire."""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


Answer = Callable[[Asked], Any]
"""Gives a Reply, or just the body of one."""


@dataclass
class MisbehavingServer:
    """A running server. answers: what to do, by path. asked: the requests, in order."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def on(self, path: str, answer: Any) -> None:
        """Has a path answered so from now on."""
        self.answers[path] = answer if callable(answer) else lambda _: answer

    def in_turn(self, path: str, *replies: Any) -> None:
        """Has a path answered by one reply after the other, and by the last from then on."""
        left = list(replies)
        self.on(path, lambda _: left.pop(0) if len(left) > 1 else left[0])


def self_signed(folder: Path) -> Path:
    """A certificate that nobody trusts, with its key, in one file."""
    names = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    command += ["-keyout", str(names[0]), "-out", str(names[1])]
    subprocess.run(command, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text("".join(name.read_text() for name in names))
    return both


@contextmanager
def misbehaving_http(
    host: str = "127.0.0.1", certificate: Path | None = None
) -> Iterator[MisbehavingServer]:
    """Starts a server, and stops it at the end. certificate: with TLS."""
    server = ThreadingHTTPServer((host, 0), BaseHTTPRequestHandler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "http" if certificate is None else "https"
    told = MisbehavingServer(f"{scheme}://{host}:{server.server_address[1]}")
    server.RequestHandlerClass = _handler(told)
    server.block_on_close = False
    with serving(server):
        yield told


def _handler(server: MisbehavingServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Asks the test what to answer."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            size = int(self.headers.get("Content-Length", 0))
            asked = Asked(
                self.command,
                parts.path,
                parse_qs(parts.query, keep_blank_values=True),
                dict(self.headers.items()),
                self.rfile.read(size),
            )
            server.asked.append(asked)
            answer = server.answers.get(parts.path)
            reply = answer(asked) if answer else Reply({"error": "no such path"}, 404)
            self._send(reply if isinstance(reply, Reply) else Reply(reply))

        do_POST = do_GET  # noqa: N815 - names of the base class

        def _send(self, reply: Reply) -> None:
            time.sleep(reply.waits)
            body = reply.encoded()
            self.send_response(reply.status)
            length = {"Content-Length": str(len(body) + reply.missing)}
            kind = {"Content-Type": "application/json"}
            for name, value in {**kind, **length, **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # whoever asked may be gone
                self.wfile.write(body)
            if reply.missing:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            """Says nothing."""

    return Handler
