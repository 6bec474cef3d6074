"""The members of PyMySQL that dapu uses though they are private: each of them here alone.

They hold for PyMySQL 1.1.1 to 1.2, which setup.cfg allows (below 2). PyMySQL itself has no way to
prepare a query, to pass values on as they come, or to end a connection that waits for the server.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any, BinaryIO

Connection = Any
"""A pymysql.Connection; its private members have no types."""


def send_command(connection: Connection, command: int, argument: str | bytes) -> None:
    """Sends a command of the protocol. Raises pymysql.MySQLError."""
    connection._execute_command(command, argument)


def read_packet(connection: Connection, kind: type | None = None) -> Any:
    """The next packet. kind: its class, when it is not a plain one. Raises pymysql.MySQLError."""
    return connection._read_packet(kind) if kind else connection._read_packet()


def answer_stream(connection: Connection) -> BinaryIO:
    """The bytes that the server sends."""
    stream: BinaryIO = connection._rfile
    return stream


def cut(connection: Connection) -> None:
    """Ends a connection from another thread: what reads from it fails at once."""
    with suppress(OSError, AttributeError):  # it is closed
        connection._sock.shutdown(socket.SHUT_RDWR)


def close_at_once(connection: Connection) -> None:
    """Closes without a word to the server, which may be busy."""
    connection._force_close()


def rest_of(cursor: Any) -> Any:
    """The rest of an unbuffered result; `forget_rest` lets a closing connection not read it."""
    return cursor._result


def forget_rest(rest: Any) -> None:
    """Takes a result for read: PyMySQL would read all rows that are left, and fail when cut."""
    rest.unbuffered_active = False
