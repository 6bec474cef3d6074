"""`do: wfs` against MapServer, into a warehouse with PostGIS and one without."""

from __future__ import annotations

from contextlib import closing
from urllib.parse import parse_qs

import psycopg2
import pytest

from tests.services.mapserver import Layer, MapServer
from tests.services.postgres import Postgres
from tests.support.one_task import OneTask

# Corners of a square in Tallinn, in EPSG:3301 (L-EST97). In the order of the standard north is
# first there, as latitude is in EPSG:4326; in PostGIS x is first, always.
X, Y = 542_000, 6_589_000
LONGITUDE, LATITUDE = 24.7381, 59.4364  # of X, Y


@pytest.fixture(scope="module")
def source(postgis_server: Postgres) -> str:
    """Forty parcels; returns how MapServer connects to them."""
    with closing(psycopg2.connect(postgis_server.uri("source"))) as session, session:
        session.cursor().execute(f"""
            create table parcel as
            select id, 'Kinnistu ' || id as name, (id * 1.10)::numeric(12, 2) as area,
                id % 2 = 0 as is_public, date '2024-01-01' + id as registered,
                case when id % 3 = 0 then null else id * 1000000 end as big,
                st_setsrid(st_makeenvelope({X} + id * 10, {Y}, {X} + id * 10 + 5, {Y} + 5),
                    3301)::geometry(Polygon, 3301) as geom
            from generate_series(1, 40) as id;
            alter table parcel add primary key (id);
            create table empty_one as select * from parcel where false;
        """)
    return f"host={postgis_server.socket_directory} user=postgres dbname=source"


@pytest.fixture
def parcels(mapserver: MapServer, source: str) -> MapServer:
    mapserver.serve([Layer("parcel", "parcel"), Layer("empty_one", "empty_one")], source)
    mapserver.requests.clear()
    return mapserver


def connection(server: MapServer, version: str = "") -> str:
    return f"driver: wfs\nurl: {server.url}\n" + (f"version: {version}\n" if version else "")


def of_requests(server: MapServer, name: str) -> list[str]:
    """The values of a parameter of all questions for features."""
    asked = [parse_qs(query) for query in server.requests]
    return [
        one.get(name, [""])[0]
        for one in asked
        if one["request"] == ["GetFeature"] and "resulttype" not in one
    ]


def test_features_become_rows(parcels: MapServer, postgis_task: OneTask) -> None:
    postgis_task.has(connection(parcels), "do: wfs\nlayer: parcel")
    assert "40 rows" in postgis_task.run()
    assert postgis_task.types() == {
        "id": "bigint",
        "name": "text",
        "area": "numeric",
        "is_public": "text",
        "registered": "date",
        "big": "bigint",
        "msgeometry": "geometry",
    }
    row = postgis_task.rows(
        "select id, name, area::text, registered::text, big, st_srid(msgeometry), "
        "st_asewkt(msgeometry) from staging.thing where id in (2, 3) order by id"
    )
    assert row[0][:6] == (2, "Kinnistu 2", "2.20", "2024-01-03", 2_000_000, 3301)
    assert row[1][4] is None
    assert row[0][6].startswith("SRID=3301;POLYGON((542020 6589000,")
    assert any("reads ms:parcel (WFS 2.0.0)" in e for e in postgis_task.events())


@pytest.mark.parametrize("version", ["2.0.0", "1.1.0", "1.0.0"])
@pytest.mark.parametrize("page_size", [7, 1000])
def test_every_feature_arrives_whatever_the_limit_of_the_server(
    mapserver: MapServer, source: str, postgis_task: OneTask, version: str, page_size: int
) -> None:
    mapserver.serve([Layer("parcel", "parcel")], source, {"wfs_maxfeatures": "20"})
    mapserver.requests.clear()
    postgis_task.has(
        connection(mapserver, version), f"do: wfs\nlayer: parcel\npage_size: {page_size}"
    )
    postgis_task.run()
    assert postgis_task.rows("select count(*), count(distinct id) from staging.thing") == [(40, 40)]
    starts = of_requests(mapserver, "startindex")
    size = min(page_size, 20)
    expected = [""] + [str(start) for start in range(size, 40, size)]
    assert starts == (expected if version != "1.0.0" else [*expected, "40"])


