"""SQL Server's login: the three forms of a DSN that go-mssqldb, the known client's driver, takes.

They are described in the README of https://github.com/microsoft/go-mssqldb: a URL, ADO
(`server=…;user id=…`), and ODBC (the same after `odbc:`, with values in braces).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from dapu.errors import ConfigurationError
from dapu.suggest import nearest

_PORT = 1433
_FORM = (
    "write sqlserver://user:password@host:1433?database=name, or "
    "server=host;user id=…;password=…;database=name"
)
_ENCRYPTION = {  # of pymssql, and what the known client's driver says for it
    "off": ("disable",),
    "request": ("false", "optional", "no", "0", "f"),
    "require": ("true", "mandatory", "yes", "1", "t"),
}
_SYNONYMS = {
    "addr": "server",
    "address": "server",
    "network address": "server",
    "data source": "server",
    "user": "user id",
    "uid": "user id",
    "pwd": "password",
    "initial catalog": "database",
    "application name": "app name",
    "timeout": "connection timeout",
    "connect timeout": "dial timeout",
    "application intent": "applicationintent",
    "integrated security": "trusted_connection",
}
_KNOWN = (
    "server", "port", "database", "user id", "password", "app name", "encrypt",
    "connection timeout", "dial timeout", "applicationintent", "trusted_connection", "fedauth",
)  # fmt: skip
# They change nothing that a person could see here. Of certificates see docs/execute.md.
_PASSED_OVER = (
    "trustservercertificate", "keepalive", "packet size", "log", "workstation id",
    "multisubnetfailover", "guid conversion", "timezone",
)  # fmt: skip
AZURE = "fedauth"
_YES = ("yes", "true", "sspi", "1")
# A value ends at the next `;`, unless it stands in quotes (ADO) or braces (ODBC), whose own end is
# written twice in it.
_PAIR = {
    "ado": re.compile(r'\s*([^=;]+?)\s*=\s*(?:"((?:[^"]|"")*)"|([^;]*?))\s*(?:;|$)'),
    "odbc": re.compile(r"\s*([^=;]+?)\s*=\s*(?:\{((?:[^}]|\}\})*)\}|([^;]*?))\s*(?:;|$)"),
}
_DOUBLED = {"ado": '"', "odbc": "}"}


def read_dsn(dsn: str) -> dict[str, Any]:
    """The keywords of pymssql.connect, and `fedauth` where Azure AD logs in.

    Without either and without a user it is the login of the operating system (Kerberos).
    Raises ConfigurationError that says what is wrong, without the secrets in it.
    """
    given = _of_url(dsn) if dsn.startswith("sqlserver:") else _of_pairs(dsn)
    _check_names(given)
    if not given.get("server") or not given.get("database"):
        raise _unreadable()
    server, port = _server(given["server"])
    keywords: dict[str, Any] = {
        "server": server,
        "port": given.get("port") or port or str(_PORT),
        "database": given["database"],
    }
    for name, (keyword, convert) in _OPTIONAL.items():
        if given.get(name):
            keywords[keyword] = convert(name, given[name])
    if given.get("trusted_connection", "no").lower() not in _YES:
        keywords |= {"user": given.get("user id", ""), "password": given.get("password", "")}
    return keywords


def _of_url(dsn: str) -> dict[str, str]:
    try:
        parts = urlsplit(dsn)
        port = parts.port
    except ValueError:  # its message may have a piece of the password
        raise _unreadable() from None
    instance = unquote(parts.path.strip("/"))
    given = _plain_names(parse_qsl(parts.query))
    if parts.hostname:
        given["server"] = f"{parts.hostname}\\{instance}" if instance else parts.hostname
    if port:
        given["port"] = str(port)
    if parts.username is not None:
        given["user id"] = unquote(parts.username)
        given["password"] = unquote(parts.password or "")
    return given


def _of_pairs(dsn: str) -> dict[str, str]:
    form = "odbc" if dsn.lower().startswith("odbc:") else "ado"
    text = dsn[len("odbc:") :] if form == "odbc" else dsn
    if "://" in text.partition("=")[0]:
        raise _unreadable()
    pairs, place = [], 0
    while text[place:].strip(" ;"):
        match = _PAIR[form].match(text, place)
        if match is None or match.end() == place:
            raise _unreadable()
        key, quoted, plain = match.groups()
        end = _DOUBLED[form]
        pairs.append((key, plain if quoted is None else quoted.replace(end * 2, end)))
        place = match.end()
    return _plain_names(pairs)


def _plain_names(pairs: list[tuple[str, str]]) -> dict[str, str]:
    lower = ((key.lower(), value) for key, value in pairs)
    return {_SYNONYMS.get(key, key): value for key, value in lower}


def _check_names(given: dict[str, str]) -> None:
    known = (*_KNOWN, *_PASSED_OVER)
    unknown = next((key for key in given if key not in known), None)
    if unknown is not None:
        raise ConfigurationError(
            f"SQL Server's DSN has an unknown `{unknown}`{nearest(unknown, known)}"
        )


def _server(text: str) -> tuple[str, str | None]:
    r"""Host (with its instance) and port of `tcp:host\instance,port`."""
    plain = text[len("tcp:") :] if text.lower().startswith("tcp:") else text
    host, comma, port = plain.partition(",")
    return host, port.strip() if comma else None


def _encryption(name: str, value: str) -> str:
    for ours, theirs in _ENCRYPTION.items():
        if value.lower() in theirs:
            return ours
    raise ConfigurationError(
        f"SQL Server's DSN has `{name}={value}`, which its driver does not know; "
        "write true, false or disable"
    )


def _seconds(name: str, value: str) -> int:
    if not value.isdecimal():
        raise ConfigurationError(f"SQL Server's DSN has `{name}={value}`; write whole seconds")
    return int(value)


def _text(name: str, value: str) -> str:  # noqa: ARG001 - as the others are called
    return value


def _reads_only(name: str, value: str) -> bool:  # noqa: ARG001 - as the others are called
    return value.lower() == "readonly"


_OPTIONAL: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "encrypt": ("encryption", _encryption),
    "app name": ("appname", _text),
    "connection timeout": ("timeout", _seconds),
    "dial timeout": ("login_timeout", _seconds),
    "applicationintent": ("read_only", _reads_only),
    AZURE: (AZURE, _text),
}


def _unreadable() -> ConfigurationError:
    return ConfigurationError(f"SQL Server's DSN cannot be read; {_FORM}")
