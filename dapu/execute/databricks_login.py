"""Databricks' login: the DSN that databricks-sql-go, the driver in Go, takes.

It is described in https://github.com/databricks/databricks-sql-go: a token, host, port and path,
and behind a `?` catalog, schema and what becomes a parameter of the session.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from dapu.errors import ConfigurationError
from dapu.suggest import nearest

_FORM = "write token:TOKEN@host:443/sql/1.0/warehouses/ID?catalog=…&schema=…"
_KEYWORDS = {"catalog": "catalog", "schema": "schema", "userAgentEntry": "user_agent_entry"}
_TIMEOUT, _PASSED_OVER = "timeout", "maxRows"
_KNOWN = (*_KEYWORDS, _TIMEOUT, _PASSED_OVER)
_PORT = 443
# Of the Go driver's other logins, by OAuth; the driver in Python needs another package for them.
_LOGINS = ("authType", "clientID", "clientSecret")


def read_dsn(dsn: str) -> dict[str, Any]:
    """The keywords of databricks.sql.connect.

    Raises ConfigurationError that says what is wrong, without the secrets in it.
    """
    try:
        parts = urlsplit(f"https://{dsn.partition('://')[2] or dsn}")
        port = parts.port or _PORT
    except ValueError:  # its message may have a piece of the token
        raise _unreadable() from None
    keywords: dict[str, Any] = {
        "server_hostname": parts.hostname,
        "_port": port,
        "http_path": parts.path,
        "access_token": unquote(parts.password or ""),
    }
    session: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        keywords |= _parameter(name, value, session)
    if session:
        keywords["session_configuration"] = session
    required = ("server_hostname", "access_token", "catalog", "schema")
    named = all(keywords.get(name) for name in required)
    if not named or parts.username != "token" or not parts.path.strip("/"):
        raise _unreadable()
    return keywords


def _parameter(name: str, value: str, session: dict[str, str]) -> dict[str, Any]:
    if name in _KEYWORDS:
        return {_KEYWORDS[name]: value}
    if name in _LOGINS:
        raise ConfigurationError(
            f"Databricks' DSN has `{name}`: a login by OAuth is none that dapu has; {_FORM}"
        )
    if name == _TIMEOUT:
        if not value.isdecimal():
            raise ConfigurationError(f"Databricks' DSN has `{name}={value}`; write whole seconds")
        session["STATEMENT_TIMEOUT"] = value
    elif get_close_matches(name.lower(), _KNOWN, n=1, cutoff=0.8) and name not in _KNOWN:
        raise ConfigurationError(f"Databricks' DSN has an unknown `{name}`{nearest(name, _KNOWN)}")
    elif name != _PASSED_OVER:
        session[name] = value
    return {}


def _unreadable() -> ConfigurationError:
    return ConfigurationError(f"Databricks' DSN cannot be read; {_FORM}")
