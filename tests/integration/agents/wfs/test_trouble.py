"""`do: wfs`: answers that cannot be read, and servers that do not describe themselves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.misbehaving_http import MisbehavingServer, Reply
from tests.services.wfs_server import GEOMETRY, WfsServer, features
from tests.support.one_task import OneTask


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
        "no XML": ("{}", "page 1 is not XML, not a collection of features: {}"),
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
        ("GetCapabilities", "<html/>", "is not a WFS: it answers with <html>"),
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
