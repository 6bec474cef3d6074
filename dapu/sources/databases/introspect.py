"""The tables and views of a database, as SQLAlchemy's inspector reports them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import SAWarning, SQLAlchemyError
from sqlalchemy.pool import NullPool

from dapu.errors import ConfigurationError, JobError
from dapu.secrets import redact
from dapu.warehouse import embedded
from dapu.warehouse.connection_kinds import (
    Connection,
    EmbeddedConnection,
    PgConnection,
    UrlConnection,
)
from dapu.warehouse.postgres_session import connect
from dapu.warehouse.warehouse import Warehouse

Found = TypeVar("Found")
_Place = tuple[str | None, str]
_COLLATION = re.compile(r" collate .*")
_OF_THE_SERVER = {"information_schema", "mysql", "performance_schema", "sys"}
# Where a schema is a database of its own, a connection means the one that it names.
_ONE_SCHEMA = {"mysql", "mariadb", "oracle"}


@dataclass(frozen=True)
class FoundColumn:
    """A column. type: as the database declares it."""

    name: str
    type: str
    comment: str | None = None
    required: bool = False


@dataclass(frozen=True)
class FoundTable:
    """A table or view.

    columns: in order. is_meant: it is in what the connection names, not just visible from there.
    key: the columns of its primary key. indexed: the first column of each index.
    fault: why the database cannot say what it has: a view on a table that was dropped, say.
    """

    schema: str
    name: str
    kind: str
    columns: tuple[FoundColumn, ...]
    is_meant: bool = True
    comment: str | None = None
    key: tuple[str, ...] = ()
    indexed: frozenset[str] = frozenset()
    fault: str | None = None


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
        raise JobError(f"the connection `{name}` is refused: {_reason(error)}") from None
    finally:
        engine.dispose()


def _engine(warehouse: Warehouse, name: str, connection: Connection) -> Engine:
    if isinstance(connection, PgConnection):
        return _postgres(connection.libpq())
    if isinstance(connection, EmbeddedConnection):
        folder = warehouse.folder / connection.path
        return _postgres(embedded.start(folder, connection.database))
    if not isinstance(connection, UrlConnection):
        raise ConfigurationError(f"the connection `{name}` is not a database")
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
    only = inspector.default_schema_name if engine.dialect.name in _ONE_SCHEMA else None
    for schema in inspector.get_schema_names():
        if schema.lower() in _OF_THE_SERVER or schema.startswith("pg_"):
            continue
        yield from _tables_of(engine, inspector, schema, only in (None, schema))


def _tables_of(
    engine: Engine, inspector: sqlalchemy.Inspector, schema: str, is_meant: bool
) -> Iterator[FoundTable]:
    views = {*inspector.get_view_names(schema), *_materialized_views(inspector, schema)}
    labels = dict.fromkeys([*inspector.get_table_names(schema), *sorted(views)])
    found, faults = _columns(inspector, schema, labels)
    sound = [name for name in labels if name not in faults] if faults else None
    keys = _known(lambda: inspector.get_multi_pk_constraint(schema, sound))
    indexes = _known(lambda: inspector.get_multi_indexes(schema, sound))
    comments = _known(lambda: inspector.get_multi_table_comment(schema, sound, kind=ObjectKind.ANY))
    for place, columns in found.items():
        key = keys[place]["constrained_columns"] if place in keys else []
        starts = {names[0] for one in indexes.get(place) or () if (names := one["column_names"])}
        yield FoundTable(
            schema,
            place[1],
            "view" if place[1] in views else "table",
            tuple(_column(engine, one) for one in columns),
            is_meant,
            _text(comments.get(place)),
            tuple(_plain(engine, name) for name in key),
            frozenset(_plain(engine, name) for name in (*starts, *key[:1]) if name is not None),
            faults.get(place[1]),
        )


def _columns(
    inspector: sqlalchemy.Inspector, schema: str, names: Iterable[str]
) -> tuple[dict[_Place, list[ReflectedColumn]], dict[str, str]]:
    """The columns of all tables and views, and what is wrong with those that are broken.

    Some databases refuse all together for one of these, and SQLAlchemy leaves some out: those are
    asked for by themselves.
    """
    faults: dict[str, str] = {}
    try:
        found = dict(inspector.get_multi_columns(schema, kind=ObjectKind.ANY))
    except SQLAlchemyError:
        found = {}
    known = {name for _, name in found}
    for name in names:
        if name in known:
            continue
        try:
            found[schema, name] = inspector.get_columns(name, schema)
        except SQLAlchemyError as error:
            found[schema, name] = []
            faults[name] = _reason(error)
    return found, faults


def _known(ask: Callable[[], dict[_Place, Found]]) -> dict[_Place, Found]:
    """What a dialect knows of each table; some have no comments, for example."""
    try:
        return ask()
    except NotImplementedError:
        return {}


def _reason(error: SQLAlchemyError) -> str:
    """The database's own words."""
    causes = (error, error.__cause__)
    said = next((one.orig for one in causes if getattr(one, "orig", None)), error)  # type: ignore[union-attr]
    return redact(str(said)).strip()


def _materialized_views(inspector: sqlalchemy.Inspector, schema: str) -> list[str]:
    try:
        return inspector.get_materialized_view_names(schema)
    except NotImplementedError:
        return []


def _plain(engine: Engine, name: str) -> str:
    """A column's name; of MySQL's, SQLAlchemy leaves backticks doubled, as a statement has them."""
    return name.replace("``", "`") if engine.dialect.name in ("mysql", "mariadb") else name


def _text(comment: Mapping[str, Any] | None) -> str | None:
    return (comment or {}).get("text") or None


def _column(engine: Engine, column: ReflectedColumn) -> FoundColumn:
    try:
        text = column["type"].compile(engine.dialect).lower()
    except SQLAlchemyError:  # a type that SQLAlchemy does not know
        text = "unknown"
    name, comment = _plain(engine, column["name"]), column.get("comment") or None
    return FoundColumn(name, _COLLATION.sub("", text), comment, not column.get("nullable", True))
