"""What a route's connection offers: tables, layers, files and sheets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dapu.definitions.folders import ROUTE_FILE, scan
from dapu.definitions.models import Route
from dapu.errors import ConfigurationError, JobError
from dapu.suggest import nearest
from dapu.warehouse.connections import Connection, FilesConnection, RestConnection, WfsConnection
from dapu.warehouse.warehouse import Warehouse
from dapu.warehouse.yamlfile import read_model

if TYPE_CHECKING:
    from dapu.sources.files.formats.workbook import Workbooks

_MOST_FILES = 1_000
_LONGEST = 60.0  # seconds that a workbook may take to tell its sheets
_WORKBOOKS = {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"}


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


def discover(warehouse: Warehouse, route: str) -> Offer:
    """Asks a route's connection what it has.

    Raises ConfigurationError for an unknown route, JobError when the source does not answer.
    """
    file = warehouse.folder / "routes" / route / ROUTE_FILE
    if not file.is_file():
        routes = scan(warehouse.folder).routes
        raise ConfigurationError(f"there is no route `{route}`{nearest(route, routes)}")
    name = read_model(Route, file).connection
    connection = warehouse.connections.named(name)
    look = next((look for kind, look in _LOOKS if isinstance(connection, kind)), _tables)
    return look(warehouse, name, connection)


def _tables(warehouse: Warehouse, name: str, connection: Connection) -> Offer:  # noqa: ARG001
    from dapu.sources.databases.introspect import tables

    rows = [(one.schema, one.name, one.kind, dict(one.columns)) for one in tables(warehouse, name)]
    return Offer(name, "table", ("schema", "name", "kind", "columns"), rows)


def _layers(warehouse: Warehouse, name: str, connection: Connection) -> Offer:  # noqa: ARG001
    from dapu.sources.http.session import HttpSession
    from dapu.sources.wfs.service import Service

    assert isinstance(connection, WfsConnection)
    with closing(HttpSession(connection, lambda _: None)) as session:
        found = Service(connection, session).capabilities
    rows = [(layer.name, layer.title, layer.srids) for layer in found.layers]
    hint = f"WFS {found.version}; the first of the srids is the layer's own"
    return Offer(name, "layer", ("layer", "title", "srids"), rows, hint)


def _files(warehouse: Warehouse, name: str, connection: Connection) -> Offer:  # noqa: ARG001
    from dapu.sources.files.formats.workbook import Workbooks
    from dapu.sources.files.places.place import open_place

    place = open_place(warehouse, name)
    found = place.find("**/*")
    rows: list[tuple[Any, ...]] = []
    with Workbooks(seconds=_LONGEST) as books:
        for file in found[:_MOST_FILES]:
            sheets = _sheets(books, file.name, Path(file.path)) if place.is_local else ()
            rows.append((file.name, file.size, tuple(sheets)))
    more = len(found) - _MOST_FILES
    hint = f"and {more:,} more" if more > 0 else None
    return Offer(name, "file", ("file", "bytes", "sheets"), rows, hint)


def _sheets(books: Workbooks, name: str, path: Path) -> Iterator[str]:
    """The sheets of a workbook that can be seen; none of other files, nor of broken ones."""
    if path.suffix.lower() not in _WORKBOOKS:
        return
    try:
        yield from books.open(name, path).sheets("*")
    except (JobError, OSError) as error:
        yield f"({error})"


def _service(warehouse: Warehouse, name: str, connection: Connection) -> Offer:  # noqa: ARG001
    hint = (
        f"a web service does not say what it has; read the documentation of {connection}, and try "
        "a path with `do: rest` and `dapu run`: without `columns` each record is a document"
    )
    return Offer(name, "web service", hint=hint)


_Look = Callable[[Warehouse, str, Connection], Offer]
_LOOKS: Sequence[tuple[type[Connection], _Look]] = (
    (WfsConnection, _layers),
    (FilesConnection, _files),
    (RestConnection, _service),
)
