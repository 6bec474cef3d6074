"""How the server is set up: by its command's options, and by variables of the known controller."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from dapu import secrets
from dapu.errors import ConfigurationError
from dapu.server.tokens import Tokens, read_tokens

RunBy = Literal["package", "docker", "kubernetes"]
LOOPBACK = "127.0.0.1"
PORT = 3043
_HOURS = 48


@dataclass(frozen=True)
class ServerSettings:
    """Where the server listens, and what holds for all requests.

    schema: of tables whose stream has no namespace. timeout: of a request's job.
    runner: whether what is asked for is a Python package or an image.
    console_url, console_token: who is asked by `thenRun=true`.
    """

    host: str
    port: int
    tokens: Tokens
    schema: str
    timeout: timedelta
    runner: RunBy
    console_url: str | None = None
    console_token: str | None = field(default=None, repr=False)


def read_server_settings(
    environment: Mapping[str, str],
    host: str | None,
    port: int | None,
    schema: str,
    runner: RunBy = "package",
    *,
    has_logins: bool = False,
) -> ServerSettings:
    """The settings. host, port: of the command line, over those of the environment.

    has_logins: whether the pages know who asks.

    Raises ConfigurationError for a value that cannot be, and where anybody could ask.
    """
    tokens = read_tokens(environment)
    is_known = bool(tokens) or has_logins
    where = host or ("0.0.0.0" if is_known else LOOPBACK)
    if not is_known and not _is_loopback(where):
        raise ConfigurationError(
            f"without tokens or logins anybody could ask on {where}: set SYNCCTL_AUTH_TOKENS, or "
            f"`server: logins` in warehouse.yaml, or listen on {LOOPBACK}"
        )
    token = environment.get("SYNCCTL_CONSOLE_TOKEN")
    secrets.remember(token or "")
    return ServerSettings(
        where,
        port if port is not None else _number(environment, "SYNCCTL_HTTP_PORT", "PORT") or PORT,
        tokens,
        schema,
        timedelta(hours=_number(environment, "SYNCCTL_TASK_TIMEOUT_HOURS") or _HOURS),
        runner,
        environment.get("SYNCCTL_CONSOLE_URL") or None,
        token or None,
    )


def is_enabled(environment: Mapping[str, str]) -> bool:
    """Whether SYNCCTL_SYNCS_ENABLED lets the server run."""
    return environment.get("SYNCCTL_SYNCS_ENABLED", "").lower() not in ("false", "0")


def _number(environment: Mapping[str, str], *names: str) -> int | None:
    for name in names:
        text = environment.get(name, "").strip()
        if text:
            if not text.isdecimal():
                raise ConfigurationError(f"{name} is not a whole number: {text!r}")
            return int(text)
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
