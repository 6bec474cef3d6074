"""Which kind of tables a connection has."""

from __future__ import annotations

from dapu.errors import ConfigurationError
from dapu.generate.definitions.source_table import Tables
from dapu.warehouse.connection_kinds import (
    ConnectorConnection,
    EmbeddedConnection,
    FilesConnection,
    PgConnection,
    UrlConnection,
    WfsConnection,
)
from dapu.warehouse.warehouse import Warehouse


def open_tables(warehouse: Warehouse, name: str) -> Tables:
    """The tables of a connection.

    Raises ConfigurationError for one that does not say what it has.
    """
    # The libraries of each kind are imported for that kind alone.
    connection = warehouse.connections.named(name)
    if isinstance(connection, FilesConnection):
        from dapu.generate.definitions.files import FileTables

        return FileTables(warehouse, name)
    if isinstance(connection, WfsConnection):
        from dapu.generate.definitions.layers import LayerTables

        return LayerTables(connection)
    if isinstance(connection, ConnectorConnection):
        from dapu.generate.definitions.streams import StreamTables

        return StreamTables(warehouse, name)
    if isinstance(connection, PgConnection | EmbeddedConnection | UrlConnection):
        from dapu.generate.definitions.databases import DatabaseTables

        return DatabaseTables(warehouse, name)
    raise ConfigurationError(
        f"the connection `{name}` ({connection}) does not say what it has; write its tasks by hand"
    )
