"""`do: wfs`: geometries of every kind, and in which order and system they are."""

from __future__ import annotations

from tests.services.wfs_server import GEOMETRY, WfsServer, point
from tests.support.one_task import OneTask

SYSTEM = 'srsName="urn:ogc:def:crs:EPSG::3301"'
RING = "<gml:LinearRing><gml:posList>0 0 0 9 9 9 9 0 0 0</gml:posList></gml:LinearRing>"
HOLE = "<gml:LinearRing><gml:posList>1 2 2 3 3 2 1 2</gml:posList></gml:LinearRing>"
POLYGON = (
    f"<gml:Polygon><gml:exterior>{RING}</gml:exterior><gml:interior>{HOLE}</gml:interior>"
    "</gml:Polygon>"
)
# What stands in `geom`, and what PostGIS shows of it. In EPSG:3301 north is first; here x is.
SHAPES: list[tuple[str, str | None]] = [
    (
        f"<gml:Point {SYSTEM}><gml:pos>6589000.1 542000.2</gml:pos></gml:Point>",
        "POINT(542000.2 6589000.1)",
    ),
    (
        f'<gml:Point {SYSTEM} srsDimension="3"><gml:pos>1 2 3.5</gml:pos></gml:Point>',
        "POINT(2 1 3.5)",
    ),
    (
        f"<gml:LineString {SYSTEM}><gml:posList>1 2 3 4</gml:posList></gml:LineString>",
        "LINESTRING(2 1,4 3)",
    ),
    (
        f"<gml:Polygon {SYSTEM}>{POLYGON.removeprefix('<gml:Polygon>')}",
        "POLYGON((0 0,9 0,9 9,0 9,0 0),(2 1,3 2,2 3,2 1))",
    ),
    (
        f"<gml:MultiSurface {SYSTEM}><gml:surfaceMember>{POLYGON}</gml:surfaceMember>"
        "</gml:MultiSurface>",
        "MULTIPOLYGON(((0 0,9 0,9 9,0 9,0 0),(2 1,3 2,2 3,2 1)))",
    ),
    (
        f"<gml:MultiPoint {SYSTEM}><gml:pointMember><gml:Point><gml:pos>1 2</gml:pos></gml:Point>"
        "</gml:pointMember></gml:MultiPoint>",
        "MULTIPOINT((2 1))",
    ),
    (
        f'<gml:MultiCurve {SYSTEM} srsDimension="3"><gml:curveMember><gml:LineString>'
        "<gml:posList>1 2 3 4 5 6</gml:posList></gml:LineString></gml:curveMember>"
        "</gml:MultiCurve>",
        "MULTILINESTRING((2 1 3,5 4 6))",
    ),
    (
        f"<gml:Curve {SYSTEM}><gml:segments><gml:ArcString><gml:posList>0 0 1 1 0 2</gml:posList>"
        "</gml:ArcString></gml:segments></gml:Curve>",
        "CIRCULARSTRING(0 0,1 1,2 0)",
    ),
    (
        f"<gml:Surface {SYSTEM}><gml:patches><gml:PolygonPatch><gml:exterior><gml:Ring>"
        "<gml:curveMember><gml:Curve><gml:segments><gml:Arc><gml:posList>0 0 1 1 0 2</gml:posList>"
        "</gml:Arc><gml:LineStringSegment><gml:posList>0 2 0 0</gml:posList>"
        "</gml:LineStringSegment></gml:segments></gml:Curve></gml:curveMember></gml:Ring>"
        "</gml:exterior></gml:PolygonPatch></gml:patches></gml:Surface>",
        "CURVEPOLYGON(COMPOUNDCURVE(CIRCULARSTRING(0 0,1 1,2 0),(2 0,0 0)))",
    ),
    (
        f"<gml:MultiGeometry {SYSTEM}><gml:geometryMember><gml:Point><gml:pos>1 2</gml:pos>"
        "</gml:Point></gml:geometryMember><gml:geometryMember><gml:LineString><gml:posList>"
        "1 2 3 4</gml:posList></gml:LineString></gml:geometryMember></gml:MultiGeometry>",
        "GEOMETRYCOLLECTION(POINT(2 1),LINESTRING(2 1,4 3))",
    ),
    (f"<gml:MultiSurface {SYSTEM}/>", "MULTIPOLYGON EMPTY"),
    ("", None),
]


def with_shapes(wfs: WfsServer) -> None:
    wfs.properties = {"id": "int", **GEOMETRY}
    wfs.features = [
        f"<ms:id>{number}</ms:id>" + (f"<ms:geom>{shape}</ms:geom>" if shape else "")
        for number, (shape, _) in enumerate(SHAPES)
    ]


def test_geometries_of_every_kind(wfs: WfsServer, postgis_task: OneTask) -> None:
    with_shapes(wfs)
    postgis_task.has(wfs.connection, "do: wfs\nlayer: ms:thing")
    postgis_task.run()
    rows = postgis_task.rows("select st_astext(geom), st_srid(geom) from staging.thing order by id")
    shown = [text and text.replace(" Z ", "") for text, _ in rows]
    assert shown == [text for _, text in SHAPES]
    assert {srid for _, srid in rows} == {3301, None}


def test_geometries_of_every_kind_without_postgis(
    wfs: WfsServer, task: OneTask, postgis_task: OneTask
) -> None:
    with_shapes(wfs)
    for one in (task, postgis_task):
        one.has(wfs.connection, "do: wfs\nlayer: ms:thing")
        one.run()
    ours = task.rows("select encode(geom, 'hex'), geom_geojson from staging.thing order by id")
    theirs = postgis_task.rows(
        "select encode(st_asewkb(geom), 'hex'), case when st_hasarc(geom) then null else "
        "st_asgeojson(geom, 17, 2)::jsonb end from staging.thing order by id"
    )
    assert [row[0] for row in ours] == [row[0] for row in theirs]
    for (_, own), (_, other) in zip(ours, theirs, strict=True):
        if other is not None:
            assert own["type"] == other["type"]
            assert own.get("coordinates") == other.get("coordinates")
    arc, polygon, collection = ours[7][1], ours[8][1], ours[9][1]
    assert arc["type"] == "LineString"
    assert len(arc["coordinates"]) > 20
    assert polygon["type"] == "Polygon"
    assert collection["geometries"][0]["coordinates"] == [2, 1]
    assert ours[11] == (None, None)


def test_a_server_that_gives_x_first_whatever_the_standard_says(
    wfs: WfsServer, postgis_task: OneTask
) -> None:
    wfs.properties = {"name": "string", **GEOMETRY}
    wfs.features = [point("542000 6589000")]
    postgis_task.has(
        wfs.connection,
        "do: wfs\nlayer: thing\naxis_order: xy\nfilter: {bbox: [1, 2, 3, 4]}",
    )
    postgis_task.run()
    assert postgis_task.rows("select st_astext(geom) from staging.thing") == [
        ("POINT(542000 6589000)",)
    ]
    assert "<gml:lowerCorner>1.0 2.0<" in wfs.asked("GetFeature")[-1].get("filter")


def test_a_layer_whose_system_is_not_known(wfs: WfsServer, task: OneTask) -> None:
    wfs.properties, wfs.features = dict(GEOMETRY), [point("1 2")]
    described = wfs.capabilities().replace("DefaultCRS", "Other").replace("OtherCRS", "Other")
    wfs.instead["GetCapabilities"] = described
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    assert "does not say which reference system ms:thing has; give `srid`" in task.fails()
    task.has(wfs.connection, "do: wfs\nlayer: thing\nsrid: 3301")
    task.run()
