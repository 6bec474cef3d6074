"""`do: wfs` with features and faults that a real server gives only once in a while."""

from __future__ import annotations

from typing import Any

import pytest

from tests.one_task import OneTask
from tests.services.misbehaving_http import Asked, MisbehavingServer, Reply
from tests.services.wfs_server import WfsServer


@pytest.fixture
def wfs(server: MisbehavingServer) -> WfsServer:
    return WfsServer(server)


def point(text: str, dimension: int = 2) -> str:
    return (
        f'<ms:geom><gml:Point srsName="urn:ogc:def:crs:EPSG::3301" srsDimension="{dimension}">'
        f"<gml:pos>{text}</gml:pos></gml:Point></ms:geom>"
    )


GEOMETRY = {"geom": "gml:GeometryPropertyType"}
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


def test_texts_arrive_as_they_are(wfs: WfsServer, task: OneTask) -> None:
    """GDAL alone would cut spaces off, and make numbers of texts."""
    wfs.properties = {
        "name": "string",
        "amount": "decimal",
        "nothing": "string",
        "tag": 'type="string" maxOccurs="unbounded"',
    }
    wfs.features = [
        "<ms:name>  \n two &amp; &lt;three&gt;  </ms:name><ms:amount>1.10</ms:amount>"
        '<ms:nothing/><ms:tag> a</ms:tag><ms:tag/><ms:tag>"b",\\</ms:tag>',
        "<ms:name><![CDATA[ <x> ]]></ms:name>"
        "<ms:amount>12345678901234567890.12345678901234567890</ms:amount>",
        '<ms:name xsi:nil="true"/><ms:amount/><ms:nothing xsi:nil="true"/>',
        "<ms:name>   </ms:name><ms:amount>1e400</ms:amount><ms:nothing>007</ms:nothing>",
        "<ms:name>Ülo\ue000 õ</ms:name><ms:amount>INF</ms:amount>",
    ]
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    task.run()
    rows = task.rows("select name, amount::text, nothing, tag from staging.thing")
    assert [row[0] for row in rows] == [
        "  \n two & <three>  ",
        " <x> ",
        None,
        "   ",
        "Ülo\ue000 õ",
    ]
    assert [row[1] for row in rows] == [
        "1.10",
        "12345678901234567890.12345678901234567890",
        None,
        "1" + "0" * 400,
        "Infinity",
    ]
    assert [row[2] for row in rows] == ["", None, None, "007", None]
    assert rows[0][3] == [" a", "", '"b",\\']
    assert rows[1][3] is None
    assert task.types() == {"name": "text", "amount": "numeric", "nothing": "text", "tag": "jsonb"}


@pytest.mark.parametrize(
    ("values", "type_name"),
    [
        (["2024-01-01", ""], "date"),
        (["2024-01-01T10:00:00Z", "2024-01-01T10:00:00.123456+02:00"], "timestamp with time zone"),
        (["2024-01-01T10:00:00", "2024-02-29 10:00:00.5"], "timestamp without time zone"),
        (["2024-01-01T10:00:00", "2024-01-01T10:00:00Z"], "text"),
        (["2024-01-01T10:00:00.1234567Z"], "text"),
        (["10:00:00"], "time without time zone"),
        (["2024"], "text"),
        ([""], "text"),
    ],
)
def test_a_time_has_the_type_that_holds_all_of_it(
    wfs: WfsServer, task: OneTask, values: list[str], type_name: str
) -> None:
    wfs.properties = {"at": "dateTime"}
    wfs.features = [f"<ms:at>{value}</ms:at>" for value in values]
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    task.run()
    assert task.types() == {"at": type_name}


def test_times_of_a_layer_without_features_are_what_the_schema_says(
    wfs: WfsServer, task: OneTask
) -> None:
    wfs.properties = {"at": "dateTime", "day": "date", "hour": "time"}
    wfs.features = []
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    task.run()
    assert task.types() == {
        "at": "timestamp with time zone",
        "day": "date",
        "hour": "time without time zone",
    }
    wfs.features = ["<ms:at>2024-01-01T10:00:00Z</ms:at><ms:day>2024-01-01</ms:day>"]
    assert "1 rows" in task.run()


