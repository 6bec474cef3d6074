"""Whether the server has refused a row while more of them are on their way to it.

libpq looks at what the server says in the middle of a COPY only once all rows were sent, though
the server throws away all that comes after the one that it refused. So the answer is looked for
in the socket. It is left there, for libpq to read. Where a trigger warns of so many rows that the
socket is full, libpq reads both before they are seen here; then the source is read to its end.
"""

from __future__ import annotations

import os
import re
import select
import socket

from psycopg2.extensions import connection as Session

from dapu.errors import JobError

# Fields of an ErrorResponse (https://www.postgresql.org/docs/current/protocol-error-fields.html).
# They end with NUL, which no text of a notice can have in it: so the pattern means an error
# wherever in the stream the bytes begin, of which libpq may have read some already.
_ERROR = re.compile(rb"\0VERROR\0C[0-9A-Z]{5}\0")
_LOOKED_AT = 1 << 18  # bytes, as many as a socket holds unread


class Refusal:
    """Looks for it while a pipe brings the rows.

    A connection with TLS is only passed on: what it says cannot be read here.
    """

    def __init__(self, session: Session, pipe: int) -> None:
        self._socket: socket.socket | None = None
        if session.info.ssl_in_use:
            return
        self._socket = socket.socket(fileno=os.dup(session.fileno()))
        self._rows, self._room = select.poll(), select.poll()
        self._rows.register(pipe, select.POLLIN)
        self._rows.register(self._socket, select.POLLIN)
        self._room.register(self._socket, select.POLLIN | select.POLLOUT)

    def await_rows(self) -> None:
        """Waits for bytes in the pipe, or its end. Raises JobError when a row was refused."""
        if self._socket is not None:
            self._look(self._socket, self._rows.poll())

    def await_room(self) -> None:
        """Waits until the socket takes some bytes. Raises JobError when a row was refused.

        Without room libpq would wait itself, and read the server's answer meanwhile.
        """
        if self._socket is not None:
            self._look(self._socket, self._room.poll())

    def portion(self, size: int) -> int:
        """How many bytes of `size` surely go into a socket that takes some."""
        if self._socket is None:
            return size
        # Linux lets a socket take bytes when a third of it is free, of the same machine three
        # quarters.
        part = 2 if self._socket.family == socket.AF_UNIX else 4
        buffer = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        return min(size, max(buffer // part, 1))

    def close(self) -> None:
        """The connection itself stays."""
        if self._socket is not None:
            self._socket.close()

    @staticmethod
    def _look(server: socket.socket, ready: list[tuple[int, int]]) -> None:
        if not any(file == server.fileno() and event & select.POLLIN for file, event in ready):
            return
        try:
            said = server.recv(_LOOKED_AT, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:  # libpq will say
            return
        if _ERROR.search(said):
            # COPY fails with what the server said; should it be none of ours, then with this.
            raise JobError("the server has refused a row")