@pytest.mark.parametrize("version", ["2.0.0", "1.1.0", "1.0.0"])
@pytest.mark.parametrize("srid", [3301, 4326, 3857])
def test_axes_are_in_order_in_every_version(
    parcels: MapServer, source: str, postgis_task: OneTask, version: str, srid: int
) -> None:
    postgis_task.has(
        connection(parcels, version), f"do: wfs\nlayer: parcel\nsrid: {srid}\ngeometry: geom"
    )
    if version == "1.0.0" and srid != 3301:  # which cannot be asked for another system
        assert (
            f"EPSG:{srid} was asked for, and the features are in EPSG:3301" in postgis_task.fails()
        )
        return
    postgis_task.run()
    found = postgis_task.rows(
        f"select max(st_distance(geom, st_transform(st_setsrid(st_makeenvelope({X} + id * 10, {Y},"
        f" {X} + id * 10 + 5, {Y} + 5), 3301), {srid}))), min(st_srid(geom)), max(st_srid(geom)) "
        "from staging.thing"
    )
    distance, *srids = found[0]
    assert distance < (1e-6 if srid == 4326 else 0.01)
    assert srids == [srid, srid]
    if srid == 4326:
        x, y = postgis_task.rows("select st_xmin(geom), st_ymin(geom) from staging.thing")[0]
        assert x == pytest.approx(LONGITUDE, abs=0.01)
        assert y == pytest.approx(LATITUDE, abs=0.01)


@pytest.mark.parametrize("version", ["2.0.0", "1.1.0", "1.0.0"])
@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("area > 40.00 and not (name like '%39')", [37, 38, 40]),
        ("name in ('Kinnistu 7', 'Kinnistu 9') or id = 1", [1, 7, 9]),
        ("id between 4 and 6", [4, 5, 6]),
        ("3 > id", [1, 2]),
    ],
)
def test_a_condition_is_the_servers_to_look_at(
    parcels: MapServer, postgis_task: OneTask, version: str, where: str, ids: list[int]
) -> None:
    postgis_task.has(
        connection(parcels, version), f'do: wfs\nlayer: parcel\nfilter: {{where: "{where}"}}'
    )
    postgis_task.run()
    assert postgis_task.rows("select id from staging.thing order by id") == [(id_,) for id_ in ids]
    assert all("Filter" in text for text in of_requests(parcels, "filter"))


@pytest.mark.parametrize(
    ("version", "srid"),
    [("2.0.0", 3301), ("2.0.0", 4326), ("1.1.0", 3301), ("1.1.0", 4326), ("1.0.0", 3301)],
)
def test_a_box_is_in_the_system_of_the_target(
    parcels: MapServer, postgis_task: OneTask, version: str, srid: int
) -> None:
    box = [X + 98, Y - 1, X + 112, Y + 1]  # parcels 10 and 11
    if srid == 4326:
        corners = postgis_task.rows(
            "select st_xmin(b), st_ymin(b), st_xmax(b), st_ymax(b) from (select st_transform("
            f"st_makeenvelope({box[0]}, {box[1]}, {box[2]}, {box[3]}, 3301), 4326) as b) as b"
        )
        box = list(corners[0])
    postgis_task.has(
        connection(parcels, version),
        f"do: wfs\nlayer: parcel\nsrid: {srid}\nfilter: {{bbox: {box}, where: 'id < 11'}}",
    )
    postgis_task.run()
    assert postgis_task.rows("select id from staging.thing order by id") == [(10,)]