def test_a_time_that_would_lose_a_part_is_an_error(wfs: WfsServer, task: OneTask) -> None:
    wfs.properties = {"at": "date"}
    wfs.features = ["<ms:at>2024-01-01</ms:at>"]
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    task.run()
    wfs.features = ["<ms:at>2024-01-01T23:59:00</ms:at>"]
    assert (
        "the column at would lose a part of '2024-01-01T23:59:00': its type is date" in task.fails()
    )


def test_what_the_server_says_of_a_property_is_not_believed(wfs: WfsServer, task: OneTask) -> None:
    wfs.properties = {"a": "int", "b": "boolean", "c": "double"}
    wfs.features = [
        "<ms:a>true</ms:a><ms:b>1</ms:b><ms:c>1.5</ms:c>",
        "<ms:a>1</ms:a><ms:b>true</ms:b><ms:c>n/a</ms:c>",
    ]
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    task.run()
    assert task.types() == {"a": "text", "b": "boolean", "c": "text"}


def features(count: int) -> list[str]:
    return [f"<ms:name>{number}</ms:name>{point(f'{number} 7')}" for number in range(count)]


def test_a_server_that_ignores_paging(wfs: WfsServer, task: OneTask) -> None:
    wfs.features, wfs.limit, wfs.pages = features(50), 20, False
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    assert "page 2 has the same features as page 1: the server ignores `startindex`" in task.fails()
    wfs.with_ids = False
    assert "page 2 has the same features as page 1" in task.fails()
    wfs.says_how_many = False
    assert "page 2 has the same features as page 1" in task.fails()
    task.has(wfs.connection, "do: wfs\nlayer: thing\npage_size: all")
    wfs.says_how_many = True
    assert "the server has 50 features and gave 20: without `page_size: all`" in task.fails()
    assert not task.has_table()


def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dapu.wfs.answer._PIECE", 2_000)
    monkeypatch.setattr("dapu.http.session._BLOCK", 777)


