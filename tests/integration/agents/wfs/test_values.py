"""`do: wfs`: values arrive as they are, in columns of a fitting type."""

from __future__ import annotations

import pytest

from tests.services.wfs_server import WfsServer, point
from tests.support.one_task import OneTask


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
    assert "1 row" in task.run()


def test_a_time_that_would_lose_a_part_is_an_error(wfs: WfsServer, task: OneTask) -> None:
    wfs.properties = {"at": "date"}
    wfs.features = ["<ms:at>2024-01-01</ms:at>"]
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    task.run()
    wfs.features = ["<ms:at>2024-01-01T23:59:00</ms:at>"]
    assert (
        '"2024-01-01T23:59:00 (its time of day would be lost)" (page 1, feature 1)' in task.fails()
    )
    task.has(wfs.connection, "do: wfs\nlayer: thing\non_bad_value: 'null'")
    task.run()
    assert task.rows() == [(None,)]


def test_times_that_have_zones_all_have_one(wfs: WfsServer, task: OneTask) -> None:
    """The first pages say so; PostgreSQL would take one without for a time of the session."""
    wfs.properties = {"at": "dateTime"}
    wfs.limit = 1
    wfs.features = [
        "<ms:at>2024-01-01T10:00:00Z</ms:at>", "<ms:at/>", "<ms:at>2024-01-01T10:00:00</ms:at>"
    ]  # fmt: skip
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    assert "has no zone, as others have" in task.fails()


def test_a_repeated_property_becomes_an_array(wfs: WfsServer, task: OneTask) -> None:
    wfs.properties = {"tag": 'type="string" maxOccurs="unbounded"'}
    wfs.features = ["<ms:tag>a,b</ms:tag><ms:tag>c</ms:tag>"]
    task.make_table("tag text[]")
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    task.run()
    assert task.rows() == [(["a,b", "c"],)]


def test_what_the_server_says_of_a_property_is_not_believed(wfs: WfsServer, task: OneTask) -> None:
    wfs.properties = {"a": "int", "b": "boolean", "c": "double"}
    wfs.features = [
        "<ms:a>true</ms:a><ms:b>1</ms:b><ms:c>1.5</ms:c>",
        "<ms:a>1</ms:a><ms:b>true</ms:b><ms:c>n/a</ms:c>",
    ]
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    task.run()
    assert task.types() == {"a": "text", "b": "boolean", "c": "text"}


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
