"""Geometries as PostGIS reads them, and for a database without PostGIS.

GDAL gives ISO WKB (ISO 19125-1 with the codes of ISO 13249-3), little-endian. PostGIS keeps the
reference system beside the coordinates in EWKB: flags in the type's code instead of thousands,
and the SRID after it (https://libgeos.org/specifications/wkb/).
"""

from __future__ import annotations

import io
import math
import struct
import warnings
from collections.abc import Sequence

import pyarrow as pa

_Z, _M, _SRID = 0x80000000, 0x40000000, 0x20000000
_FLAGS = {0: 0, 1: _Z, 2: _M, 3: _Z | _M}  # by the thousands of an ISO code
_POINT, _LINES, _RINGS = 1, (2, 8), (3, 17)  # what has coordinates itself
_CURVED = range(8, 13)
_NAMES = {
    1: "Point",
    2: "LineString",
    3: "Polygon",
    4: "MultiPoint",
    5: "MultiLineString",
    6: "MultiPolygon",
    7: "GeometryCollection",
    15: "MultiPolygon",  # a surface of polygons
    16: "MultiPolygon",  # a net of triangles
    17: "Polygon",
}
_COLLECTION = 7
_WGS84 = 4326
_PREFIX, _SUFFIX = b'"geometry": ', b" }"


def ewkb(wkb: bytes, srid: int) -> bytes:
    """A geometry with its reference system."""
    plain = wkb if _code(wkb, 0) < 1000 else _flagged(wkb)
    code = _code(plain, 0) | _SRID
    return b"\1" + code.to_bytes(4, "little") + srid.to_bytes(4, "little") + plain[5:]


def geojson(geometries: Sequence[bytes | None], srid: int) -> list[str | None]:
    """Geometries as GeoJSON (RFC 7946), each coordinate exactly as it is.

    Curves, which GeoJSON has not, become many short lines. As PostGIS does it, a reference system
    other than WGS 84 stands in the member `crs`.
    """
    crs = f',"crs":{{"type":"name","properties":{{"name":"EPSG:{srid}"}}}}'
    end = "}" if srid == _WGS84 else f"{crs}}}"
    curved = [wkb for wkb in geometries if wkb is not None and _is_curved(wkb)]
    straight = dict(zip(curved, _straightened(curved), strict=True)) if curved else {}
    return [
        None if wkb is None else (straight.get(wkb) or _text(_Reader(wkb)))[:-1] + end
        for wkb in geometries
    ]


class _Reader:
    """Reads WKB from its beginning."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def header(self) -> tuple[int, int]:
        """The base code of a geometry, and the thousands that stand for Z and M."""
        code = _code(self._data, self._at)
        self._at += 5
        return code % 1000, code // 1000

    def count(self) -> int:
        (number,) = struct.unpack_from("<I", self._data, self._at)
        self._at += 4
        return int(number)

    def numbers(self, count: int) -> tuple[float, ...]:
        found = struct.unpack_from(f"<{count}d", self._data, self._at)
        self._at += 8 * count
        return found

    def block(self, size: int) -> bytes:
        found = self._data[self._at : self._at + size]
        self._at += size
        return found


def _code(wkb: bytes, at: int) -> int:
    return int.from_bytes(wkb[at + 1 : at + 5], "little")


def _dimensions(thousands: int) -> int:
    return (2, 3, 3, 4)[thousands]


def _flagged(wkb: bytes) -> bytes:
    out = bytearray()
    _flag(_Reader(wkb), out)
    return bytes(out)


def _flag(reader: _Reader, out: bytearray) -> None:
    """Copies a geometry with flags instead of thousands, and all geometries within it."""
    base, thousands = reader.header()
    out += b"\1" + (base | _FLAGS[thousands]).to_bytes(4, "little")
    size = 8 * _dimensions(thousands)
    if base == _POINT:
        out += reader.block(size)
        return
    count = reader.count()
    out += count.to_bytes(4, "little")
    if base in _LINES:
        out += reader.block(count * size)
    elif base in _RINGS:
        for _ in range(count):
            points = reader.count()
            out += points.to_bytes(4, "little") + reader.block(points * size)
    else:
        for _ in range(count):
            _flag(reader, out)


def _is_curved(wkb: bytes) -> bool:
    base = _code(wkb, 0) % 1000
    if base != _COLLECTION:
        return base in _CURVED
    return _has_curve(_Reader(wkb))


def _has_curve(reader: _Reader) -> bool:
    """Whether there is a curve in a collection, down to the first."""
    base, thousands = reader.header()
    if base in _CURVED:
        return True
    size = 8 * _dimensions(thousands)
    if base == _POINT:
        reader.block(size)
        return False
    count = reader.count()
    if base in _LINES:
        reader.block(count * size)
        return False
    if base in _RINGS:
        for _ in range(count):
            reader.block(reader.count() * size)
        return False
    return any(_has_curve(reader) for _ in range(count))


def _text(reader: _Reader) -> str:
    """A geometry without curves as GeoJSON."""
    base, thousands = reader.header()
    name = _NAMES[base]
    if base == _COLLECTION:
        parts = ",".join(_text(reader) for _ in range(reader.count()))
        return f'{{"type":"{name}","geometries":[{parts}]}}'
    return f'{{"type":"{name}","coordinates":{_coordinates(reader, base, thousands)}}}'


def _coordinates(reader: _Reader, base: int, thousands: int) -> str:
    if base == _POINT:
        numbers = reader.numbers(_dimensions(thousands))
        return "[]" if all(map(math.isnan, numbers)) else _positions(numbers, thousands)
    count = reader.count()
    if base in _LINES:
        parts = _positions(reader.numbers(count * _dimensions(thousands)), thousands)
    elif base in _RINGS:
        parts = ",".join(_ring(reader, thousands) for _ in range(count))
    else:
        parts = ",".join(_coordinates(reader, *reader.header()) for _ in range(count))
    return f"[{parts}]"


def _ring(reader: _Reader, thousands: int) -> str:
    numbers = reader.numbers(reader.count() * _dimensions(thousands))
    return f"[{_positions(numbers, thousands)}]"


def _positions(numbers: tuple[float, ...], thousands: int) -> str:
    """Positions with commas between. GeoJSON knows no M."""
    step, shown = _dimensions(thousands), 3 if thousands in (1, 3) else 2
    texts = list(map(repr, numbers))
    columns = [texts[axis::step] for axis in range(shown)]
    return ",".join([f"[{','.join(position)}]" for position in zip(*columns, strict=True)])


def _straightened(geometries: Sequence[bytes]) -> list[str]:
    """Curves as GeoJSON, by GDAL."""
    import pyogrio

    out = io.BytesIO()
    table = pa.table({"geometry": pa.array(geometries, pa.binary())})
    with warnings.catch_warnings(action="ignore"):  # that it does not know where they are
        pyogrio.write_arrow(
            table,
            out,
            driver="GeoJSONSeq",
            geometry_name="geometry",
            geometry_type="Unknown",
            crs=None,
            COORDINATE_PRECISION="17",
        )
    found = []
    for line in out.getvalue().splitlines():
        start = line.index(_PREFIX) + len(_PREFIX)
        found.append(line[start : -len(_SUFFIX)].decode())
    return found