def test_an_answer_is_read_in_pieces_while_it_comes(
    wfs: WfsServer, task: OneTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_pieces(monkeypatch)
    wfs.features = [f"<ms:name> {number}\n</ms:name>" for number in range(500)]
    wfs.limit = 300
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    task.run()
    assert task.rows("select count(*), count(distinct name) from staging.thing") == [(500, 500)]
    wfs.properties = {"name": "int"}
    wfs.features = [f"<ms:name>{number}</ms:name>" for number in range(500)]
    wfs.features[402] = "<ms:name>x</ms:name>"
    task.execute("drop table staging.thing")
    assert "(page 2, feature 103)" in task.fails()


def test_features_that_are_all_in_one_element(
    wfs: WfsServer, task: OneTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As WFS 1.1 allows it, and GeoServer does it."""
    in_small_pieces(monkeypatch)
    wfs.features = features(500)
    whole = wfs.page(wfs.features, numberReturned="").replace("<wfs:member>", "")
    whole = whole.replace("</wfs:member>", "").replace(
        "<ms:thing", "<gml:featureMembers><ms:thing", 1
    )
    whole = whole.replace("</wfs:FeatureC", "</gml:featureMembers></wfs:FeatureC")
    hits = wfs.page([])
    wfs.instead["GetFeature"] = lambda asked: hits if asked.get("resulttype") else whole
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    task.run()
    assert task.rows("select count(*), count(distinct name) from staging.thing") == [(500, 500)]


def test_an_answer_that_broke_off_is_gone_on_with(
    wfs: WfsServer, task: OneTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dapu.http.patience.FIRST_WAIT", 0.01)
    in_small_pieces(monkeypatch)
    wfs.features = features(500)
    left = [300, 400]

    def answer(asked: Asked) -> Any:
        if asked.get("resulttype"):
            return wfs.page([])
        start = int(asked.get("startindex", "0"))
        whole = wfs.page(wfs.features[start:], start)
        if not left:
            return whole
        size = whole.index(f'gml:id="thing.{left.pop(0)}"')
        return Reply(whole[:size], missing=len(whole) - size)

    wfs.instead["GetFeature"] = answer
    task.has(wfs.connection.replace("retries: 0", "retries: 1"), "do: wfs\nlayer: thing")
    task.run()
    assert task.rows("select count(*), count(distinct name) from staging.thing") == [(500, 500)]
    assert sum("the answer broke off" in event for event in task.events()) == 2


def test_a_server_that_does_not_say_how_many_there_are(wfs: WfsServer, task: OneTask) -> None:
    wfs.features, wfs.limit, wfs.says_how_many = features(50), 20, False
    task.has(wfs.connection, "do: wfs\nlayer: thing\nkey: [name]")
    task.run()
    assert task.rows("select count(*) from staging.thing") == [(50,)]
    starts = [asked.get("startindex") for asked in wfs.asked("GetFeature")]
    assert starts == [
        "",
        "",
        "20",
        "40",
        "50",
    ]


def test_a_server_without_an_order(wfs: WfsServer, task: OneTask) -> None:
    """Each page is of another order, so that features come twice and others never."""
    wfs.features = features(50)

    def answer(asked: Asked) -> Any:
        if asked.get("resulttype"):
            return wfs.page([])
        start = int(asked.get("startindex", "0"))
        start = start - 3 if start and not asked.get("sortby") else start
        return wfs.page(wfs.features[start : start + 10], start)

    wfs.instead["GetFeature"] = answer
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    assert "3 features came twice: the server's pages overlap. Say with `sort_by`" in task.fails()
    task.has(wfs.connection, "do: wfs\nlayer: thing\nsort_by: name")
    task.run()
    assert task.rows("select count(distinct name) from staging.thing") == [(50,)]


def test_a_layer_that_changes_while_it_is_read(wfs: WfsServer, task: OneTask) -> None:
    wfs.features = features(50)

    def answer(asked: Asked) -> Any:
        if asked.get("resulttype"):
            return wfs.page([])
        start = int(asked.get("startindex", "0"))
        return wfs.page(wfs.features[start : start + 10], start, numberMatched=51 if start else 50)

    wfs.instead["GetFeature"] = answer
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    assert "it had 50 features, and at page 2 51; nothing was kept" in task.fails()


def test_a_server_that_gives_less_than_it_has(wfs: WfsServer, task: OneTask) -> None:
    wfs.features = features(50)
    wfs.instead["GetFeature"] = lambda asked: wfs.page(
        []
        if asked.get("resulttype") or int(asked.get("startindex", "0")) >= 30
        else wfs.features[int(asked.get("startindex", "0")) :][:10],
        int(asked.get("startindex", "0")),
    )
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    assert "the server has 50 features and gave 30: it does not page" in task.fails()


def cut(text: str, at: str) -> str:
    return text.partition(at)[0]


def broken(wfs: WfsServer) -> dict[str, tuple[Any, str]]:
    """Answers instead of features, and what is said of each."""
    whole = wfs.page(wfs.features)
    big = wfs.page(wfs.features * 200)
    xml = {"Content-Type": "text/xml"}
    return {
        "cut after a feature": (cut(whole, '<wfs:member><ms:thing gml:id="thing.3"'), "breaks off"),
        "cut in a tag": (whole[:-5], "page 1 breaks off: its end is missing; nothing was kept"),
        "cut in mid of many": (big[: len(big) // 2], "page 1 breaks off"),
        "cut at the end of many": (cut(big, "</wfs:FeatureCollection>"), "page 1 breaks off"),
        "cut by the network": (Reply(whole[:-30], headers=xml, missing=30), "broke off"),
        "an exception report": (
            '<ows:ExceptionReport xmlns:ows="http://www.opengis.net/ows/1.1"><ows:Exception '
            'exceptionCode="NoApplicableCode"><ows:ExceptionText>disk\n full</ows:ExceptionText>'
            "</ows:Exception></ows:ExceptionReport>",
            "the server answers with an error: NoApplicableCode disk full",
        ),
        "one of WFS 1.0": (
            '<ServiceExceptionReport><ServiceException code="X">no table</ServiceException>'
            "</ServiceExceptionReport>",
            "the server answers with an error: X no table",
        ),
        "an error at the end": (
            whole.replace(
                "</wfs:FeatureCollection>",
                "<wfs:truncatedResponse><ows:ExceptionReport xmlns:ows='o'><ows:ExceptionText>"
                "out of memory</ows:ExceptionText></ows:ExceptionReport></wfs:truncatedResponse>"
                "</wfs:FeatureCollection>",
            ),
            "page 1 ends with an error of the server: ",
        ),
        "fewer than it says": (
            wfs.page(wfs.features[:3], numberReturned=4),
            "page 1 says that it has 4 features, and has 3; nothing was kept",
        ),
        "a web page": ("<html><body>Please log in</body></html>", "page 1 is <html>, not a coll"),
        "no XML": ("{}", "page 1 is no XML, not a collection of features: {}"),
        "nothing": ("", "page 1 is empty"),
        "another system": (
            whole.replace("EPSG::3301", "EPSG::4326"),
            "srid: EPSG:3301 was asked for, and the features are in urn:ogc:def:crs:EPSG::4326; "
            "the layer offers 3301, 4326",
        ),
        "a geometry that is none": (
            whole.replace("<gml:pos>1 7</gml:pos>", "<gml:nonsense/>"),
            "page 1: of 5 features from 1 on GDAL can read 1 only; nothing was kept",
        ),
    }


KINDS = list(broken(WfsServer(MisbehavingServer(""))))


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_is_not_what_it_should_be(wfs: WfsServer, task: OneTask, kind: str) -> None:
    wfs.properties = {"name": "string", **GEOMETRY}
    wfs.features = features(5)
    answer, says = broken(wfs)[kind]
    wfs.instead["GetFeature"] = lambda asked: wfs.page([]) if asked.get("resulttype") else answer
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    message = task.fails()
    assert says in message
    assert not task.has_table()


@pytest.mark.parametrize(
    ("request_", "answer", "says"),
    [
        ("GetCapabilities", "<html/>", "is no WFS: it answers with <html>"),
        ("GetCapabilities", "<html>", "does not answer in XML"),
        ("GetCapabilities", Reply("no", 500), "500 Internal Server Error: no"),
        ("DescribeFeatureType", "<a/>", "answers DescribeFeatureType with <a>"),
        (
            "DescribeFeatureType",
            '<schema xmlns="http://www.w3.org/2001/XMLSchema"/>',
            "does not say what features of ms:thing have",
        ),
        (
            "DescribeFeatureType",
            "<ExceptionReport><Exception>no</Exception></ExceptionReport>",
            "the server answers with an error: no",
        ),
    ],
)
def test_a_server_that_does_not_describe_itself(
    wfs: WfsServer, task: OneTask, request_: str, answer: Any, says: str
) -> None:
    wfs.instead[request_] = answer
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    assert says in task.fails()


def test_versions_that_do_not_meet(wfs: WfsServer, task: OneTask) -> None:
    task.has(wfs.connection + "version: 1.1.0", "do: wfs\nlayer: thing")
    assert "does not speak WFS 1.1.0, but 2.0.0" in task.fails()
    wfs.version = "3.0.0"
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    assert "speaks WFS 3.0.0, which is unknown" in task.fails()


def test_properties_that_cannot_be_columns(wfs: WfsServer, task: OneTask) -> None:
    wfs.properties = {"name": "string", "owner": "ms:OwnerType", "a": "gml:PointPropertyType"}
    wfs.properties |= {"b": "gml:SurfacePropertyType"}
    wfs.features = ["<ms:name>x</ms:name>" + point("1 2").replace("ms:geom", "ms:b")]
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    assert "the property owner is of the type OwnerType, which cannot be a column" in task.fails()
    task.has(wfs.connection, "do: wfs\nlayer: thing\nproperties: [name]")
    assert "has several geometries (a, b); name the properties" in task.fails()
    task.has(wfs.connection, "do: wfs\nlayer: thing\nproperties: [name, b]")
    task.run()
    assert task.types() == {"name": "text", "b": "bytea", "b_geojson": "jsonb"}


def test_names_of_columns_are_those_of_people(wfs: WfsServer, task: OneTask) -> None:
    wfs.properties = {"Nimi": "string", "Käive-EUR": "string", "nimi": "string"}
    wfs.features = ["<ms:Nimi>a</ms:Nimi><ms:Käive-EUR>b</ms:Käive-EUR><ms:nimi>c</ms:nimi>"]
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    task.run()
    assert task.types() == {"nimi": "text", "kaive_eur": "text", "nimi_2": "text"}
    assert task.rows() == [("a", "b", "c")]


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


def test_a_layer_whose_system_nobody_tells(wfs: WfsServer, task: OneTask) -> None:
    wfs.properties, wfs.features = dict(GEOMETRY), [point("1 2")]
    described = wfs.capabilities().replace("DefaultCRS", "Other").replace("OtherCRS", "Other")
    wfs.instead["GetCapabilities"] = described
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    assert "does not say which reference system ms:thing has; give `srid`" in task.fails()
    task.has(wfs.connection, "do: wfs\nlayer: thing\nsrid: 3301")
    task.run()
