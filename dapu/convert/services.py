"""The web services of a route.yaml of dapu 0.8, as connections with `driver: rest`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dapu.convert.connections import NewConnections
from dapu.convert.old_project import OldFile, as_mapping

_NAME = re.compile(r"%([A-Za-z_]\w*)%")
_BEARER = ("bearer", "bearer_token", "token")
_NOTHING = ("none", "public")
OF_REQUESTS = ("method", "params", "body")  # which each action has here, and a service had there


class UnknownLogin(ValueError):
    """Credentials that no request of dapu 0.8 could have had."""


def from_environment(value: Any) -> Any:
    """A value in which `%NAME%` is `${NAME}`, at any depth."""
    if isinstance(value, dict):
        return {key: from_environment(one) for key, one in value.items()}
    if isinstance(value, list):
        return [from_environment(one) for one in value]
    return _NAME.sub(r"${\1}", value) if isinstance(value, str) else value


def convert_services(
    route: str, file: OldFile, new: NewConnections
) -> dict[str, Mapping[str, Any]]:
    """Writes a connection for each service; returns the services by their names, as they were."""
    found = dict[str, Mapping[str, Any]]()
    for name, block in file.keys.items():
        if isinstance(block, dict) and isinstance(block.get("url"), str):
            found[name] = block
            new.entries.append(_connection(service_name(route, name), block, new))
    return found


def service_name(route: str, api: str) -> str:
    """What the connection of a route's service is called."""
    return f"{route}_{api}"


def _connection(name: str, block: Mapping[str, Any], new: NewConnections) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "driver": "rest", "url": from_environment(block["url"])}
    headers = as_mapping(block.get("headers"))
    if headers:
        made["headers"] = {key: str(from_environment(one)) for key, one in headers.items()}
    auth = _auth(name, as_mapping(block.get("auth")), new)
    if auth:
        made["auth"] = auth
    if (seconds := _seconds(block.get("timeout"))) is not None:
        made["timeout"] = f"{seconds} s"
    return made


def _auth(name: str, auth: Mapping[str, Any], new: NewConnections) -> dict[str, Any] | None:
    method = str(auth.get("method") or "none").lower()
    if method in _BEARER:
        return {"type": "bearer", "token": new.secret(name, str(auth.get("token")))}
    if method == "basic":
        password = new.secret(name, str(auth.get("password")))
        username = str(from_environment(auth.get("username")))
        return {"type": "basic", "username": username, "password": password}
    if method in _NOTHING:
        return None
    raise UnknownLogin(f"there is no way to log in called `{method}`")


def _seconds(timeout: Any) -> int | None:
    """How long an answer may take; dapu 0.8 had a time for the connection beside it."""
    said = timeout.get("read", 50) if isinstance(timeout, dict) else timeout
    return said if isinstance(said, int) and said > 0 else None
