"""connections.yaml: the named places that a warehouse reads from and writes to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dapu.errors import ConfigurationError, Fault, FaultyFile
from dapu.secrets import is_secret_name, remember
from dapu.suggest import nearest
from dapu.warehouse.connection_kinds import (
    Connection,
    ConnectorConnection,
    EmbeddedConnection,
    ExecuteConnection,
    FilesConnection,
    PgConnection,
    RestConnection,
    UrlConnection,
    WfsConnection,
)
from dapu.warehouse.database_url import parse_database_url
from dapu.warehouse.environment import fill_in
from dapu.warehouse.yamlfile import Document, read_document, validate

FILE = "connections.yaml"
MAIN = "main"
_AUTHORITY = re.compile(r"://([^/?#]*)")


BY_DRIVER: dict[str, type[Connection]] = {
    "pg": PgConnection,
    "embedded": EmbeddedConnection,
    "files": FilesConnection,
    "rest": RestConnection,
    "wfs": WfsConnection,
    "execute": ExecuteConnection,
    "connector": ConnectorConnection,
}


class Connections(dict[str, Connection]):
    """The connections by name."""

    def named(self, name: str) -> Connection:
        """Raises ConfigurationError that names the nearest known connection."""
        if name not in self:
            raise ConfigurationError(
                f"there is no connection `{name}` in {FILE}{nearest(name, self)}"
            )
        return self[name]


def read_connections(folder: Path, environment: Mapping[str, str]) -> Connections:
    """Reads connections.yaml of a warehouse directory.

    Raises FaultyFile with the faults of the file.
    """
    document = read_document(folder / FILE)
    entries = fill_in(document.parse(), environment, document)
    if not isinstance(entries, list):
        raise FaultyFile([document.fault("is not a list of connections (`- name: main` …)")])
    connections, faults = Connections(), list[Fault]()
    for position, entry in enumerate(entries):
        place = document.below(position)
        try:
            connection = _read_one(entry, place)
        except FaultyFile as error:
            faults += error.faults
            continue
        if connection.name in connections:
            faults.append(place.fault(f"connection `{connection.name}` occurs twice"))
        connections[connection.name] = connection
    if not faults and not isinstance(connections.get(MAIN), PgConnection | EmbeddedConnection):
        faults.append(
            document.fault("needs a connection `main` with `driver: pg` or `driver: embedded`")
        )
    if faults:
        raise FaultyFile(faults)
    return connections


def _read_one(entry: Any, place: Document) -> Connection:
    keys = entry if isinstance(entry, dict) else {}
    driver = str(keys.get("driver", ""))
    _remember_secrets(keys)
    if "url" in keys and not driver:
        connection: Connection = validate(UrlConnection, entry, [place])
        _check_url(keys["url"], place)
        return connection
    if driver not in BY_DRIVER:
        what = f"unknown driver `{driver}`" if driver else "needs `driver:` or `url:`"
        hint = nearest(driver, BY_DRIVER)
        if driver and "known are" in hint:
            hint += "; other databases have `url:` and no `driver:`"
        raise FaultyFile([place.fault(f"{what}{hint}", "driver")])
    return validate(BY_DRIVER[driver], entry, [place])


def _remember_secrets(keys: dict[Any, Any]) -> None:
    for key, value in keys.items():
        if isinstance(value, dict):
            _remember_secrets(value)
        elif key == "url":
            _remember_secrets_of_url(str(value))
        elif is_secret_name(str(key)) and isinstance(value, str | int):
            remember(str(value))


def _remember_secrets_of_url(url: str) -> None:
    try:
        parts = parse_database_url(url)
    except ValueError:
        remember(url)
        return
    remember(parts.password or "")
    for option in parts.options:
        _remember_secrets(dict([option]))


def _check_url(url: str, place: Document) -> None:
    try:
        drivername = parse_database_url(url).drivername
    except ValueError:
        message = (
            "url: is not a database URL; write, for example, mysql+pymysql://user:pwd@host/name"
        )
        raise FaultyFile([place.fault(message, "url")]) from None
    if drivername in ("http", "https"):
        message = "url: is no database's; a web service has `driver: rest` (or wfs) beside its url"
        raise FaultyFile([place.fault(message, "url")])
    # All after the first `@` would be taken for the host, and shown in messages.
    authority = _AUTHORITY.search(url)
    if authority is not None and authority[1].count("@") > 1:
        message = "url: an `@` in a user's name or password is written as %40 (`:` as %3A)"
        raise FaultyFile([place.fault(message, "url")])
