"""A connector as a process: started, read line by line, and ended whatever it does.

Its standard output is the protocol, its standard error a log. It runs in a process group of its
own, so that what it starts ends with it, and a guard in that group ends all of it when dapu itself
was killed. A connector that is silent for too long is ended: no read of a pipe waits longer than
that.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import IO

from dapu.durations import show_duration
from dapu.errors import JobError
from dapu.sources.connectors.messages import LONGEST_LINE, FaultyMessage
from dapu.sources.connectors.prepared import Prepared

# dapu holds the other end of the standard input and writes nothing: it ends when dapu does. A shell
# gives its background commands no standard input, hence the 9.
_GUARDED = """
cleanup=$1; shift
exec 9<&0 </dev/null
{ trap '' TERM; read -r _ <&9; eval "$cleanup"; kill -KILL 0; } >/dev/null 2>&1 &
exec "$@" 9<&-
"""
_GRACE = 10.0  # seconds between asking a process to end and ending it
_CLEANUP = 60.0  # seconds for each command that cleans up
_LOOK = 0.5  # seconds between two looks at how long it has been silent
_LAST_LINES = 20  # of the log, for the message of a connector that fails
_LONGEST_LOG_LINE = 10 << 20  # bytes
# Bytes that a pipe holds: connectors send a page at once. With the usual 64 kB dapu and airbyte-cdk
# wait for each other, and take turns in place of working side by side.
_PIPE = 1 << 20
# What a process needs to find its programs, its language and its certificates; nothing else of
# dapu's own environment, where the passwords of other sources are.
_PASSED_ON = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
)  # fmt: skip


class SilentConnector(JobError):
    """The connector was ended since it was silent for too long."""


class ConnectorProcess:
    """A running connector.

    log: takes each line of its standard error.
    silence: the longest that it may print nothing.
    """

    def __init__(
        self,
        command: Sequence[str],
        prepared: Prepared,
        log: Callable[[str], None],
        silence: timedelta,
    ) -> None:
        self._prepared = prepared
        self._log, self._silence = log, silence.total_seconds()
        self._last_lines: list[str] = []
        self._heard = time.monotonic()
        self._is_heard = False  # while a line is worked on, it may have to wait to say more
        self._is_silent = False
        self._ended_for: str | None = None
        self._closed = threading.Event()
        known = {*_PASSED_ON, *prepared.variables}
        variables = {k: v for k, v in os.environ.items() if k in known}
        if prepared.folder is not None:
            variables["PYTHONPATH"] = str(prepared.folder)
        if shutil.which(command[0], path=variables.get("PATH")) is None:
            raise JobError(f"the connector's program {command[0]} does not exist, or cannot be run")
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARDED, "dapu-guard", prepared.cleanup_script, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[file.descriptor for file in prepared.files],
                env=variables,
                cwd=prepared.folder,
                start_new_session=True,
                bufsize=1 << 20,
            )
        except OSError as error:
            raise JobError(
                f"the connector {command[0]} does not start: {error.strerror}"
            ) from error
        with suppress(OSError, AttributeError):  # Linux has it, and lets a user have so many
            fcntl.fcntl(_pipe(self._process.stdout), fcntl.F_SETPIPE_SZ, _PIPE)
        self._threads = [
            threading.Thread(target=self._read_log, name="dapu-connector-log", daemon=True),
            threading.Thread(target=self._watch, name="dapu-connector-watch", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def lines(self) -> Iterator[bytes]:
        """Its lines until it ends. Raises FaultyMessage for one that is longer than the limit."""
        output = _pipe(self._process.stdout)
        while line := output.readline(LONGEST_LINE + 1):
            self._is_heard = True
            if len(line) > LONGEST_LINE:
                self.end("a line is too long")
                raise FaultyMessage(
                    f"the connector sent a line of more than {LONGEST_LINE >> 20} MB: "
                    f"{line[:100].decode('utf-8', 'replace')}…"
                )
            yield line
            self._heard, self._is_heard = time.monotonic(), False

    def result(self) -> int:
        """Waits for its end; its exit status. Raises JobError when it had to be ended."""
        status = self._process.wait()
        self._closed.set()
        for thread in self._threads:
            thread.join(_GRACE)  # what the connector started may still hold its log
        if self._ended_for is not None:
            kind = SilentConnector if self._is_silent else JobError
            raise kind(f"the connector was ended: {self._ended_for}{self.last_words()}")
        return status

    def last_words(self) -> str:
        """The end of its log, to stand behind a message."""
        return "".join(f"\n  {line}" for line in self._last_lines[-_LAST_LINES:])

    def end(self, why: str) -> None:
        """Asks it to end, and ends it when it does not. May be called from another thread."""
        self._ended_for = self._ended_for or why
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE)
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        """Leaves nothing of it running."""
        self._closed.set()
        self._signal(signal.SIGKILL)
        self._process.wait()
        for thread in self._threads:
            thread.join(_GRACE)
        for command in self._prepared.cleanup:
            with suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(command, capture_output=True, check=False, timeout=_CLEANUP)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            _pipe(pipe).close()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _read_log(self) -> None:
        with suppress(ValueError):  # closed
            for line in iter(lambda: _pipe(self._process.stderr).readline(_LONGEST_LOG_LINE), b""):
                text = line.decode("utf-8", "replace").rstrip()
                self._heard = time.monotonic()
                if text:
                    self._last_lines = [*self._last_lines[-_LAST_LINES:], text]
                    self._log(text)

    def _watch(self) -> None:
        while not self._closed.wait(_LOOK):
            if not self._is_heard and time.monotonic() - self._heard > self._silence:
                self._is_silent = True
                limit = show_duration(timedelta(seconds=self._silence))
                self.end(f"it was silent for {limit}")
                return


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


@contextmanager
def running(
    command: Sequence[str],
    prepared: Prepared,
    log: Callable[[str], None],
    silence: timedelta,
) -> Iterator[ConnectorProcess]:
    """A connector that runs while the block does. See `ConnectorProcess`."""
    process = ConnectorProcess(command, prepared, log, silence)
    try:
        yield process
    finally:
        process.close()
