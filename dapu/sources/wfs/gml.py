"""GML read by GDAL, without letting it guess: every value stays the text that it is.

A file `.gfs` beside the GML says which elements are properties, all of them texts, so that GDAL
neither looks through the file first nor makes a number of a text.
https://gdal.org/en/stable/drivers/vector/gml.html
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.compute as pc

from dapu.errors import ConfigurationError, JobError
from dapu.sources.wfs.feature_type import Property
from dapu.sources.wfs.gml_checks import SPACE_MARK
from dapu.sources.wfs.gml_stream import Piece

ID, GEOMETRY = "id", "geometry"
_ROWS = 5_000  # in a batch
_IDS = ("gml_id", "fid")
_POINT = (
    '<c xmlns:gml="http://www.opengis.net/gml/3.2"><gml:featureMember><f><g>'
    '<gml:Point srsName="urn:ogc:def:crs:EPSG::{}"><gml:pos>1 2</gml:pos></gml:Point>'
    "</g></f></gml:featureMember></c>"
)


@dataclass(frozen=True)
class Axes:
    """In which order coordinates stand.

    standard: as the reference system defines it; False: x is first, always.
    """

    standard: bool

    @property
    def options(self) -> dict[str, str]:
        """What to pass to GDAL. Also a short name (`EPSG:4326`) means the standard's order."""
        if self.standard:
            return {"CONSIDER_EPSG_AS_URN": "YES", "INVERT_AXIS_ORDER_IF_LAT_LONG": "YES"}
        return {"INVERT_AXIS_ORDER_IF_LAT_LONG": "NO"}

    def turns(self, srid: int) -> bool:
        """Whether y is first: north, or latitude."""
        return self.standard and _is_turned(srid)


def read_piece(
    piece: Piece, element: str, properties: Sequence[Property], geometry: str | None, axes: Axes
) -> Iterator[pa.RecordBatch]:
    """The features of a piece, some at a time.

    element: the local name of a feature. geometry: the property with the geometry, if wanted.
    The columns are `id` (of GML; null without one), a text for each property, or a list of texts
    for one that repeats, and the geometry as ISO WKB.
    Raises JobError when GDAL does not read as many features as are there.
    """
    description = piece.path.with_suffix(".gfs")
    _write_description(description, element, properties, geometry)
    names = [f"p{number}" for number in range(len(properties))]
    count = 0
    for batch in _read(piece, axes):
        count += batch.num_rows
        yield _arranged(batch, properties, names, geometry is not None, marked=piece.marked)
    description.unlink()
    if count != piece.features:
        raise JobError(
            f"page {piece.page}: of {piece.features:,} features from {piece.first:,} on GDAL can "
            f"read {count:,} only; nothing was kept"
        )


@cache
def _is_turned(srid: int) -> bool:
    """Whether a reference system is defined with y first."""
    document = _POINT.format(srid).encode()
    with _gdal().open_arrow(document, use_pyarrow=True, **_OPTIONS) as (_, reader):
        (row,) = reader.read_all().to_pylist()
    wkb = next(value for value in row.values() if isinstance(value, bytes))
    return wkb[5:13] != b"\0\0\0\0\0\0\xf0\x3f"  # 1.0


_MARKED = re.compile(f"^{SPACE_MARK}(\\s|$)")
_OPTIONS = {
    "EMPTY_AS_NULL": "NO",
    "EXPOSE_GML_ID": "YES",
    "EXPOSE_FID": "YES",
    "DOWNLOAD_SCHEMA": "NO",
    "WRITE_GFS": "NO",
}


def _gdal() -> Any:
    try:
        import pyogrio
    except ImportError:
        raise ConfigurationError(
            "`do: wfs` needs GDAL: install it with pip install 'dapu[wfs]'"
        ) from None
    logging.getLogger("pyogrio").setLevel(logging.CRITICAL)
    return pyogrio


def _read(piece: Piece, axes: Axes) -> Iterator[pa.RecordBatch]:
    pyogrio = _gdal()
    options = _OPTIONS | axes.options
    try:
        with pyogrio.open_arrow(piece.path, use_pyarrow=True, batch_size=_ROWS, **options) as found:
            yield from found[1]
    except (RuntimeError, pa.ArrowException, OSError) as error:
        raise JobError(f"page {piece.page}: GDAL cannot read it: {error}") from error


def _write_description(
    path: Path, element: str, properties: Sequence[Property], geometry: str | None
) -> None:
    parts = ["<GeometryType>100</GeometryType>"]  # none
    if geometry is not None:
        parts[0] = ""
        parts.append(
            f"<GeomPropertyDefn><Name>{GEOMETRY}</Name><ElementPath>{escape(geometry)}"
            "</ElementPath><Type>0</Type></GeomPropertyDefn>"
        )
    for number, one in enumerate(properties):
        kind = "StringList" if one.repeats else "String"
        parts.append(
            f"<PropertyDefn><Name>p{number}</Name><ElementPath>{escape(one.path)}</ElementPath>"
            f"<Type>{kind}</Type></PropertyDefn>"
        )
    name = escape(element)
    path.write_text(
        "<GMLFeatureClassList><SequentialLayers>true</SequentialLayers><GMLFeatureClass>"
        f"<Name>{name}</Name><ElementPath>{name}</ElementPath>{''.join(parts)}"
        "</GMLFeatureClass></GMLFeatureClassList>",
        encoding="utf-8",
    )


def _arranged(
    batch: pa.RecordBatch,
    properties: Sequence[Property],
    names: Sequence[str],
    with_geometry: bool,
    *,
    marked: bool,
) -> pa.RecordBatch:
    known = set(batch.schema.names)
    nothing = pa.nulls(batch.num_rows, pa.string())
    id_name = next((name for name in _IDS if name in known), None)
    columns = [batch.column(id_name) if id_name else nothing]
    for one, name in zip(properties, names, strict=True):
        column = batch.column(name)
        columns.append(_unmarked(column, repeats=one.repeats) if marked else column)
    labels = [ID, *names]
    if with_geometry:
        columns.append(batch.column(GEOMETRY).cast(pa.binary()))
        labels.append(GEOMETRY)
    return pa.RecordBatch.from_arrays(columns, labels)


def _unmarked(column: pa.Array, *, repeats: bool) -> pa.Array:
    """See `mark_spaces`."""
    if repeats:
        lists = [
            None if texts is None else [_MARKED.sub(r"\1", text) for text in texts]
            for texts in column.to_pylist()
        ]
        return pa.array(lists, column.type)
    return pc.replace_substring_regex(column, _MARKED.pattern, r"\1")
