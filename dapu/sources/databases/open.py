"""Opens the right kind of source for a connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dapu.errors import ConfigurationError
from dapu.sources.databases.native_first import NativeFirst
from dapu.sources.databases.postgres.source import PostgresSource
from dapu.sources.databases.source import Reader, Source
from dapu.warehouse import embedded
from dapu.warehouse.connection_kinds import EmbeddedConnection, PgConnection, UrlConnection
from dapu.warehouse.warehouse import Warehouse


def open_source(warehouse: Warehouse, name: str, reader: Reader = "auto") -> Source:
    """Connects to a source. Raises ConfigurationError or JobError when that cannot be done."""
    connection = warehouse.connections.named(name)
    if isinstance(connection, UrlConnection):
        wanted = _Wanted(name, connection, warehouse.folder, reader)
        return _OPENERS.get(connection.parts.backend, _open_other)(wanted)
    if isinstance(connection, PgConnection):
        return _postgres(name, connection.libpq(), reader)
    if isinstance(connection, EmbeddedConnection):
        libpq = embedded.start(warehouse.folder / connection.path, connection.database)
        return _postgres(name, libpq, reader)
    raise ConfigurationError(f"the connection `{name}` is not a database")


@dataclass(frozen=True)
class _Wanted:
    """A source to open, whose connection is a URL. folder: the warehouse directory."""

    name: str
    connection: UrlConnection
    folder: Path
    reader: Reader

    # The drivers, and SQLAlchemy, take longer to import than to open a source: only jobs that
    # need them pay for them.

    def generic(self, **own: Any) -> Source:
        """The source as SQLAlchemy reads it. own: more arguments for its driver."""
        from dapu.sources.databases.sqlalchemy.source import GenericSource

        url = self.connection.sqlalchemy_url(self.folder)
        return GenericSource(self.name, url, {**self.connection.arguments, **own})

    def casting(self) -> Source:
        """The source as SQLAlchemy reads it, with casts inside the query."""
        from dapu.sources.databases.sqlalchemy.casting import CastingSource

        url = self.connection.sqlalchemy_url(self.folder)
        return CastingSource(self.name, url, self.connection.arguments)

    def native_mysql(self) -> Source:
        """The source as PyMySQL reads it."""
        try:
            from dapu.sources.databases.mysql.source import MySqlSource
        except ImportError as error:
            raise ConfigurationError(
                f"the connection `{self.name}` needs PyMySQL ({error}); install dapu[mysql]"
            ) from None
        return MySqlSource(self.name, self.connection.parts, self.connection.extra)

    def native_sqlite(self) -> Source:
        """The source as APSW reads it."""
        from dapu.sources.databases.sqlite.source import SqliteSource

        return SqliteSource(self.name, self.connection.sqlite_file(self.folder))


def _postgres(name: str, libpq: dict[str, Any], reader: Reader) -> Source:
    if reader == "generic":
        raise ConfigurationError(
            f"PostgreSQL, which `{name}` is, has no generic reader; leave `reader: generic` out"
        )
    return PostgresSource(name, libpq)


def _open_postgres(wanted: _Wanted) -> Source:
    url = wanted.connection.sqlalchemy_url(wanted.folder).set(drivername="postgresql")
    dsn = url.render_as_string(hide_password=False)
    return _postgres(wanted.name, {"dsn": dsn} | wanted.connection.extra, wanted.reader)


def _open_mysql(wanted: _Wanted) -> Source:
    """PyMySQL reads natively; another driver only generically."""
    is_native = wanted.connection.parts.drivername.endswith("+pymysql")
    if wanted.reader == "generic" or (wanted.reader == "auto" and not is_native):
        return wanted.generic()
    if not is_native:
        raise ConfigurationError(
            f"`reader: native` reads through PyMySQL; write the url of `{wanted.name}` as "
            "mysql+pymysql://"
        )
    native = wanted.native_mysql()
    return native if wanted.reader == "native" else NativeFirst(native, wanted.generic)


def _open_sqlite(wanted: _Wanted) -> Source:
    if wanted.reader != "generic":
        return wanted.native_sqlite()
    if wanted.connection.parts.drivername not in ("sqlite", "sqlite+pysqlite"):
        return wanted.generic()
    from dapu.sources.databases.sqlite.any_text import AnyText

    return wanted.generic(factory=AnyText)


def _open_known(wanted: _Wanted) -> Source:
    """What only SQLAlchemy reads, but with types that dapu knows."""
    if wanted.reader == "generic":
        return wanted.generic()
    casting = wanted.casting()
    return casting if wanted.reader == "native" else NativeFirst(casting, wanted.generic)


def _open_other(wanted: _Wanted) -> Source:
    if wanted.reader == "native":
        raise ConfigurationError(
            f"there is no native reader for {wanted.connection.parts.backend}, which "
            f"`{wanted.name}` is; leave `reader: native` out"
        )
    return wanted.generic()


_OPENERS: dict[str, Callable[[_Wanted], Source]] = {
    "postgresql": _open_postgres,
    "sqlite": _open_sqlite,
    "mysql": _open_mysql,
    "mariadb": _open_mysql,
    "duckdb": _open_known,
    "mssql": _open_known,
    "oracle": _open_known,
}


def dialect_of(warehouse: Warehouse, name: str) -> str:
    """Which database a connection leads to, by SQLAlchemy's name for it."""
    connection = warehouse.connections.named(name)
    if isinstance(connection, UrlConnection):
        return connection.parts.backend
    return "postgresql"
