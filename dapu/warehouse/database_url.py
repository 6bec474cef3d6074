"""The URL of a database: `driver://user:password@host:port/database?key=value`.

SQLAlchemy defines the form and reads such URLs where its drivers are used. This is what commands
and the native readers need of one, since SQLAlchemy takes longer to import than most commands take
in all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

_DRIVER = re.compile(r"[\w+]+")
_ACCOUNT = re.compile(  # an `@` after a `/` is part of a path
    r"(?P<username>[^:/]*)(:(?P<password>[^@]*))?@"
)
_SERVER = re.compile(r"(\[(?P<ipv6>[^/]+)\]|(?P<host>[^:]+))?(:(?P<port>.*))?")


@dataclass(frozen=True)
class DatabaseUrl:
    """The parts of a URL, decoded; what it does not give is None.

    drivername: the database's kind, and behind a `+` the Python driver: `mysql+pymysql`.
    options: what follows the `?`.
    """

    drivername: str
    username: str | None
    password: str | None
    host: str | None
    port: int | None
    database: str | None
    options: tuple[tuple[str, str], ...]

    @property
    def backend(self) -> str:
        """Which database it leads to, by SQLAlchemy's name for it."""
        return self.drivername.partition("+")[0]


def parse_database_url(text: str) -> DatabaseUrl:
    """Reads a URL as SQLAlchemy does. Raises ValueError when it is not one."""
    drivername, separator, rest = text.partition("://")
    if not separator or not _DRIVER.fullmatch(drivername):
        raise ValueError("is not a database URL")
    account = _ACCOUNT.match(rest)
    place, _, query = rest[account.end() if account else 0 :].partition("?")
    server, slash, database = place.partition("/")
    found = _SERVER.match(server)
    host, port = (found["ipv6"] or found["host"], found["port"]) if found else (None, None)
    return DatabaseUrl(
        drivername=drivername,
        username=_decoded(account and account["username"]),
        password=_decoded(account and account["password"]),
        host=host,
        port=None if port is None else int(port),
        database=unquote(database) if slash else None,
        options=tuple(parse_qsl(query)),
    )


def _decoded(part: str | None) -> str | None:
    return None if part is None else unquote(part)
