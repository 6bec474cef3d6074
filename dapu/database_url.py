"""The URL of a database: `driver://user:password@host:port/database?key=value`.

SQLAlchemy defines the form and reads such URLs where its drivers are used. This is the little that
every command needs (which secrets are in it, and what kind of database it is), since SQLAlchemy
takes longer to import than most commands take in all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

_DRIVER = re.compile(r"[\w+]+")
_ACCOUNT = re.compile(r"[^:/]*(:(?P<password>[^@]*))?@")  # an `@` after a `/` is part of a path


@dataclass(frozen=True)
class DatabaseUrl:
    """What dapu itself looks at. password: decoded. options: what follows the `?`, decoded."""

    backend: str
    password: str | None
    database: str | None
    options: tuple[tuple[str, str], ...]


def parse_database_url(text: str) -> DatabaseUrl:
    """Reads a URL as SQLAlchemy does. Raises ValueError when it is none."""
    driver, separator, rest = text.partition("://")
    if not separator or not _DRIVER.fullmatch(driver):
        raise ValueError("is no database URL")
    account = _ACCOUNT.match(rest)
    password = account["password"] if account else None
    place, _, query = rest[account.end() if account else 0 :].partition("?")
    host, slash, database = place.partition("/")
    _check_port(host)
    return DatabaseUrl(
        backend=driver.partition("+")[0],
        password=None if password is None else unquote(password),
        database=unquote(database) if slash else None,
        options=tuple(parse_qsl(query)),
    )


def _check_port(host: str) -> None:
    """Raises ValueError when what follows the host's colon is no number."""
    _, colon, port = host.rpartition("]")[2].partition(":")
    if colon:
        int(port)
