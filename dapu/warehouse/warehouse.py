"""An opened warehouse directory: its settings, its connections, and its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg2

from dapu.errors import ConfigurationError, DatabaseUnreachable
from dapu.secrets import redact
from dapu.warehouse import postgres_session
from dapu.warehouse.connection_kinds import EmbeddedConnection, PgConnection
from dapu.warehouse.connections import FILE, MAIN, Connections, read_connections
from dapu.warehouse.environment import read_environment
from dapu.warehouse.postgres_session import OWN_PATH, SERVER_NOTICES, Session
from dapu.warehouse.settings import FILE as SETTINGS_FILE
from dapu.warehouse.settings import Settings, read_settings

OLDEST_POSTGRES = 140000

# Values have one text form, whatever the role's own settings are.
_SETTINGS = {
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "client_min_messages": "warning",
}


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

    def connect(self, purpose: str, *, for_jobs: bool = False) -> Session:
        """A new session on the warehouse's database; `purpose` shows in pg_stat_activity.

        Names are looked up in OWN_PATH; the SQL of others runs within `given_path`.
        for_jobs: with the path that others' SQL has, until one of dapu's own statements comes: in
        a small job that saves two of six questions to the server.
        Raises DatabaseUnreachable when it cannot be had, ConfigurationError when it is none of its
        own.
        """
        keywords = {"application_name": "dapu"} | self.libpq()
        keywords["application_name"] += f" {purpose}"
        settings = {**_SETTINGS, "timezone": self.settings.timezone}
        if not str(keywords.get("host", "")).startswith("/"):  # a socket cannot fall silent
            settings |= SERVER_NOTICES
        if not for_jobs:
            settings["search_path"] = OWN_PATH
        try:
            session = postgres_session.connect(keywords, settings, from_start=for_jobs)
        except psycopg2.Error as error:
            main = self.connections[MAIN]
            raise DatabaseUnreachable(
                f"the warehouse's database does not answer ({main.name} in {FILE}: {main}): "
                f"{redact(str(error)).strip()}"
            ) from None
        if session.server_version < OLDEST_POSTGRES:
            session.close()
            raise ConfigurationError("the warehouse needs PostgreSQL 14 or newer")
        session.make_own()
        return session

    @contextmanager
    def session(self, purpose: str) -> Iterator[Session]:
        """A session on the warehouse's database that is closed afterwards."""
        session = self.connect(purpose)
        try:
            yield session
        finally:
            session.close()

    def entered_by(self, connection: str) -> Warehouse:
        """The same warehouse, with the login of another connection.

        Raises ConfigurationError when there is none of that name, or it is to no PostgreSQL.
        """
        other = self.connections.named(connection)
        if not isinstance(other, PgConnection):
            raise ConfigurationError(
                f"the connection `{connection}` in {FILE} has not `driver: pg`, as another login "
                "to the warehouse's database must"
            )
        return replace(self, connections=Connections({**self.connections, MAIN: other}))

    def libpq(self) -> dict[str, Any]:
        """The keywords of libpq for its database. An embedded server runs as long as this process.

        Raises ConfigurationError when that does not start.
        """
        main = self.connections[MAIN]
        if isinstance(main, EmbeddedConnection):
            from dapu.warehouse import embedded

            return embedded.start(self.folder / main.path, main.database)
        if not isinstance(main, PgConnection):  # read_connections lets nothing else through
            raise ConfigurationError(f"{MAIN} is not a PostgreSQL connection")
        return main.libpq()


def open_warehouse(folder: Path) -> Warehouse:
    """Reads a warehouse directory; connects to nothing.

    Raises ConfigurationError, or FaultyFile with the faults of its files.
    """
    folder = folder.expanduser().resolve()
    if folder.is_file():
        raise ConfigurationError(f"{folder} is a file; give the warehouse directory")
    if not (folder / SETTINGS_FILE).is_file():
        raise ConfigurationError(
            f"{folder} is not a warehouse directory: it has no {SETTINGS_FILE}. "
            f"Make a new one with: dapu init {folder.name}"
        )
    environment = read_environment(folder)
    return Warehouse(
        folder=folder,
        settings=read_settings(folder, environment),
        connections=read_connections(folder, environment),
    )
