"""Cuts connections of this process from another thread.

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
