"""A private HTTPS server that gives out a folder, with a certificate that it signed itself."""

from __future__ import annotations

import base64
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.services.serving import serving


@dataclass(frozen=True)
class HttpsFiles:
    """A running server. folder: what it gives out. certificate: for those who shall trust it."""

    url: str
    folder: Path
    certificate: Path
    username: str = "juhan"
    password: str = "liiv&co"


@contextmanager
def running_https(folder: Path) -> Iterator[HttpsFiles]:
    """Starts a server on a free port of loopback; stops it at the end."""
    share = folder / "share"
    share.mkdir()
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(share)))
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    with serving(server):
        yield HttpsFiles(f"https://127.0.0.1:{server.server_address[1]}", share, certificate)


class _Handler(SimpleHTTPRequestHandler):
    """Gives files to those who know the password."""

    def send_head(self):  # type: ignore[no-untyped-def]
        given = f"{HttpsFiles.username}:{HttpsFiles.password}".encode()
        if self.headers.get("Authorization") != f"Basic {base64.b64encode(given).decode()}":
            self.send_error(401)
            return None
        return super().send_head()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Says nothing."""
