"""What a route's connection offers: tables, layers, streams, files and sheets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dapu.definitions.folders import ROUTE_FILE, scan
from dapu.definitions.models import Route
from dapu.errors import ConfigurationError
from dapu.suggest import nearest
from dapu.warehouse.connection_kinds import (
    Connection,
    ConnectorConnection,
    FilesConnection,
    RestConnection,
    WfsConnection,
)
from dapu.warehouse.warehouse import Warehouse
from dapu.warehouse.yamlfile import read_model

_MOST_FILES = 1_000
_LONGEST = 60.0  # seconds that a workbook may take


@dataclass(frozen=True)
class Offer:
    """What there is.

    kind: what a thing is called. headings: what is known of each. rows: one a thing.
    hint: what to know of it, in a sentence.
    """

    connection: str
    kind: str
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    hint: str | None = None


def discover(warehouse: Warehouse, source: str) -> Offer:
    """Asks a connection what it has. source: a route, or a connection.

    Raises ConfigurationError for an unknown name, JobError when the source does not answer.
    """
    name = connection_of(warehouse, source)
    connection = warehouse.connections.named(name)
    look = next((look for kind, look in _LOOKS if isinstance(connection, kind)), _tables)
    return look(warehouse, name, connection)


def connection_of(warehouse: Warehouse, source: str) -> str:
    """The connection that a name means: that of the route of this name, else itself.

    Raises ConfigurationError when there is neither.
    """
    file = warehouse.folder / "routes" / source / ROUTE_FILE
    if file.is_file():
        return read_model(Route, file).connection
    if source in warehouse.connections:
        return source
    known = {*scan(warehouse.folder).routes, *warehouse.connections}
    raise ConfigurationError(
        f"there is no route `{source}`, nor such a connection{nearest(source, known)}"
    )


def _tables(warehouse: Warehouse, name: str, connection: Connection) -> Offer:  # noqa: ARG001
    from dapu.sources.databases.introspect import tables

    rows = [
        (
            one.schema,
            one.name,
            one.kind,
            {column.name: column.type for column in one.columns},
            one.fault,
        )
        for one in tables(warehouse, name)
    ]
    return Offer(name, "table", ("schema", "name", "kind", "columns", "fault"), rows)


def _layers(warehouse: Warehouse, name: str, connection: Connection) -> Offer:  # noqa: ARG001
    from dapu.sources.http.session import HttpSession
    from dapu.sources.wfs.service import Service

    assert isinstance(connection, WfsConnection)
    with closing(HttpSession(connection, lambda _: None)) as session:
        found = Service(connection, session).capabilities
    rows = [(layer.name, layer.title, layer.srids) for layer in found.layers]
    hint = f"WFS {found.version}; the first of the srids is the layer's own"
    return Offer(name, "layer", ("layer", "title", "srids"), rows, hint)


def _streams(warehouse: Warehouse, name: str, connection: Connection) -> Offer:  # noqa: ARG001
    from dapu.sources.connectors.open import open_connector

    connector = open_connector(warehouse, name, lambda *_: None)
    rows = [
        (
            str(stream.name),
            tuple(stream.sync_modes),
            tuple(".".join(path) for path in stream.key),
            {column.name: column.type for column in stream.columns().values()},
        )
        for stream in connector.discover().values()
    ]
    return Offer(name, "stream", ("stream", "modes", "key", "columns"), rows)


def _files(warehouse: Warehouse, name: str, connection: Connection) -> Offer:  # noqa: ARG001
    from dapu.sources.files.file_tables import FileTable, tables_of
    from dapu.sources.files.formats.workbook import Workbooks
    from dapu.sources.files.places.place import open_place

    place = open_place(warehouse, name)
    found = place.find("**/*")
    rows: list[tuple[Any, ...]] = []
    with Workbooks(seconds=_LONGEST) as books:
        for file in found[:_MOST_FILES]:
            path = Path(file.path)
            tables = tables_of(books, file.name, path) if place.is_local else [FileTable(None)]
            rows += [(file.name, file.size, one.sheet, one.columns, one.fault) for one in tables]
    more = len(found) - _MOST_FILES
    hint = f"and {more:,} more" if more > 0 else None
    return Offer(name, "sheet or file", ("file", "bytes", "sheet", "columns", "fault"), rows, hint)


def _service(warehouse: Warehouse, name: str, connection: Connection) -> Offer:  # noqa: ARG001
    hint = (
        f"a web service does not say what it has; read the documentation of {connection}, and try "
        "a path with `do: rest` and `dapu run`: without `columns` each record is a document"
    )
    return Offer(name, "web service", hint=hint)


_Look = Callable[[Warehouse, str, Connection], Offer]
_LOOKS: Sequence[tuple[type[Connection], _Look]] = (
    (ConnectorConnection, _streams),
    (WfsConnection, _layers),
    (FilesConnection, _files),
    (RestConnection, _service),
)
