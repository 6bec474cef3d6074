"""A proxy in front of a server, whose connections can be cut, or fall silent."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress

from tests.services.postgres import Postgres

_CHUNK = 1 << 16
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing tells the other side of it with a reset


class Proxy:
    """Passes connections from a port of loopback on to a server's socket, and can cut them all."""

    def __init__(self, server: Postgres) -> None:
        self._path = str(server.socket_directory / f".s.PGSQL.{server.port}")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._silent: set[socket.socket] = set()
        threading.Thread(target=self._listen, daemon=True).start()

    def silence(self) -> None:
        """Lets nothing through on the connections that are open, and closes none of them.

        As when a machine loses its power, or a firewall forgets what it has let through.
        """
        with self._lock:
            self._silent |= self._sockets

    def cut(self) -> int:
        """Cuts all connections that are open; returns how many."""
        with self._lock:
            cut, self._sockets, self._silent = self._sockets, set(), set()
        for end in cut:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        return len(cut) // 2

    def close(self) -> None:
        """Takes no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._path)
                with self._lock:
                    self._sockets |= {client, server}
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if source not in self._silent:
                    target.sendall(data)
            if source in self._silent:  # its end is not heard of either, until all is cut
                return
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            with self._lock:
                self._sockets.discard(end)
