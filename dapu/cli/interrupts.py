"""Ctrl-C while the server works on a statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from select import select

from psycopg2.extensions import POLL_OK, POLL_READ, set_wait_callback
from psycopg2.extensions import connection as PgSession


@contextmanager
def statements_stopped_by_ctrl_c() -> Iterator[None]:
    """Within the block Ctrl-C ends a running statement, here and on the server, at once.

    libpq by itself lets Python see the signal only when the statement is done. There can be no
    COPY in the block: psycopg2 has none while it waits like this.
    """
    set_wait_callback(_wait)
    try:
        yield
    finally:
        set_wait_callback(None)


def _wait(session: PgSession) -> None:
    try:
        while (state := session.poll()) != POLL_OK:
            ends = [session.fileno()]
            select(ends if state == POLL_READ else [], [] if state == POLL_READ else ends, [])
    except KeyboardInterrupt:
        session.cancel()
        raise