def test_properties_are_chosen_and_named(parcels: MapServer, postgis_task: OneTask) -> None:
    postgis_task.has(
        connection(parcels), "do: wfs\nlayer: parcel\nproperties: {id: number, area: size_m2}"
    )
    postgis_task.run()
    assert postgis_task.types() == {
        "number": "bigint",
        "size_m2": "numeric",
        "msgeometry": "geometry",
    }
    assert of_requests(parcels, "propertyname") == ["id,area,msGeometry"]
    postgis_task.execute("drop table staging.thing")
    postgis_task.has(
        connection(parcels), "do: wfs\nlayer: parcel\nproperties: [name]\ngeometry: false"
    )
    postgis_task.run()
    assert postgis_task.types() == {"name": "text"}
    assert len(postgis_task.rows()) == 40


def test_types_can_be_given(parcels: MapServer, postgis_task: OneTask) -> None:
    postgis_task.has(
        connection(parcels),
        "do: wfs\nlayer: parcel\nproperties: [id, area]\ngeometry: geom\n"
        "types: {area: 'numeric(12, 2)', id: integer, geom: 'geometry(Polygon, 3301)'}",
    )
    postgis_task.run()
    assert postgis_task.types() == {
        "id": "bigint",
        "area": "numeric(12,2)",
        "geom": "geometry(Polygon,3301)",
    }
    postgis_task.has(connection(parcels), "do: wfs\nlayer: parcel\ntypes: {areas: text}")
    assert "types: there is no column areas; did you mean `area`?" in postgis_task.fails()


def test_a_watermark_bounds_what_the_server_gives(
    parcels: MapServer, postgis_task: OneTask
) -> None:
    postgis_task.has(
        connection(parcels),
        "do: wfs\nlayer: parcel\nload: append\nfilter: {where: 'id <= 10'}\n"
        "watermark: {column: id, nulls: skip}",
    )
    postgis_task.run()
    action = "do: wfs\nlayer: parcel\nload: append\nwatermark: {column: id, overlap: 1}"
    postgis_task.has(connection(parcels), action)
    parcels.requests.clear()
    assert "32 rows, 2 of them read again" in postgis_task.run()  # from 10 less the overlap on
    assert postgis_task.rows("select count(*), count(distinct id) from staging.thing") == [(40, 40)]
    (text,) = of_requests(parcels, "filter")
    assert "<fes:Literal>9</fes:Literal>" in text
    postgis_task.run(backfill={"from": "5", "to": "7"})
    assert postgis_task.rows("select count(*) from staging.thing") == [(40,)]


def test_without_postgis_geometries_are_ewkb_and_geojson(
    parcels: MapServer, postgis_task: OneTask, task: OneTask
) -> None:
    for one, srid in ((task, 3301), (postgis_task, 3301)):
        one.has(connection(parcels), f"do: wfs\nlayer: parcel\nsrid: {srid}\ngeometry: geom")
        one.run()
    assert task.types()["geom"] == "bytea"
    assert task.types()["geom_geojson"] == "jsonb"
    ours = task.rows("select id, encode(geom, 'hex'), geom_geojson from staging.thing order by 1")
    theirs = postgis_task.rows(
        "select id, encode(st_asewkb(geom), 'hex'), st_asgeojson(geom, 17, 2)::jsonb "
        "from staging.thing order by 1"
    )
    assert [row[:2] for row in ours] == [row[:2] for row in theirs]
    assert [row[2]["coordinates"] for row in ours] == [row[2]["coordinates"] for row in theirs]
    assert ours[0][2]["crs"] == theirs[0][2]["crs"]
    again = task.run()
    assert "40 rows" in again


def test_a_layer_without_features(parcels: MapServer, postgis_task: OneTask) -> None:
    postgis_task.has(connection(parcels), "do: wfs\nlayer: empty_one")
    postgis_task.run()
    assert postgis_task.rows() == []
    assert postgis_task.types()["msgeometry"] == "geometry"


