"""`do: rest`: watermarks, repeated questions, unchanged answers, XML, and faulty definitions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from tests.one_task import OneTask
from tests.services.misbehaving_http import Asked, MisbehavingServer, Reply
from tests.services.rest_task import Crm

pytestmark = pytest.mark.usefixtures("short_waits")


@pytest.fixture
def crm(task: OneTask, server: MisbehavingServer) -> Crm:
    return Crm(task, server)


class Changes:
    """A service that gives what was changed since a time, that time included."""

    def __init__(self, server: MisbehavingServer) -> None:
        self.records: list[dict[str, Any]] = []
        self.since: list[str | None] = []
        server.on("/v1/changes", self)

    def __call__(self, asked: Asked) -> Any:
        since = asked.query.get("since", [None])[0]
        self.since.append(since)
        return [record for record in self.records if str(record["at"]) >= (since or "")]


WATERMARK = (
    "path: changes\nparameters: {since: '{watermark}'}\n"
    "columns: {id: id, at: {path: at, type: timestamptz}}\nload: append\n"
)


def test_a_watermark_is_a_parameter_in_the_servers_own_words(
    server: MisbehavingServer, crm: Crm
) -> None:
    changes = Changes(server)
    changes.records = [
        {"id": 1, "at": "2024-01-01T10:00:00Z"},
        {"id": 2, "at": "2024-01-02T10:00:00Z"},
    ]
    crm.has(WATERMARK + "watermark: {column: at}")
    crm.run()
    changes.records.append({"id": 3, "at": "2024-01-02T10:00:00Z"})
    changes.records.append({"id": 4, "at": "2024-01-03T10:00:00.5Z"})
    crm.run()
    crm.run()
    assert changes.since == [None, "2024-01-02T10:00:00Z", "2024-01-03T10:00:00.5Z"]
    assert crm.rows("select id from staging.thing order by id") == [(1,), (2,), (3,), (4,)]
    crm.run(full=True)
    assert changes.since[-1] is None


def test_the_newest_is_found_by_what_values_mean(server: MisbehavingServer, crm: Crm) -> None:
    """As texts, Z is after +02:00 and 9 is after 10."""
    changes = Changes(server)
    changes.records = [
        {"id": 1, "at": "2024-01-01T10:00:00Z"},
        {"id": 2, "at": "2024-01-01T12:30:00+02:00"},
        {"id": 3, "at": "2024-01-01T10:15:00.123456Z"},
    ]
    crm.has(WATERMARK + "watermark: {column: at, overlap: 1 hour}")
    crm.run()
    crm.run()
    assert changes.since[-1] == "2024-01-01T11:30:00+02:00"
    changes.records = [{"id": 9, "at": "9"}, {"id": 10, "at": "10"}]
    crm.has(
        "path: changes\nparameters: {since: '{watermark}'}\nload: append\n"
        "columns: {id: id, at: at}\nwatermark: {column: at}"
    )
    crm.execute("drop table staging.thing")
    crm.run(full=True)
    crm.run()
    assert changes.since[-1] == "10"


def test_an_initial_value_and_a_range_to_read_once_more(
    server: MisbehavingServer, crm: Crm
) -> None:
    changes = Changes(server)
    changes.records = [{"id": n, "at": f"2024-01-0{n}T00:00:00Z"} for n in range(1, 5)]
    crm.has(WATERMARK + "watermark: {column: at, initial: 2024-01-02}")
    crm.run()
    crm.run(span={"from": "2024-01-03T00:00:00Z", "to": None})
    crm.run()
    assert changes.since == ["2024-01-02", "2024-01-03T00:00:00Z", "2024-01-04T00:00:00Z"]
    assert crm.rows("select id from staging.thing order by id") == [(2,), (3,), (4,)]


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (None, "record 2: there is no value for at, the watermark's column; `nulls: skip` leaves"),
        (7, "has values of several kinds, which have no order: '2024-01-01' and 7"),
        (["x"], "a watermark cannot be ['x']"),
    ],
)
def test_a_record_that_has_no_place_in_the_order(
    server: MisbehavingServer, crm: Crm, at: Any, says: str
) -> None:
    server.on("/v1/changes", [{"id": 1, "at": "2024-01-01"}, {"id": 2, "at": at}])
    crm.has(WATERMARK.replace("timestamptz", "text") + "watermark: {column: at}")
    assert says in crm.fails()
    if at is None:
        crm.has(WATERMARK + "watermark: {column: at, nulls: skip}")
        crm.run()
        assert crm.rows("select id from staging.thing") == [(1,)]


def test_merge_keeps_the_newest_of_a_key(server: MisbehavingServer, crm: Crm) -> None:
    changes = Changes(server)
    changes.records = [{"id": 1, "at": "2024-01-01"}, {"id": 2, "at": "2024-01-01"}]
    merge = WATERMARK.replace("load: append", "load: merge\nkey: [id]")
    crm.has(merge.replace("timestamptz", "date") + "watermark: {column: at}")
    crm.run()
    changes.records = [{"id": 2, "at": "2024-01-05"}]
    crm.run()
    assert crm.rows("select id, at::text from staging.thing order by id") == [
        (1, "2024-01-01"),
        (2, "2024-01-05"),
    ]


def test_one_question_a_row_of_a_query(server: MisbehavingServer, crm: Crm) -> None:
    """The values stand in the path, the parameters and the columns, whatever is in them."""

    def answer(asked: Asked) -> Any:
        return [{"path": asked.path, "on": asked.get("on"), "page": asked.get("page")}]

    for path in ("a%2Fb%3Fc", "%C3%9Clo%20%26%20Co", "..%2Fx"):
        server.on(
            f"/v1/shops/{path}/sales",
            lambda asked: answer(asked) if asked.get("page") == "1" else [],
        )
    crm.has(
        "path: shops/{shop}/sales\n"
        "parameters: {on: '{day}', note: '{note}', fixed: true}\n"
        "repeat: {query: shops.sql}\n"
        "pages: {by: page}\n"
        "columns: {shop: {repeat: shop}, day: {repeat: day}, page: page, path: path}",
        files={
            "shops.sql": "select shop, date '2024-02-29' as day, note from (values ('a/b?c', null),"
            " ('Ülo & Co', '1&2'), ('../x', 'y')) as v (shop, note)"
        },
    )
    crm.run()
    assert crm.rows("select shop, day::text, page from staging.thing order by 1") == [
        ("../x", "2024-02-29", "1"),
        ("a/b?c", "2024-02-29", "1"),
        ("Ülo & Co", "2024-02-29", "1"),
    ]
    first, *_ = server.asked
    assert first.query == {"on": ["2024-02-29"], "fixed": ["true"], "page": ["1"]}
    assert server.asked[2].query["note"] == ["1&2"]
    assert crm.types() == {"shop": "text", "day": "date", "page": "text", "path": "text"}


def test_one_question_a_row_of_a_list_with_values_in_the_body(
    server: MisbehavingServer, crm: Crm
) -> None:
    server.on("/v1/report", lambda asked: json.loads(asked.body))
    crm.has(
        "path: report\nmethod: POST\n"
        "body: {year: '{year}', text: 'of {year}: {is} {not}', list: ['{kind}', 1.50]}\n"
        "repeat: {values: [{year: 2023, kind: null}, {year: 2024, kind: a}]}\n"
        "columns: {year: year, text: text, list: list}"
    )
    crm.run()
    assert crm.rows() == [
        (2023, "of 2023: {is} {not}", [None, 1.5]),
        (2024, "of 2024: {is} {not}", ["a", 1.5]),
    ]


def test_a_failure_names_the_row_that_was_asked_for(server: MisbehavingServer, crm: Crm) -> None:
    server.on("/v1/of/1", [{"n": 1}])
    server.on("/v1/of/2", [{"n": "one"}])
    crm.has(
        "path: of/{shop}\nrepeat: {values: [{shop: 1}, {shop: 2}]}\n"
        "columns: {n: {path: n, type: integer}}"
    )
    assert 'cannot hold "one" (shop = 2, record 1)' in crm.fails()
    server.on("/v1/of/2", "no JSON")
    assert f"shop = 2, page 1 ({server.url}/v1/of/2): is not JSON" in crm.fails()


@pytest.mark.parametrize(
    ("shop", "says"),
    [
        ("'..'", "path: {shop} is '..', which cannot be part of an address"),
        ("null::text", "path: {shop} is None"),
        ("''", "path: {shop} is ''"),
    ],
)
def test_a_value_that_would_lead_to_another_address(
    server: MisbehavingServer, crm: Crm, shop: str, says: str
) -> None:
    crm.has(
        "path: shops/{shop}/sales\nrepeat: {query: shops.sql}",
        files={"shops.sql": f"select {shop} as shop"},
    )
    assert says in crm.fails()
    assert server.asked == []


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("select 1 as shops", "there is no value for {shop}; did you mean `shops`?"),
        ("select nothing", 'shops.sql (repeat): column "nothing" does not exist'),
        ("select 1 as shop", "shops.sql gives no column kind"),
    ],
)
def test_a_query_that_gives_something_else(
    server: MisbehavingServer, crm: Crm, query: str, says: str
) -> None:
    columns = "\ncolumns: {k: {repeat: kind}}" if "kind" in says else ""
    crm.has(
        f"path: shops/{{shop}}\nrepeat: {{query: shops.sql}}{columns}", files={"shops.sql": query}
    )
    assert says in crm.fails()


def test_a_query_without_rows_asks_nothing(server: MisbehavingServer, crm: Crm) -> None:
    crm.has(
        "path: shops/{shop}\nrepeat: {query: shops.sql}\ncolumns: {id: id}",
        files={"shops.sql": "select 1 as shop where false"},
    )
    crm.run()
    assert crm.rows() == []
    assert server.asked == []


@pytest.mark.parametrize("mark", ["ETag", "Last-Modified"])
def test_an_unchanged_answer_is_not_read_again(
    server: MisbehavingServer, crm: Crm, mark: str
) -> None:
    before = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    value = '"v1"' if mark == "ETag" else before
    asks = "If-None-Match" if mark == "ETag" else "If-Modified-Since"

    def answer(asked: Asked) -> Reply:
        if asked.headers.get(asks) == value:
            return Reply(status=304, headers={"Content-Length": "0"})
        return Reply([{"id": 1}], headers={mark: value})

    server.on("/v1/list", answer)
    crm.has("path: list\ncolumns: {id: id}")
    crm.run()
    assert "the source is unchanged and was not read" in crm.run()
    assert crm.rows() == [(1,)]
    crm.run(full=True)
    assert asks not in server.asked[-1].headers
    crm.has("path: list\ncolumns: {id: id, more: more}")
    crm.run()
    assert asks not in server.asked[-1].headers, "the rows are to have other columns"
    crm.execute("drop table staging.thing")
    crm.run()
    assert crm.rows() == [(1, None)]


def test_a_date_too_young_to_tell_of_every_change_is_not_trusted(
    server: MisbehavingServer, crm: Crm
) -> None:
    now = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    server.on("/v1/list", Reply([{"id": 1}], headers={"Last-Modified": now}))
    crm.has("path: list\ncolumns: {id: id}")
    crm.run()
    crm.run()
    assert "If-Modified-Since" not in server.asked[-1].headers


def test_the_mark_of_a_first_page_says_nothing_of_the_others(
    server: MisbehavingServer, crm: Crm
) -> None:
    pages = {"1": [{"id": 1}]}
    server.on(
        "/v1/list", lambda asked: Reply(pages.get(asked.get("page"), []), headers={"ETag": '"1"'})
    )
    crm.has("path: list\ncolumns: {id: id}\npages: {by: page}")
    crm.run()
    pages["2"] = [{"id": 2}]
    crm.run()
    assert crm.rows() == [(1,), (2,)]


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


def test_no_content_is_no_record(server: MisbehavingServer, crm: Crm) -> None:
    server.on("/v1/list", Reply(status=204))
    crm.has("path: list\nrecords: data\ncolumns: {id: id}")
    assert "`records: data` finds nothing; the answer has no content" in crm.fails()
    crm.has("path: list\nrecords: 'data || `[]`'\ncolumns: {id: id}")
    crm.run()
    assert crm.rows() == []


def test_an_answer_without_any_of_the_columns_is_no_record(
    server: MisbehavingServer, crm: Crm
) -> None:
    server.in_turn("/v1/list", {"id": None, "v": None}, {"error": "nope"})
    crm.has("path: list\ncolumns: {id: id, v: v}")
    assert "1 rows" in crm.run()
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


FAULTY = [
    ("records: '['", "actions[1].records: '[' is no JMESPath expression"),
    ("columns: {id: 'a['}", "is no JMESPath expression"),
    ("columns: {id: {path: id, type: 'int; drop table x'}}", "is no type; write, for example"),
    ("columns: {id: {path: id, repeat: x}}", "either a `path` in the record or a name"),
    ("columns: {id: {repeat: shop}}", "columns.id: `repeat` has no shop"),
    (
        "repeat: {values: [{shops: 1}]}\ncolumns: {id: {repeat: shop}}",
        "columns.id: `repeat` has no shop; did you mean `shops`?",
    ),
    ("repeat: {}", "`repeat` is either a `query` or a list of `values`"),
    ("repeat: {values: [{a: 1}, {b: 1}]}", "the rows of `values` must all have the same names"),
    ("repeat: {query: missing.sql}", "there is no file missing.sql"),
    ("pages: {by: pages}", "pages"),
    ("pages: {by: page, size: 10}", "`size` and `size_parameter` go together"),
    ("pages: {by: cursor}", "cursor"),
    ("body: {a: 1}", "a `body` needs `method: POST`"),
    (
        "load: append\ncolumns: {id: id}\nwatermark: {column: at}",
        "`watermark`: `columns` has no at",
    ),
    (
        "columns: {id: id}\nload: merge\nkey: [id]\ndeletes: {every: 1 day}",
        "`deletes: {every: …}` looks for keys alone: only a database can",
    ),
    (
        "load: append\ncolumns: {at: at}\nwatermark: {column: at}",
        "`watermark`: nothing asks for it",
    ),
]


@pytest.mark.parametrize(("action", "says"), FAULTY)
def test_a_faulty_definition_is_refused(crm: Crm, action: str, says: str) -> None:
    crm.has(f"path: list\n{action}")
    assert says in crm.is_refused()


def test_a_connection_of_another_kind(task: OneTask) -> None:
    task.has("driver: files\npath: /tmp", "do: rest\npath: list")
    assert task.fails() == "the connection `source` is no web service (`driver: rest`)"
