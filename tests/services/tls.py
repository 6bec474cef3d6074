"""A server over TLS whose certificate is signed by an authority of its own, as in a company."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

BODY = b'[{"id": 1}, {"id": 2}]'
_ANSWERS = {
    "/length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(BODY),
    "/whole": b"HTTP/1.1 200 OK\r\n",
    "/cut": b"HTTP/1.1 200 OK\r\n",
}
_MARKS = b"X-Sync-Highwater-Mark: 2026-01-01\r\nX-Sync-Truncated: false\r\n"


@dataclass(frozen=True)
class TlsServer:
    """A running server.

    `/length` has a length, `/whole` none, and ends as TLS wants it; `/cut` just ends.
    authority: the certificate of who signed the server's. folder: the same, as OpenSSL finds it.
    """

    url: str
    authority: Path
    folder: Path


@contextmanager
def running_tls(folder: Path) -> Iterator[TlsServer]:
    """Starts a server on a free port of loopback; stops it at the end."""
    authority, key, certificate = _signed(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, context), daemon=True).start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        yield TlsServer(url, authority, folder / "store")
        listener.shutdown(socket.SHUT_RDWR)


def _signed(folder: Path) -> tuple[Path, Path, Path]:
    """The certificate of an authority, and the key and certificate of a server that it signed."""
    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    _openssl(
        folder, *new, *["-days", "2", "-subj", "/CN=Company", "-keyout", "ca.key", "-out", "ca.pem"]
    )
    of_server = "-days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    of_server += " -addext basicConstraints=critical,CA:false"
    signed = "-CA ca.pem -CAkey ca.key -keyout server.key -out server.pem"
    _openssl(folder, *new, *of_server.split(), *signed.split())
    store = folder / "store"
    store.mkdir()
    (store / "ca.pem").write_bytes((folder / "ca.pem").read_bytes())
    _openssl(folder, "rehash", "store")
    return folder / "ca.pem", folder / "server.key", folder / "server.pem"


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    with suppress(OSError):  # the listener's end
        while True:
            accepted, _ = listener.accept()
            threading.Thread(target=_answer, args=(accepted, context), daemon=True).start()


def _answer(accepted: socket.socket, context: ssl.SSLContext) -> None:
    with suppress(OSError), accepted, context.wrap_socket(accepted, server_side=True) as client:
        asked = client.recv(1 << 16).decode().split(" ")[1].partition("?")[0]
        start = next((a for path, a in _ANSWERS.items() if asked.endswith(path)), None)
        if start is None:
            client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        body = BODY[:11] if asked.endswith("/cut") else BODY
        client.sendall(start + b"Content-Type: application/json\r\n" + _MARKS + b"\r\n" + body)
        if not asked.endswith("/cut"):
            client.unwrap()
