"""Which connectors a warehouse has, and what of them is installed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from dapu.sources.connectors.config import KEPT
from dapu.sources.connectors.environments import folder_of
from dapu.sources.connectors.manifest import CDK, cdk_of, kept_manifest, read_manifest
from dapu.warehouse.connection_kinds import ConnectorConnection
from dapu.warehouse.warehouse import Warehouse


class InstalledConnector(NamedTuple):
    """A connection that is a connector. installed: whether its next use has nothing to fetch."""

    connection: str
    protocol: str
    program: str
    installed: bool


def installed_connectors(warehouse: Warehouse) -> list[InstalledConnector]:
    """Those of a warehouse, in the order of connections.yaml."""
    kept = warehouse.folder / KEPT
    found = []
    for name in warehouse.connections:
        connection = warehouse.connections.named(name)
        if isinstance(connection, ConnectorConnection):
            is_there = _is_installed(connection, warehouse.folder, kept)
            found.append(InstalledConnector(name, connection.protocol, str(connection), is_there))
    return found


def _is_installed(connection: ConnectorConnection, folder: Path, kept: Path) -> bool:
    package, version = str(connection.package), str(connection.version)
    if connection.manifest is not None:
        text = kept_manifest(kept, package, version)
        if isinstance(connection.manifest, str):
            text = folder / connection.manifest
        if not text.exists():
            return False
        cdk = connection.cdk or cdk_of(read_manifest(text))
        return (folder_of(kept, CDK, cdk) / "ready").exists()
    if connection.package is not None:
        return (folder_of(kept, package, version) / "ready").exists()
    return True
