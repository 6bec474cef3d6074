"""Opens the right kind of source for a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dapu import embedded
from dapu.connections import (
    EmbeddedConnection,
    PgConnection,
    UrlConnection,
)
from dapu.databases.fallback import NativeFirst
from dapu.databases.postgres import PostgresSource
from dapu.databases.source import Reader, Source
from dapu.errors import ConfigurationError
from dapu.warehouse import Warehouse

# SQLAlchemy takes a tenth of a second to import: only jobs that need it pay for it.
if TYPE_CHECKING:
    from sqlalchemy.engine import URL


def open_source(warehouse: Warehouse, name: str, reader: Reader = "auto") -> Source:
    """Connects to a source. Raises ConfigurationError or JobError when that cannot be done."""
    connection = warehouse.connections.named(name)
    if isinstance(connection, UrlConnection):
        if connection.backend == "sqlite" and reader != "generic":
            return _sqlite(name, connection.sqlite_file(warehouse.folder))
        url = connection.sqlalchemy_url(warehouse.folder)
        return _OPENERS.get(connection.backend, _open_other)(name, url, connection, reader)
    if isinstance(connection, PgConnection):
        return _postgres(name, connection.libpq(), reader)
    if isinstance(connection, EmbeddedConnection):
        libpq = embedded.start(warehouse.folder / connection.path, connection.database)
        return _postgres(name, libpq, reader)
    raise ConfigurationError(f"the connection `{name}` is no database")


def _postgres(name: str, libpq: dict[str, Any], reader: Reader) -> Source:
    if reader == "generic":
        raise ConfigurationError(
            f"PostgreSQL, which `{name}` is, has no generic reader; leave `reader: generic` out"
        )
    return PostgresSource(name, libpq)


def _sqlite(name: str, file: str) -> Source:
    from dapu.databases.sqlite import SqliteSource

    return SqliteSource(name, file)


def _open_postgres(name: str, url: URL, connection: UrlConnection, reader: Reader) -> Source:
    text = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return _postgres(name, {"dsn": text} | connection.extra, reader)


def _open_mysql(name: str, url: URL, connection: UrlConnection, reader: Reader) -> Source:
    """PyMySQL reads natively, and where no driver is named; another driver only generically."""
    if "+" not in url.drivername:
        url = url.set(drivername=f"{url.drivername}+pymysql")
    if reader == "generic" or (reader == "auto" and url.get_driver_name() != "pymysql"):
        return _generic(name, url, connection)
    if url.get_driver_name() != "pymysql":
        raise ConfigurationError(
            f"`reader: native` reads through PyMySQL; write the url of `{name}` as mysql+pymysql://"
        )
    native = _native_mysql(name, url, connection)
    if reader == "native":
        return native
    return NativeFirst(native, lambda: _generic(name, url, connection))


def _open_sqlite(name: str, url: URL, connection: UrlConnection, _reader: Reader) -> Source:
    if url.get_driver_name() != "pysqlite":
        return _generic(name, url, connection)
    from dapu.databases.sqlite_text import AnyText

    return _generic(name, url, connection, factory=AnyText)


def _generic(name: str, url: URL, connection: UrlConnection, **own: Any) -> Source:
    from dapu.databases.generic import GenericSource

    return GenericSource(name, url, {**connection.extra, **own})


def _native_mysql(name: str, url: URL, connection: UrlConnection) -> Source:
    try:
        from dapu.databases.mysql import MySqlSource
    except ImportError as error:
        raise ConfigurationError(
            f"the connection `{name}` needs PyMySQL ({error}); install dapu[mysql]"
        ) from None
    return MySqlSource(name, url, connection.extra)


def _open_other(name: str, url: URL, connection: UrlConnection, reader: Reader) -> Source:
    if reader == "native":
        raise ConfigurationError(
            f"there is no native reader for {url.get_backend_name()}, which `{name}` is; "
            "leave `reader: native` out"
        )
    return _generic(name, url, connection)


# The native reader of SQLite opens files without SQLAlchemy.
_OPENERS: dict[str, Callable[[str, URL, UrlConnection, Reader], Source]] = {
    "postgresql": _open_postgres,
    "sqlite": _open_sqlite,
    "mysql": _open_mysql,
    "mariadb": _open_mysql,
}


def dialect_of(warehouse: Warehouse, name: str) -> str:
    """Which database a connection leads to, by SQLAlchemy's name for it."""
    connection = warehouse.connections.named(name)
    if isinstance(connection, UrlConnection):
        return connection.backend
    return "postgresql"
