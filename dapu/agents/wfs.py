"""`do: wfs`: the features of a layer of a Web Feature Service become rows of the task's table."""

from __future__ import annotations

import hashlib
import tempfile
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field

from dapu.agents.base import Context, SourceAgent
from dapu.agents.incremental.newest import Newest
from dapu.agents.incremental.resume import bounds, keep_newest
from dapu.errors import ConfigurationError, JobError
from dapu.loading.options import LoadOptions
from dapu.loading.table.relation import describe
from dapu.named_sql import statement
from dapu.rows.rows import ArrowRows, Rows
from dapu.sources.documents.column_types import ColumnType
from dapu.sources.http.session import HttpSession
from dapu.sources.wfs.columns import FeatureColumn, converted, geometry_columns, property_column
from dapu.sources.wfs.duplicates import Account
from dapu.sources.wfs.feature_type import FeatureType, read_feature_type
from dapu.sources.wfs.features import Features, PageSize, Question
from dapu.sources.wfs.gml import Axes, read_piece
from dapu.sources.wfs.gml_checks import Checks
from dapu.sources.wfs.selection import Conditions, Selection, question, select
from dapu.sources.wfs.service import Layer, Service
from dapu.suggest import nearest
from dapu.warehouse.connection_kinds import WfsConnection
from dapu.warehouse.yamlfile import Strict

_REMEMBERED = "update sequence"


def _condition(text: str) -> str:
    from dapu.sources.wfs.filters import parse_condition

    parse_condition(text)  # a FaultyCondition is a ValueError, which pydantic reports with the line
    return text


def _box(corners: list[float]) -> list[float]:
    if len(corners) != 4 or corners[0] > corners[2] or corners[1] > corners[3]:
        raise ValueError("a box is [least x, least y, greatest x, greatest y]")
    return corners


class WfsFilter(Strict):
    """Which features are wanted; the server looks, so that the others do not travel."""

    where: Annotated[str, AfterValidator(_condition)] | None = Field(
        None, description="A condition in SQL on properties: `area > 100 and kind in ('A', 'B')`"
    )
    bbox: Annotated[list[float], AfterValidator(_box)] | None = Field(
        None, description="[least x, least y, greatest x, greatest y], in the system of `srid`"
    )


class WfsOptions(LoadOptions):
    """Brings the features of a layer into the task's table."""

    reads: ClassVar[tuple[str, ...]] = ("layer",)
    can_hash: ClassVar[bool] = True

    do: Literal["wfs"]
    connection: str | None = Field(None, description="Default: the route's")
    layer: str = Field(description="Feature type; `dapu discover` lists them")
    properties: list[str] | dict[str, str] | None = Field(
        None, description="Those wanted, or each with the name of its column; default all"
    )
    types: dict[str, ColumnType] = Field(
        {}, description="Types of columns; default the table's, or those that hold the values"
    )
    geometry: str | Literal[False] | None = Field(
        None, description="Name of the geometry's column; `false` leaves the geometry out"
    )
    srid: int | None = Field(
        None, ge=1, description="EPSG number of the coordinates; default the layer's own"
    )
    filter: WfsFilter = Field(WfsFilter.model_validate({}), description="Which features are wanted")
    axis_order: Literal["standard", "xy"] = Field(
        "standard",
        description="`xy` for a server that gives x first where the standard has y first",
    )
    page_size: PageSize | None = Field(
        None,
        description="Features to ask for at once; default all, and on from there where the server "
        "gives less; `all` takes its first answer for all",
    )
    sort_by: str | None = Field(
        None, description="A property that orders the features, for a server that has no order"
    )
    trust_update_sequence: bool = Field(
        False, description="Do not read while the server's `updateSequence` is the same"
    )


class WfsAgent(SourceAgent[WfsOptions]):
    """Reads a layer, page by page."""

    name = "wfs"
    options = WfsOptions

    @contextmanager
    def read(self, context: Context, options: WfsOptions) -> Iterator[Rows | None]:
        """The features; None when the server says that nothing has changed."""
        name = options.connection or context.action.connection
        connection = context.warehouse.connections.named(name)
        if not isinstance(connection, WfsConnection):
            raise ConfigurationError(f"the connection `{name}` is not a `driver: wfs`")
        with (
            tempfile.TemporaryDirectory(prefix="dapu-wfs-") as folder,
            closing(HttpSession(connection, context.note)) as session,
            context.stoppable(session.stop),
        ):
            service = Service(connection, session)
            reading = _WfsReading(context, options, service, Path(folder))
            yield reading.rows(session)
            reading.finish()