def test_a_geometry_that_does_not_fit_is_reported_by_its_place(
    parcels: MapServer, postgis_task: OneTask
) -> None:
    postgis_task.has(
        connection(parcels),
        "do: wfs\nlayer: parcel\npage_size: 15\ngeometry: geom\nproperties: [id]",
        files={
            "ver/001_create.sql": "create table staging.thing "
            "(id bigint check (id <> 17), geom geometry(MultiPolygon, 3301))"
        },
    )
    message = postgis_task.fails()
    assert "(page 1, feature 1)" in message
    assert "Geometry type (Polygon) does not match column type (MultiPolygon)" in message


@pytest.mark.parametrize(
    ("action", "says"),
    [
        ("layer: parcels", "the server has no layer `parcels`; did you mean `ms:parcel`?"),
        ("layer: parcel\nproperties: [nam]", "has no property nam; did you mean `name`?"),
        (
            "layer: parcel\nfilter: {where: 'are > 1'}",
            "filter.where: the layer has no property are; did you mean `area`?",
        ),
        ("layer: parcel\nsrid: 2180", "Invalid SRS"),
        ("layer: parcel\nload: append\nwatermark: {column: ids}", "there is no column ids"),
        ("layer: parcel\nsort_by: nothing", "the server answers with an error"),
    ],
)
def test_what_the_server_has_not(
    parcels: MapServer, postgis_task: OneTask, action: str, says: str
) -> None:
    postgis_task.has(connection(parcels), f"do: wfs\n{action}")
    assert says in postgis_task.fails()
    assert not postgis_task.has_table()


@pytest.mark.parametrize(
    ("action", "says"),
    [
        ("layer: parcel\nfilter: {where: 'area >'}", "filter.where: 'area >' is not a condition"),
        ("layer: parcel\nfilter: {bbox: [1, 2, 3]}", "a box is [least x, least y, greatest x"),
        ("layer: parcel\nfilter: {bbox: [3, 2, 1, 4]}", "a box is [least x, least y, greatest x"),
        ("layer: parcel\npage_size: 0", "page_size"),
        ("layer: parcel\nsrid: EPSG:3301", "srid"),
        ("properties: [a]", "layer` is missing"),
    ],
)
def test_a_faulty_definition_is_refused(postgis_task: OneTask, action: str, says: str) -> None:
    postgis_task.has("driver: wfs\nurl: http://127.0.0.1:9/wfs", f"do: wfs\n{action}")
    assert says in postgis_task.is_refused()


def test_an_update_sequence_is_trusted_only_where_that_is_said(
    mapserver: MapServer, source: str, postgis_task: OneTask
) -> None:
    """By the standard it tells of the server's description of itself, not of its data."""
    mapserver.serve([Layer("parcel", "parcel")], source, sequence="17")
    for trust in (False, True):
        postgis_task.has(
            connection(mapserver),
            f"do: wfs\nlayer: parcel\ntrust_update_sequence: {str(trust).lower()}",
        )
        assert "40 rows" in postgis_task.run()
        unchanged = "the source is unchanged and was not read" in postgis_task.run()
        assert unchanged == trust
    mapserver.serve([Layer("parcel", "parcel")], source, sequence="18")
    assert "40 rows" in postgis_task.run()


def test_a_connection_of_another_version_or_kind(parcels: MapServer, postgis_task: OneTask) -> None:
    postgis_task.has("driver: files\npath: /tmp", "do: wfs\nlayer: parcel")
    assert postgis_task.fails() == "the connection `source` is not a `driver: wfs`"
    postgis_task.has(
        f"driver: wfs\nurl: {parcels.url}?service=WFS&VERSION=1.0.0&request=GetCapabilities",
        "do: wfs\nlayer: parcel",
    )
    assert "40 rows" in postgis_task.run()
