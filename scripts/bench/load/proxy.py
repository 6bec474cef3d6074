"""A TCP proxy on loopback that counts what a source sends: the bytes that a load moves."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK = 1 << 18


class Counter:
    """Passes connections on to a server, and counts the bytes that come back from it."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.received = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        """Takes no more connections."""
        # Closing alone would not wake the thread that waits for one.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                for source, target, counts in ((client, server, False), (server, client, True)):
                    arguments = (source, target, counts)
                    threading.Thread(target=self._pass_on, args=arguments, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                target.sendall(data)
                if counts:
                    self.received += len(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def counting_proxy(host: str, port: int) -> Iterator[Counter]:
    """A proxy before a server, for the length of a block."""
    counter = Counter(host, port)
    try:
        yield counter
    finally:
        counter.close()
