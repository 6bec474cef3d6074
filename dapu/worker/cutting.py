"""The connections of this process, whatever driver opened them: kept awake, and cut.

A thread that waits for the other side of a connection, inside a driver, notices nothing else. The
connection is shut down here, by this machine alone, and the wait ends with an error: the only
deadline that holds when the other side vanished.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from psycopg2 import InterfaceError
from psycopg2.extensions import connection as PgSession

_OPEN_FILES = Path("/dev/fd")  # Linux and macOS have it

# As dapu.warehouse.postgres_session has it for PostgreSQL; other systems than Linux lack some.
_NOTICES_SILENCE = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 30_000,
}


def notice_silence() -> None:
    """Lets the connections that drivers opened without it notice that the other side vanished.

    Then they fail within half a minute. One whose driver has keepalives already stays as it is.
    """
    with suppress(OSError):
        for number in [int(file.name) for file in _OPEN_FILES.iterdir()]:
            with suppress(OSError):
                if stat.S_ISSOCK(os.fstat(number).st_mode):
                    _keep_awake(number)


def _keep_awake(number: int) -> None:
    with socket.socket(fileno=os.dup(number)) as copy:
        is_tcp = (
            copy.family in (socket.AF_INET, socket.AF_INET6) and copy.type == socket.SOCK_STREAM
        )
        if not is_tcp or copy.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE):
            return
        copy.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _NOTICES_SILENCE.items():
            if hasattr(socket, name):
                copy.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def cut(session: PgSession) -> None:
    """Cuts a session; whoever waits for it gets an error."""
    with suppress(OSError, InterfaceError):
        _shut(session.fileno())


def cut_all(spared: Iterable[PgSession]) -> None:
    """Cuts all connections to other processes, but those of some sessions.

    Each worker is a process of its own with one job in hand, so they are the job's.
    """
    kept = set()  # inodes: a connection may be open under several numbers
    for session in spared:
        with suppress(OSError, InterfaceError):
            kept.add(os.fstat(session.fileno()).st_ino)
    with suppress(OSError):
        for number in [int(file.name) for file in _OPEN_FILES.iterdir()]:
            with suppress(OSError):
                if os.fstat(number).st_ino not in kept:
                    _shut(number)


def _shut(number: int) -> None:
    """Raises OSError for a socket that leads nowhere."""
    if not stat.S_ISSOCK(os.fstat(number).st_mode):
        return
    with socket.socket(fileno=os.dup(number)) as copy:
        if copy.getpeername():  # a pipe between a process and its child has no name
            copy.shutdown(socket.SHUT_RDWR)
