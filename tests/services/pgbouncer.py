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


@contextmanager
def running_pgbouncer(
    program: str, server: Postgres, mode: str, *, ignores_options: bool = True
) -> Iterator[int]:
    """Starts it in a `pool_mode` and yields its port; whoever asks may enter.

    ignores_options: else it refuses connections that begin with `options`.
    """
    folder = Path(tempfile.mkdtemp(prefix="dapu-pgbouncer-"))
    try:
        folder.chmod(0o755)
        port = _free_port()
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={server.socket_directory} port={server.port} "
            f"user={server.username}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = any\npool_mode = {mode}\n"
            + ("ignore_startup_parameters = options\n" if ignores_options else "")
        )
        user = pwd.getpwnam(_USER).pw_uid if os.geteuid() == 0 else None
        log = (folder / "log").open("w")
        process = subprocess.Popen(
            [program, str(folder / "pgbouncer.ini")], stdout=log, stderr=log, user=user
        )
        try:
            _wait_for(port, folder / "log")
            yield port
        finally:
            process.terminate()
            process.wait()
            log.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
