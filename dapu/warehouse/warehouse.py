"""An opened warehouse directory: its settings, its connections, and its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as PgSession

from dapu.errors import ConfigurationError, DatabaseUnreachable
from dapu.secrets import redact
from dapu.warehouse import embedded
from dapu.warehouse.connections import (
    FILE,
    MAIN,
    Connections,
    EmbeddedConnection,
    PgConnection,
    read_connections,
)
from dapu.warehouse.environment import read_environment
from dapu.warehouse.settings import FILE as SETTINGS_FILE
from dapu.warehouse.settings import Settings, read_settings

OLDEST_POSTGRES = 140000

# The server notices within half a minute that a client's machine is gone: a dead worker's queries
# stop, and its locks fall.
_SESSION = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "client_encoding": "UTF8",
    "client_min_messages": "warning",
}
# It notices within five seconds that its process is gone; servers on some systems cannot.
_CHECK = {"client_connection_check_interval": "5s"}
_DEFAULTS: dict[str, Any] = {"connect_timeout": 10, "application_name": "dapu"}


@dataclass(frozen=True)
class Warehouse:
    """A warehouse directory, read and checked."""

    folder: Path
    settings: Settings
    connections: Connections

    @property
    def name(self) -> str:
        """`name:` of warehouse.yaml, else the folder's name."""
        return self.settings.name or self.folder.name

    def connect(self, purpose: str) -> PgSession:
        """A new session on the warehouse's database; `purpose` shows in pg_stat_activity.

        Raises DatabaseUnreachable when it cannot be had.
        """
        keywords = _DEFAULTS | self._libpq()
        keywords["application_name"] += f" {purpose}"
        options = _SESSION | {"timezone": self.settings.timezone}
        try:
            session = _connect(keywords, options | _CHECK)
        except psycopg2.Error as error:
            main = self.connections[MAIN]
            raise DatabaseUnreachable(
                f"the warehouse's database does not answer ({MAIN} in {FILE}: {main}): "
                f"{redact(str(error)).strip()}"
            ) from None
        if session.server_version < OLDEST_POSTGRES:
            session.close()
            raise ConfigurationError("the warehouse needs PostgreSQL 14 or newer")
        return session

    @contextmanager
    def session(self, purpose: str) -> Iterator[PgSession]:
        """A session on the warehouse's database that is closed afterwards."""
        session = self.connect(purpose)
        try:
            yield session
        finally:
            session.close()

    def _libpq(self) -> dict[str, Any]:
        main = self.connections[MAIN]
        if isinstance(main, EmbeddedConnection):
            return embedded.start(self.folder / main.path, main.database)
        if not isinstance(main, PgConnection):  # read_connections lets nothing else through
            raise ConfigurationError(f"{MAIN} is no PostgreSQL connection")
        return main.libpq()


def _connect(keywords: dict[str, Any], options: dict[str, str]) -> PgSession:
    settings = " ".join([f"-c {key}={value}" for key, value in options.items()])
    given = f"{settings} {keywords.get('options', '')}"
    try:
        session: PgSession = psycopg2.connect(**keywords | {"options": given})
    except psycopg2.OperationalError as error:
        (check,) = _CHECK
        if check not in options or check not in str(error):
            raise
        return _connect(keywords, {key: options[key] for key in options if key != check})
    return session


def open_warehouse(folder: Path) -> Warehouse:
    """Reads a warehouse directory; connects to nothing.

    Raises ConfigurationError, or FaultyFile with the faults of its files.
    """
    folder = folder.expanduser().resolve()
    if folder.is_file():
        raise ConfigurationError(f"{folder} is a file; give the warehouse directory")
    if not (folder / SETTINGS_FILE).is_file():
        raise ConfigurationError(
            f"{folder} is no warehouse directory: it has no {SETTINGS_FILE}. "
            f"Make a new one with: dapu init {folder.name}"
        )
    environment = read_environment(folder)
    return Warehouse(
        folder=folder,
        settings=read_settings(folder, environment),
        connections=read_connections(folder, environment),
    )