class _WfsReading:
    """One run of the agent."""

    def __init__(
        self, context: Context, options: WfsOptions, service: Service, folder: Path
    ) -> None:
        self._context, self._options = context, options
        self._service, self._folder = service, folder
        self._account = Account()
        self._newest = Newest(options.watermark.column) if options.watermark else None
        self._starts: list[tuple[int, int, int]] = []

    def rows(self, session: HttpSession) -> Rows | None:
        """The rows; pages after the first are asked for while rows are loaded."""
        with self._context.session.cursor() as cursor:
            target = describe(cursor, self._context.table)
            cursor.execute(statement("geometry.type"))
            postgis = cursor.fetchone()
        types = {column.name: column.type for column in target.columns} if target else {}
        types |= self._options.types
        layer = self._service.capabilities.layer(self._options.layer)
        if target is not None and self._is_unchanged():
            return None
        known = read_feature_type(self._service.schema(layer.name), layer.name)
        selection = self._select(layer, known)
        features = self._features(selection, known)
        batches = self._batches(features, selection)
        first = next(batches, None)
        columns = _columns(selection, types, postgis[0] if postgis else None, first)
        every = chain([] if first is None else [first], batches)
        return ArrowRows(
            [column.column for _, column in columns],
            (converted(batch, columns) for batch in every),
            self._locate,
            session.stop,
        )

    def finish(self) -> None:
        """Called when all rows are loaded."""
        if self._options.watermark is not None and self._newest is not None:
            keep_newest(self._context, self._options.watermark, self._newest)
        self._context.state_after.entries[_REMEMBERED] = self._state

    @cached_property
    def _state(self) -> dict[str, Any]:
        """What must be the same for the rows to be the same, if the server can be trusted."""
        digest = hashlib.sha256(self._options.model_dump_json().encode()).hexdigest()
        return {"sequence": self._service.capabilities.sequence, "options": digest}

    def _is_unchanged(self) -> bool:
        """Whether the server's sequence is as it was; by the standard it says nothing of data."""
        if not self._options.trust_update_sequence or not self._state["sequence"]:
            return False
        return bool(self._context.state_before.entries.get(_REMEMBERED) == self._state)

    @cached_property
    def _axes(self) -> Axes:
        """WFS 1.0 always has x first."""
        old = self._service.capabilities.version.startswith("1.0")
        return Axes(standard=self._options.axis_order == "standard" and not old)

    def _select(self, layer: Layer, known: FeatureType) -> Selection:
        options = self._options
        found = select(layer, known, options.properties, options.geometry, options.srid)
        names = [name for _, name in (*found.properties, *filter(None, [found.geometry]))]
        for name in options.types:
            if name not in names:
                raise ConfigurationError(f"types: there is no column {name}{nearest(name, names)}")
        return found

    def _features(self, selection: Selection, known: FeatureType) -> Features:
        options, version = self._options, self._service.capabilities.version
        try:
            asked = question(
                version, selection, self._conditions(selection), known.properties, self._axes
            )
        except ValueError as error:  # what is wrong with a condition
            raise ConfigurationError(f"filter.where: {error}") from None
        parameters = self._service.names(selection.layer.name) | asked
        if options.sort_by is not None:
            parameters["sortby"] = options.sort_by
        texts = [one.name for one, _ in selection.properties if one.kind == "text"]
        srid = selection.srid if selection.geometry else None
        checks = Checks(texts, srid, selection.layer.srids)
        what = Question(parameters, options.page_size)
        self._context.note(f"reads {selection.layer.name} (WFS {version})")
        return Features(self._service, what, checks, self._folder)

    def _conditions(self, selection: Selection) -> Conditions:
        given, watermark = self._options.filter, self._options.watermark
        low, high = bounds(self._context, watermark)
        if watermark is None:
            return Conditions(given.where, given.bbox)
        return Conditions(
            given.where,
            given.bbox,
            selection.property_of(watermark.column),
            _text(low),
            _text(high),
            nulls=watermark.nulls == "include" and self._context.backfill is None,
        )

    def _batches(self, features: Features, selection: Selection) -> Iterator[pa.RecordBatch]:
        """The features as they come."""
        properties = [one for one, _ in selection.properties]
        geometry = selection.geometry[0].name if selection.geometry else None
        row = 1
        for piece in features.pieces():
            self._starts.append((row, piece.page, piece.first))
            row += piece.features
            for batch in read_piece(piece, selection.element, properties, geometry, self._axes):
                self._account.see(piece.page, batch)
                self._see_watermark(batch, selection)
                yield batch
        self._account.end()

    def _see_watermark(self, batch: pa.RecordBatch, selection: Selection) -> None:
        if self._newest is None:
            return
        names = [name for _, name in selection.properties]
        position = names.index(self._newest.column)
        kind = selection.properties[position][0].kind
        for text in pc.unique(batch.column(position + 1)).to_pylist():
            if text:
                self._newest.see(_value(text, kind))

    def _locate(self, row: int, column: str) -> str:  # noqa: ARG002 - features have no columns
        """Where a row (from 1) stood: `page 3, feature 17`."""
        piece = bisect_right(self._starts, row, key=lambda start: start[0]) - 1
        first_row, page, first = self._starts[piece]
        return f"page {page}, feature {first + row - first_row}"


def _columns(
    selection: Selection,
    target: Mapping[str, str],
    postgis: str | None,
    first: pa.RecordBatch | None,
) -> list[tuple[int, FeatureColumn]]:
    """The columns, each with its position in a batch. first: some features, if there are any."""
    columns = []
    for position, (one, name) in enumerate(selection.properties, start=1):
        values = None if first is None else first.column(position)
        columns.append((position, property_column(one, name, target.get(name), values)))
    if selection.geometry is not None:
        position = 1 + len(selection.properties)
        shapes = geometry_columns(selection.geometry[1], selection.srid, target, postgis)
        columns += [(position, shape) for shape in shapes]
    return columns


def _value(text: str, kind: str) -> Any:
    """A value of the watermark's property, of which numbers can be taken away."""
    try:
        return {"integer": int, "number": Decimal}.get(kind, str)(text)
    except (ValueError, ArithmeticError):
        raise JobError(f"the watermark's column has the value {text!r}, no {kind}") from None


def _text(value: Any) -> str | None:
    if isinstance(value, date | datetime):
        return value.isoformat()
    return None if value is None else str(value)
