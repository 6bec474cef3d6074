"""The tables and views of a database, as SQLAlchemy's inspector tells of them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import SAWarning, SQLAlchemyError
from sqlalchemy.pool import NullPool

from dapu.errors import ConfigurationError, JobError
from dapu.secrets import redact
from dapu.warehouse import embedded
from dapu.warehouse.connections import Connection, EmbeddedConnection, PgConnection, UrlConnection
from dapu.warehouse.postgres_session import connect
from dapu.warehouse.warehouse import Warehouse

_COLLATION = re.compile(r" collate .*")
_OF_THE_SERVER = {"information_schema", "mysql", "performance_schema", "sys"}


@dataclass(frozen=True)
class FoundTable:
    """A table or view. columns: names and types, in order."""

    schema: str
    name: str
    kind: str
    columns: tuple[tuple[str, str], ...]


def tables(warehouse: Warehouse, name: str) -> list[FoundTable]:
    """All tables and views of a connection's database but the server's own, by name.

    Raises ConfigurationError for a connection to something else, or without its driver; JobError
    when the database refuses.
    """
    engine = _engine(warehouse, name, warehouse.connections.named(name))
    try:
        with warnings.catch_warnings(action="ignore", category=SAWarning):  # of unknown types
            return sorted(_tables(engine), key=lambda table: (table.schema, table.name))
    except SQLAlchemyError as error:
        reason = redact(str(getattr(error, "orig", None) or error)).strip()
        raise JobError(f"the connection `{name}` is refused: {reason}") from None
    finally:
        engine.dispose()


def _engine(warehouse: Warehouse, name: str, connection: Connection) -> Engine:
    if isinstance(connection, PgConnection):
        return _postgres(connection.libpq())
    if isinstance(connection, EmbeddedConnection):
        folder = warehouse.folder / connection.path
        return _postgres(embedded.start(folder, connection.database))
    if not isinstance(connection, UrlConnection):
        raise ConfigurationError(f"the connection `{name}` is no database")
    url = connection.sqlalchemy_url(warehouse.folder)
    if url.get_backend_name() == "postgresql":
        dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        return _postgres({"dsn": dsn} | connection.extra)
    # SQLite would make the file.
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise JobError(f"the connection `{name}`: there is no file {url.database}")
    try:
        return sqlalchemy.create_engine(url, connect_args=connection.arguments, poolclass=NullPool)
    except (ImportError, sqlalchemy.exc.NoSuchModuleError) as error:
        raise ConfigurationError(
            f"the connection `{name}` needs the driver of {url.drivername}: {error}; install it"
        ) from None


def _postgres(libpq: dict[str, Any]) -> Engine:
    return sqlalchemy.create_engine(
        "postgresql+psycopg2://", creator=lambda: connect(libpq, None), poolclass=NullPool
    )


def _tables(engine: Engine) -> Iterator[FoundTable]:
    inspector = sqlalchemy.inspect(engine)
    for schema in inspector.get_schema_names():
        if schema.lower() in _OF_THE_SERVER or schema.startswith("pg_"):
            continue
        views = {*inspector.get_view_names(schema), *_materialized_views(inspector, schema)}
        found = inspector.get_multi_columns(schema, kind=ObjectKind.ANY)
        for (_, name), columns in found.items():
            kind = "view" if name in views else "table"
            yield FoundTable(schema, name, kind, tuple(_column(engine, one) for one in columns))


def _materialized_views(inspector: sqlalchemy.Inspector, schema: str) -> list[str]:
    try:
        return inspector.get_materialized_view_names(schema)
    except NotImplementedError:
        return []


def _column(engine: Engine, column: ReflectedColumn) -> tuple[str, str]:
    try:
        text = column["type"].compile(engine.dialect).lower()
    except SQLAlchemyError:  # a type that SQLAlchemy does not know
        text = "unknown"
    return column["name"], _COLLATION.sub("", text)
