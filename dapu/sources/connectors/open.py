"""The connector of a connection."""

from __future__ import annotations

from collections.abc import Callable

from dapu.errors import ConfigurationError
from dapu.sources.connectors.config import Config, read_config
from dapu.sources.connectors.connector import Connector
from dapu.sources.connectors.messages import Level
from dapu.sources.connectors.runners import runner_of
from dapu.sources.connectors.singer import SingerTap
from dapu.warehouse.connection_kinds import ConnectorConnection
from dapu.warehouse.warehouse import Warehouse


def open_connector(
    warehouse: Warehouse, name: str, log: Callable[[Level, str], None], protocol: str | None = None
) -> Connector:
    """The connector of a connection; what it needs is installed now if it is not yet.

    protocol: the one that it has to speak. Raises ConfigurationError where it does not, and for a
    connection of another kind.
    """
    connection = warehouse.connections.named(name)
    if not isinstance(connection, ConnectorConnection):
        raise ConfigurationError(
            f"the connection `{name}` is not a connector (`driver: connector`)"
        )
    if protocol not in (None, connection.protocol):
        raise ConfigurationError(
            f"the connection `{name}` has `protocol: {connection.protocol}`: read it with "
            f"`do: {connection.protocol}`"
        )
    return start_connector(connection, warehouse, read_config(connection, warehouse.folder), log)


def start_connector(
    connection: ConnectorConnection,
    warehouse: Warehouse,
    config: Config,
    log: Callable[[Level, str], None],
) -> Connector:
    """A connector that may be none of connections.yaml; what it needs is installed."""
    kind = SingerTap if connection.protocol == "singer" else Connector
    return kind(connection, runner_of(connection, warehouse.folder), config, log)
