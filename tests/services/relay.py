"""A relay in front of a server that can fall silent: nothing comes through, and nothing is closed.

As when a machine loses its power, or a firewall forgets a connection.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path


class Relay:
    """Passes bytes on between its port and a server's socket file.

    clients: the ports that connections came from, in their order.
    """

    def __init__(self, server: Path) -> None:
        self._server, self._silent = server, set[int]()
        self._deaf = False
        self.clients: list[int] = []
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def silence(self, client_port: int | None = None) -> None:
        """Lets nothing through any more: of one client's connection, or of all and for all."""
        if client_port is None:
            self._deaf = True
        else:
            self._silent.add(client_port)

    def close(self) -> None:
        """Closes all."""
        for connection in [self._listener, *self._open]:
            with suppress(OSError):
                connection.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, (_, port) = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                self._open += [client, server]
                self.clients.append(port)
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(*ends, port), daemon=True).start()

    def _pass_on(self, giver: socket.socket, taker: socket.socket, port: int) -> None:
        with suppress(OSError):
            while data := giver.recv(1 << 16):
                if not (self._deaf or port in self._silent):
                    taker.sendall(data)
            if not (self._deaf or port in self._silent):
                taker.shutdown(socket.SHUT_WR)


@contextmanager
def running_relay(server: Path) -> Iterator[Relay]:
    """A relay to a socket file."""
    with closing(Relay(server)) as relay:
        yield relay
