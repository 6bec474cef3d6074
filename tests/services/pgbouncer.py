"""A private PgBouncer in front of a PostgreSQL. It needs Debian's pgbouncer."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.services.postgres import Postgres

_STARTS_WITHIN = 30.0  # seconds; a machine that runs tests is a busy one
_USER = "pgserver"  # it refuses to run as root


def installed() -> str | None:
    """The program, or None."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class PgBouncer:
    """A running one in a `pool_mode`; whoever asks may enter.

    ignores_options: else it refuses connections that begin with `options`.
    """

    def __init__(
        self, program: str, server: Postgres, mode: str, *, ignores_options: bool = True
    ) -> None:
        self.port = _free_port()
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="dapu-pgbouncer-"))
        self._folder.chmod(0o755)
        (self._folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={server.socket_directory} port={server.port} "
            f"user={server.username}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\n"
            f"unix_socket_dir =\nauth_type = any\npool_mode = {mode}\n"
            + ("ignore_startup_parameters = options\n" if ignores_options else "")
        )
        self._process = self._started()

    def restart(self) -> None:
        """Ends it at once, with all its connections, and starts it anew."""
        self._stop()
        self._process = self._started()

    def close(self) -> None:
        """Ends it."""
        self._stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _started(self) -> subprocess.Popen[bytes]:
        user = pwd.getpwnam(_USER).pw_uid if os.geteuid() == 0 else None
        command = [self._program, str(self._folder / "pgbouncer.ini")]
        log = self._folder / "log"
        with log.open("w") as said:
            process = subprocess.Popen(command, stdout=said, stderr=said, user=user)
        _wait_for(self.port, log)
        return process

    def _stop(self) -> None:
        self._process.kill()  # asked to end, newer ones wait for their clients
        self._process.wait()


@contextmanager
def running_pgbouncer(
    program: str, server: Postgres, mode: str, *, ignores_options: bool = True
) -> Iterator[int]:
    """Its port, while it runs; see `PgBouncer`."""
    with closing(PgBouncer(program, server, mode, ignores_options=ignores_options)) as pooler:
        yield pooler.port


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        return int(taken.getsockname()[1])


def _wait_for(port: int, log: Path) -> None:
    until = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < until, f"PgBouncer does not start: {log.read_text()}"
            time.sleep(0.05)
