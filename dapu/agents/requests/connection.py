"""The connector of a request: its program, and the configuration that came with the request."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from dapu.errors import ConfigurationError
from dapu.registry import requests
from dapu.registry.requests import Request
from dapu.registry.store import Registry
from dapu.sources.connectors.config import Config, hide_secrets, read_config
from dapu.sources.connectors.connector import Connector
from dapu.sources.connectors.environments import newest_version
from dapu.sources.connectors.messages import Level
from dapu.sources.connectors.open import start_connector
from dapu.sources.documents.exact_json import dump, parse
from dapu.warehouse.cluster import Cluster, read_cluster
from dapu.warehouse.connection_kinds import ConnectorConnection
from dapu.warehouse.environment import read_environment
from dapu.warehouse.seal import Seal
from dapu.warehouse.warehouse import Warehouse

# `airbyte/source-faker` is an image; the package of the same connector is `airbyte-source-faker`.
_IMAGE = re.compile(r"(?:airbyte[/-])?(source-[a-z0-9][a-z0-9._-]*)")
_NEWEST = ("", "latest")


@dataclass
class RequestedConfig:
    """A configuration that came with a request. given: its checksum.

    One that a connector renewed holds for each request that gives the same as before.
    """

    document: dict[str, Any]
    given: str
    seal: Seal
    warehouse: Warehouse
    registry: Registry

    def renew(self, document: dict[str, Any]) -> None:
        """See `Config`. It is stored at once, whatever becomes of the job."""
        hide_secrets(document)
        sealed = self.seal.close(dump(document))
        with self.warehouse.session("connector") as session, session, session.cursor() as cursor:
            requests.renew(cursor, self.registry, self.given, sealed)
        self.document = document


def open_requested(
    warehouse: Warehouse,
    registry: Registry,
    request: Request,
    config: dict[str, Any],
    log: Callable[[Level, str], None],
    *,
    run_by: str = "package",
    debug: bool = False,
) -> Connector:
    """The connector that a request names; what it needs is installed now if it is not yet.

    run_by: `package`, or what runs an image: `docker`, `kubernetes`.
    Raises DapuError where it cannot be had.
    """
    connection = _connection(warehouse, request, run_by)
    found: Config = (
        read_config(connection, warehouse.folder)
        if not config and request.package in warehouse.connections
        else _config(warehouse, registry, config)
    )
    connector = start_connector(connection, warehouse, found, log)
    if debug:
        connector.runner = replace(connector.runner, debug=True)
    return connector


def _config(warehouse: Warehouse, registry: Registry, config: dict[str, Any]) -> RequestedConfig:
    from dapu.warehouse.seal import read_seal

    seal = read_seal(warehouse.folder)
    given = seal.checksum(dump(config))
    with warehouse.session("connector") as session, session.cursor() as cursor:
        sealed = requests.renewed(cursor, registry, given)
    document = parse(seal.open(sealed).encode()) if sealed else config
    hide_secrets(document)
    return RequestedConfig(document, given, seal, warehouse, registry)


def _connection(warehouse: Warehouse, request: Request, run_by: str) -> ConnectorConnection:
    known = warehouse.connections.get(request.package)
    if isinstance(known, ConnectorConnection):
        return known
    if run_by == "package":
        return _package(request)
    variables = read_environment(warehouse.folder)
    return _image(request, read_cluster(variables) if run_by == "kubernetes" else None)


def _image(request: Request, cluster: Cluster | None) -> ConnectorConnection:
    try:
        return ConnectorConnection(
            name=request.package,
            driver="connector",
            image=request.package,
            version=request.version or "latest",
            kubernetes=cluster,
        )
    except ValidationError:
        raise ConfigurationError(
            f"{request.package}:{request.version} is not the name and the tag of an image"
        ) from None


def _package(request: Request) -> ConnectorConnection:
    match = _IMAGE.fullmatch(request.package)
    if match is None:
        raise ConfigurationError(
            f"the connector {request.package} is not known: give a package as "
            "`airbyte/source-faker`, or a connection of connections.yaml with `driver: connector`"
        )
    package = f"airbyte-{match[1]}"
    is_newest = request.version in _NEWEST
    version = newest_version(package) if is_newest else request.version
    return ConnectorConnection(
        name=request.package, driver="connector", package=package, version=version
    )
