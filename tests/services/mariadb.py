"""A private MariaDB in a temporary folder. It needs the programs of Debian's mariadb-server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql

_STARTS_WITHIN = 60.0  # seconds; a machine that runs tests is a busy one
_STOPS_WITHIN = 30.0

# The local one too, since an anonymous local user would be chosen before a user from anywhere.
_INIT = """
create user 'dapu'@'%' identified by 'secret';
create user 'dapu'@'localhost' identified by 'secret';
grant all on *.* to 'dapu'@'%' with grant option;
grant all on *.* to 'dapu'@'localhost' with grant option;
"""


@dataclass(frozen=True)
class MariaDB:
    """A running server: where it listens and who may enter."""

    port: int
    socket: Path
    host: str = "127.0.0.1"
    username: str = "dapu"
    password: str = "secret"

    def url(self, database: str = "") -> str:
        """Returns the SQLAlchemy URL of one of its databases."""
        address = f"{self.username}:{self.password}@{self.host}:{self.port}"
        return f"mysql+pymysql://{address}/{database}"

    def connect(self, database: str | None = None) -> pymysql.Connection[pymysql.cursors.Cursor]:
        """Opens a connection that commits each statement."""
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.username,
            password=self.password,
            database=database,
            autocommit=True,
        )


def missing_programs() -> list[str]:
    """Returns the programs that a server needs and this machine has not."""
    return [name for name in ("mariadbd", "mariadb-install-db") if _program(name) is None]


@contextmanager
def running_mariadb() -> Iterator[MariaDB]:
    """Starts a server and yields it; stops it and removes its data at the end."""
    folder = Path(tempfile.mkdtemp(prefix="dapu-my-"))
    try:
        _install(folder)
        process, server = _start(folder)
        try:
            yield server
        finally:
            _stop(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str | None:
    """Finds a program, in the folders of the administrator too."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _command(name: str, folder: Path) -> list[str]:
    """Returns the start of a command that works on the data below `folder` only."""
    program = _program(name)
    assert program is not None, f"{name} is not installed"
    command = [program, "--no-defaults", f"--datadir={folder / 'data'}"]
    # As root the server must be told that it is wanted so.
    return [*command, "--user=root"] if os.geteuid() == 0 else command


def _install(folder: Path) -> None:
    """Makes the data directory of a new server."""
    command = [
        *_command("mariadb-install-db", folder),
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"mariadb-install-db failed: {done.stdout}{done.stderr}")
    (folder / "init.sql").write_text(_INIT, encoding="utf-8")


def _start(folder: Path) -> tuple[subprocess.Popen[bytes], MariaDB]:
    """Starts the server on a free port; on another when that one was taken meanwhile."""
    for _ in range(3):
        server = MariaDB(port=_free_port(), socket=folder / "socket")
        process = _launch(folder, server)
        if _wait_until_ready(process, server):
            return process, server
        _stop(process)
    log = (folder / "log").read_text(encoding="utf-8", errors="replace")
    raise RuntimeError(f"mariadbd does not start: {log[-4000:]}")


def _launch(folder: Path, server: MariaDB) -> subprocess.Popen[bytes]:
    """Starts the server's process. Small and not durable, since a test needs no more."""
    command = [
        *_command("mariadbd", folder),
        f"--socket={server.socket}",
        f"--pid-file={folder / 'pid'}",
        f"--port={server.port}",
        f"--init-file={folder / 'init.sql'}",
        f"--bind-address={server.host}",
        "--skip-networking=0",
        "--skip-name-resolve",
        "--character-set-server=utf8mb4",
        "--innodb-buffer-pool-size=64M",
        "--innodb-flush-log-at-trx-commit=0",
        "--performance-schema=0",
    ]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _wait_until_ready(process: subprocess.Popen[bytes], server: MariaDB) -> bool:
    """Says whether the server lets its user in before the time is over."""
    deadline = time.monotonic() + _STARTS_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        try:
            server.connect().close()
        except pymysql.Error:
            time.sleep(0.1)
        else:
            return process.poll() is None
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
