"""Ctrl-C and SIGTERM while a server works on a statement."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from select import select

from psycopg2.extensions import POLL_OK, POLL_READ, set_wait_callback
from psycopg2.extensions import connection as PgSession

_PATIENCE = 5  # seconds for a job to end in order


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


def run_until_signal(job: Callable[[], object], stop: Callable[[], None]) -> None:
    """Runs a job until it is done, or until SIGTERM or Ctrl-C; then raises KeyboardInterrupt.

    The job has a thread of its own: while a driver waits for its server, the main thread would see
    no signal. What does not end in a few seconds ends with the process, as by kill -9.
    stop: ends the job soon; called in another thread.
    """
    done: Future[object] = Future()

    def work() -> None:
        try:
            done.set_result(job())
        except BaseException as error:  # noqa: BLE001 - raised where the job was given
            done.set_exception(error)

    with _signals_raise():
        threading.Thread(target=work, daemon=True).start()
        try:
            done.result()
        except KeyboardInterrupt:
            threading.Thread(target=stop, daemon=True).start()
            with suppress(Exception):  # of what was stopped, or that it takes too long
                done.result(_PATIENCE)
            raise


@contextmanager
def _signals_raise() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
