"""SQL Server by Microsoft's ODBC driver, for a login by Azure AD (Microsoft Entra ID).

The names of go-mssqldb's `fedauth` are turned into those of the driver's keyword `Authentication`,
see https://learn.microsoft.com/sql/connect/odbc/using-azure-active-directory.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from dapu.errors import ConfigurationError

_AUTHENTICATION = {
    "activedirectorypassword": "ActiveDirectoryPassword",
    "activedirectoryserviceprincipal": "ActiveDirectoryServicePrincipal",
    "activedirectoryapplication": "ActiveDirectoryServicePrincipal",
    "activedirectorymsi": "ActiveDirectoryMsi",
    "activedirectorymanagedidentity": "ActiveDirectoryMsi",
    "activedirectoryintegrated": "ActiveDirectoryIntegrated",
}
_WITH_USER = ("ActiveDirectoryPassword", "ActiveDirectoryServicePrincipal")
_BY_TOKEN = "activedirectoryserviceprincipalaccesstoken"
_TAKES_TOKEN = 1256  # SQL_COPT_SS_ACCESS_TOKEN, an attribute that is set before connecting
_ENCRYPT = {"off": "no", "request": "no", "require": "yes"}
_DRIVER = re.compile(r"ODBC Driver (\d+) for SQL Server")
_VALUE = re.compile(r"%\((\w+)\)s|%s")


def connect(pyodbc: Any, keywords: Mapping[str, Any], how: str) -> OdbcSession:
    """A session.

    pyodbc: the module. keywords: those of pymssql, see `mssql_login.read_dsn`.
    how: the DSN's `fedauth`.
    Raises ConfigurationError when the driver is missing, or has no such login.
    """
    text, before = connection_string(keywords, how)
    drivers = [match for match in map(_DRIVER.fullmatch, pyodbc.drivers()) if match]
    if not drivers:
        raise ConfigurationError(
            "a login by Azure AD needs Microsoft's ODBC driver: install its package msodbcsql18"
        )
    driver = max(drivers, key=lambda match: int(match[1]))[0]
    session = pyodbc.connect(
        f"Driver={{{driver}}};{text}",
        timeout=keywords.get("login_timeout", 0),
        attrs_before=before,
        readonly=bool(keywords.get("read_only")),
    )
    session.timeout = keywords.get("timeout", 0)
    return OdbcSession(session)


def connection_string(keywords: Mapping[str, Any], how: str) -> tuple[str, dict[int, bytes]]:
    """What the driver is given: its text, and what is set before connecting."""
    server = str(keywords["server"])
    place = server if "\\" in server else f"{server},{keywords['port']}"
    given = {"Server": f"tcp:{place}", "Database": keywords["database"]}
    if "encryption" in keywords:
        given["Encrypt"] = _ENCRYPT[keywords["encryption"]]
    if "appname" in keywords:
        given["APP"] = keywords["appname"]
    if keywords.get("read_only"):
        given["ApplicationIntent"] = "ReadOnly"
    login, before = _login(keywords, how)
    return ";".join(f"{key}={_quoted(value)}" for key, value in (given | login).items()), before


def _login(keywords: Mapping[str, Any], how: str) -> tuple[dict[str, str], dict[int, bytes]]:
    user, password = keywords.get("user", ""), keywords.get("password", "")
    if how.lower() == _BY_TOKEN:
        if not password:
            raise ConfigurationError(
                f"SQL Server's DSN has `fedauth={how}`: its password, the token, is missing"
            )
        token = password.encode("utf-16-le")
        return {}, {_TAKES_TOKEN: struct.pack("<I", len(token)) + token}
    name = _AUTHENTICATION.get(how.lower())
    if name is None:
        raise ConfigurationError(
            f"SQL Server's DSN has `fedauth={how}`, which its driver does not have for a program; "
            "write ActiveDirectoryServicePrincipal, ActiveDirectoryManagedIdentity, "
            "ActiveDirectoryPassword, ActiveDirectoryIntegrated or "
            "ActiveDirectoryServicePrincipalAccessToken"
        )
    if name in _WITH_USER:
        if not user or not password:
            raise ConfigurationError(
                f"SQL Server's DSN has `fedauth={how}`: it needs a user id and a password"
            )
        # The server says which tenant it is in; the Go driver also takes application@tenant.
        uid = user.partition("@")[0] if name == "ActiveDirectoryServicePrincipal" else user
        return {"Authentication": name, "UID": uid, "PWD": password}, {}
    return {"Authentication": name} | ({"UID": user} if user else {}), {}


def _quoted(value: str) -> str:
    return "{" + str(value).replace("}", "}}") + "}"


class OdbcSession:
    """A session of pyodbc that takes statements as pymssql does: `%s` and `%(name)s`."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.commit, self.rollback, self.close = session.commit, session.rollback, session.close

    def cursor(self) -> OdbcCursor:
        """See PEP 249."""
        return OdbcCursor(self._session.cursor())


class OdbcCursor:
    """A cursor of such a session."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.fetchone = cursor.fetchone

    @property
    def rowcount(self) -> int:
        """See PEP 249."""
        return int(self._cursor.rowcount)

    def execute(self, text: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> None:
        """See PEP 249."""
        if isinstance(values, Mapping):
            values = [values[match[1]] for match in _VALUE.finditer(text)]
        self._cursor.execute(_VALUE.sub("?", text) if values else text, *values)
