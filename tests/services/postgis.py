"""A private PostgreSQL with PostGIS. It needs Debian's postgresql-15-postgis-3, or the like."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from tests.services.postgres import Postgres

_STARTS_WITHIN = 60.0  # seconds; a machine that runs tests is a busy one
_STOPS_WITHIN = 30.0
_EXTENSION = "/usr/share/postgresql/{}/extension/postgis.control"
_SETTINGS = ("listen_addresses=", "fsync=off", "synchronous_commit=off", "full_page_writes=off")


def installed() -> Path | None:
    """The folder with the newest server's programs that has PostGIS, or None."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
    found = (file.parent for file in folders if Path(_EXTENSION.format(file.parts[4])).exists())
    return next(found, None)


@contextmanager
def running_postgis(programs: Path) -> Iterator[Postgres]:
    """Starts a server that listens on a socket only; stops it and removes its data at the end."""
    # Right below /tmp, since the path of a socket is short.
    folder = Path(tempfile.mkdtemp(prefix="dapu-gis-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        _install(programs, folder)
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                _command(programs, folder), stdout=log, stderr=log, **_as_postgres()
            )
        try:
            server = Postgres(folder)
            _wait_until_ready(process, server)
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # at once, whoever is connected
            process.wait(_STOPS_WITHIN)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _install(programs: Path, folder: Path) -> None:
    """Makes the data directory of a new server."""
    command = [
        str(programs / "initdb"),
        *("-D", str(folder / "data"), "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"),
        *("--auth=trust", "--no-sync"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **_as_postgres())
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stdout}{done.stderr}")


def _command(programs: Path, folder: Path) -> list[str]:
    settings = [part for setting in _SETTINGS for part in ("-c", setting)]
    return [str(programs / "postgres"), "-D", str(folder / "data"), "-k", str(folder), *settings]


def _as_postgres() -> dict[str, Any]:
    """PostgreSQL does not run as root; the package has made a user for it."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}


def _wait_until_ready(process: subprocess.Popen[bytes], server: Postgres) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with closing(psycopg2.connect(server.uri())):
                return
        except psycopg2.OperationalError:
            time.sleep(0.1)
    log = (server.socket_directory / "log").read_text(encoding="utf-8", errors="replace")
    raise RuntimeError(f"PostgreSQL with PostGIS does not start: {log[-4000:]}")
