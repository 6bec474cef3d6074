"""Opens the right kind of source for a connection."""

from __future__ import annotations

from dapu import embedded
from dapu.connections import (
    EmbeddedConnection,
    PgConnection,
    UrlConnection,
)
from dapu.databases.generic import GenericSource
from dapu.databases.postgres import PostgresSource
from dapu.databases.source import Source
from dapu.databases.sqlite import SqliteSource
from dapu.errors import ConfigurationError
from dapu.warehouse import Warehouse


def open_source(warehouse: Warehouse, name: str) -> Source:
    """Connects to a source. Raises ConfigurationError or JobError when that cannot be done."""
    connection = warehouse.connections.named(name)
    if isinstance(connection, PgConnection):
        return PostgresSource(name, connection.libpq())
    if isinstance(connection, EmbeddedConnection):
        uri = embedded.start(warehouse.folder / connection.path, connection.database)
        return PostgresSource(name, {"dsn": uri})
    if not isinstance(connection, UrlConnection):
        raise ConfigurationError(f"the connection `{name}` is no database")
    url = connection.sqlalchemy_url(warehouse.folder)
    if url.get_backend_name() == "postgresql":
        text = url.set(drivername="postgresql").render_as_string(hide_password=False)
        return PostgresSource(name, {"dsn": text} | connection.extra)
    if url.get_backend_name() == "sqlite":
        return SqliteSource(name, url.database or "")
    return GenericSource(name, url, connection.extra)
