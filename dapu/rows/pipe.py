"""`COPY` fed through a pipe by a thread: reading the source and writing the warehouse overlap."""

from __future__ import annotations

import fcntl
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import BinaryIO

import psycopg2
from psycopg2.extensions import connection as Session
from psycopg2.extensions import cursor as Cursor

from dapu.errors import DapuError, JobError
from dapu.rows.copy_refusal import Refusal

_PIPE_BYTES = 1 << 20  # Linux's limit for a pipe without privileges
_CHUNK = 1 << 17

_Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]


def _without_noise(show: _Hook) -> _Hook:
    """Shows an error that nobody catches, but for one that psycopg2 makes itself.

    When a server ends a session in the middle of a COPY, libpq has two errors: what the server
    said, and that the connection has ended. psycopg2 takes up the second while the first is under
    way (`_pq_copy_out_v3` in pqpath.c), fails at that, prints it with sys.excepthook and goes on.
    """

    def hook(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> object:
        if kind is SystemError and isinstance(error.__cause__, psycopg2.Error):
            return None
        return show(kind, error, trace)

    return hook


sys.excepthook = _without_noise(sys.excepthook)


def copy_through_pipe(
    cursor: Cursor,
    statement: str,
    write: Callable[[BinaryIO], None],
    stop: Callable[[], None],
    explain: Callable[[psycopg2.Error], DapuError],
) -> int:
    """Runs a `COPY … FROM STDIN` on the bytes that `write` gives; returns the number of rows.

    explain: what the server's error means for a person.
    When the source fails the COPY fails: what was read until then is not taken for the whole.
    When the server refuses a row, no more of the source is read.
    Raises what `write` raised, or what `explain` gives when the server refuses.
    """
    source = _Source(write, cursor.connection)
    source.start()
    try:
        cursor.copy_expert(statement, source, size=_CHUNK)
    except psycopg2.Error as error:
        failure = source.failure
        source.abandon(stop)
        if failure is not None:
            raise failure from None
        raise explain(error) from error
    except BaseException:
        source.abandon(stop)
        raise
    source.close()
    return cursor.rowcount


@contextmanager
def read_through_pipe(
    write: Callable[[BinaryIO], None], stop: Callable[[], None]
) -> Iterator[BinaryIO]:
    """A file with the bytes that `write` gives; they end where it fails, too."""
    source = _Source(write)
    source.start()
    try:
        with source.file() as file:
            yield file
    finally:
        source.abandon(stop)


class _Source(threading.Thread):
    """The thread that writes, and the end of the pipe that `COPY` reads."""

    def __init__(self, write: Callable[[BinaryIO], None], session: Session | None = None) -> None:
        super().__init__(name="dapu-source", daemon=True)
        self._write = write
        self._reader, writer = os.pipe()
        self._refusal = Refusal(session, self._reader) if session else None
        with suppress(OSError):
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._writer = io.BufferedWriter(io.FileIO(writer, "wb"), _CHUNK)
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            self._write(self._writer)
            self._writer.flush()
        except BaseException as error:  # noqa: BLE001 - raised again in the other thread
            self.failure = error
        finally:
            with suppress(BrokenPipeError):
                self._writer.close()

    def read(self, size: int = _CHUNK, /) -> bytes:
        """Called by COPY. The end of the source's rows is the end only if nothing failed.

        Raises JobError when the source failed, or the server refused a row before: COPY fails.
        """
        data = self._next(size)
        if not data:
            self.join()
            if self.failure is not None:
                raise JobError("the source failed")
        return data

    def _next(self, size: int) -> bytes:
        refusal = self._refusal
        if refusal is None:
            return os.read(self._reader, size)
        refusal.await_rows()
        data = os.read(self._reader, refusal.portion(size))
        refusal.await_room()
        return data

    def readline(self, size: int = _CHUNK, /) -> bytes:
        """Part of psycopg2's interface; COPY only reads."""
        return self.read(size)

    def file(self) -> BinaryIO:
        """The end of the pipe as a file, that is to be closed beside it."""
        return os.fdopen(os.dup(self._reader), "rb")

    def abandon(self, stop: Callable[[], None]) -> None:
        """Ends the writing: it meets a broken pipe, or its query is stopped.

        What has ended is not stopped: its source may be asked again.
        """
        is_writing = self.is_alive()
        self.close()
        if is_writing:
            stop()
        self.join()

    def close(self) -> None:
        """No more will be read."""
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1
            if self._refusal is not None:
                self._refusal.close()
