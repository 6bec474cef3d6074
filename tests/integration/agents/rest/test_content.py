"""`do: rest`: XML, answers without content, and the columns of a table that is there."""

from __future__ import annotations

import json

import pytest

from tests.services.misbehaving_http import MisbehavingServer, Reply
from tests.services.rest_task import Crm
from tests.support.one_task import OneTask

pytestmark = pytest.mark.usefixtures("short_waits")
XML = """<?xml version="1.0" encoding="ISO-8859-1"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <s:Body><list next="">
    <item id="007"><name> \xdclo </name><rate>1.10</rate><tag>a</tag><tag>b</tag></item>
    <item id="8"><name/><rate xsi:nil="true"/><tag>c</tag></item>
  </list></s:Body>
</s:Envelope>"""


def test_xml_is_read_like_json(server: MisbehavingServer, crm: Crm) -> None:
    reply = Reply(XML.encode("latin-1"), headers={"Content-Type": "application/soap+xml"})
    server.on("/v1/soap", reply)
    crm.has(
        "path: soap\nmethod: POST\nbody: <ask>{year}</ask>\nheaders: {Content-Type: text/xml}\n"
        "repeat: {values: [{year: 2024}]}\n"
        "records: Envelope.Body.list.item\n"
        "columns: {id: '\"@id\"', name: name, rate: {path: rate, type: decimal},"
        " tags: {path: to_array(tag), type: jsonb}}"
    )
    crm.run()
    assert server.asked[0].body == b"<ask>2024</ask>"
    assert server.asked[0].headers["Content-Type"] == "text/xml"
    rows = crm.rows("select id, name, rate::text, tags from staging.thing order by 1")
    assert rows == [("007", " Ülo ", "1.10", ["a", "b"]), ("8", "", None, ["c"])]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("<list><item>", "page 1 (URL/v1/soap): is not XML (no element found"),
        ("<list/>", "`records: list.item` finds nothing; its keys are: list"),
        (
            '<!DOCTYPE l [<!ENTITY e SYSTEM "file:///etc/passwd">]><list><item>&e;</item></list>',
            "is not XML (undefined entity",
        ),
    ],
)
def test_faulty_xml(server: MisbehavingServer, crm: Crm, body: str, says: str) -> None:
    server.on("/v1/soap", body)
    crm.has("path: soap\nformat: xml\nrecords: list.item\ncolumns: {item: '@'}")
    assert says.replace("URL", server.url) in crm.fails()


def test_no_content_is_not_a_record(server: MisbehavingServer, crm: Crm) -> None:
    server.on("/v1/list", Reply(status=204))
    crm.has("path: list\nrecords: data\ncolumns: {id: id}")
    assert "`records: data` finds nothing; the answer has no content" in crm.fails()
    crm.has("path: list\nrecords: 'data || `[]`'\ncolumns: {id: id}")
    crm.run()
    assert crm.rows() == []


def test_an_answer_without_any_of_the_columns_is_not_a_record(
    server: MisbehavingServer, crm: Crm
) -> None:
    server.in_turn("/v1/list", {"id": None, "v": None}, {"error": "nope"})
    crm.has("path: list\ncolumns: {id: id, v: v}")
    assert "1 row" in crm.run()
    assert "no record has id, v, so that there is nothing for the columns" in crm.fails()
    assert crm.rows() == [(None, None)]


def test_the_columns_of_a_table_that_is_there_decide(server: MisbehavingServer, crm: Crm) -> None:
    server.on("/v1/list", [{"id": "1", "x": "text", "y": [1], "z": 1.50}])
    crm.has(
        "path: list\ncolumns: {id: id, x: x, y: y, z: z}",
        files={
            "ver/001_create.sql": "create table staging.thing "
            "(id int, x jsonb, y text, z numeric(9,2), at timestamptz default now())"
        },
    )
    crm.run()
    assert crm.rows("select id, x, y, z::text, at is not null from staging.thing") == [
        (1, "text", "[1]", "1.50", True)
    ]


def test_a_path_with_a_query_and_a_url_with_one(server: MisbehavingServer, task: OneTask) -> None:
    server.on("/v1/list", lambda asked: [{"q": json.dumps(asked.query, sort_keys=True)}])
    task.has(
        f"driver: rest\nurl: {server.url}/v1/?tenant=7",
        "do: rest\npath: /list?a=1\nparameters: {b: [x, y], n: 3}\ncolumns: {q: q}",
    )
    task.run()
    (found,) = task.rows()[0]
    assert json.loads(found) == {"tenant": ["7"], "a": ["1"], "b": ["x", "y"], "n": ["3"]}
