"""`do: rest` against a server that does what the test says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.services.misbehaving_http import Asked, MisbehavingServer, Reply
from tests.services.rest_task import COLUMNS, Crm

pytestmark = pytest.mark.usefixtures("short_waits")


def test_records_become_rows(server: MisbehavingServer, crm: Crm) -> None:
    server.on("/v1/customers", {"data": [{"id": 1, "name": "Ülo"}, {"id": 2}]})
    crm.has("path: customers\nrecords: data\ncolumns: {id: id, name: name}")
    crm.run()
    assert crm.rows() == [(1, "Ülo"), (2, None)]


def test_without_columns_a_record_is_a_document(server: MisbehavingServer, crm: Crm) -> None:
    server.on("/v1/customers", '[{"id": 1, "tags": ["a", null], "sum": 1.10}, {"id": 2}]')
    crm.has("path: customers")
    crm.run()
    found = crm.rows(
        "select document->>'id', document->>'sum', document::text from staging.thing order by 1"
    )
    assert found == [
        ("1", "1.10", '{"id": 1, "sum": 1.10, "tags": ["a", null]}'),
        ("2", None, '{"id": 2}'),
    ]


def test_numbers_are_not_rounded(server: MisbehavingServer, crm: Crm) -> None:
    big = "9" * 5000
    server.on(
        "/v1/rates",
        f'[{{"a": 1.10, "b": 12345678901234567890.12345678901234567890, "c": 1e400, "d": {big}}}]',
    )
    crm.has("path: rates\ncolumns: {a: a, b: b, c: c, d: d, all: '@'}")
    crm.run()
    row = crm.rows('select a::text, b::text, c::text, d::text, "all"::text from staging.thing')
    assert row[0][0:2] == ("1.10", "12345678901234567890.12345678901234567890")
    assert row[0][2:4] == ("1" + "0" * 400, big)
    assert '"a": 1.10' in row[0][4]
    assert big in row[0][4]


def test_types_are_found_by_the_values_of_all_pages(server: MisbehavingServer, crm: Crm) -> None:
    pages = {
        "1": [{"id": 1, "rate": 1, "on": True, "mixed": 1, "tags": [1]}],
        "2": [{"id": 2, "rate": 2.5, "on": None, "mixed": "x", "tags": {"a": None}}],
    }
    server.on("/v1/a", lambda asked: pages.get(asked.get("page"), []))
    crm.has(
        "path: a\npages: {by: page}\n"
        "columns: {id: id, rate: rate, is_on: '\"on\"', mixed: mixed, tags: tags, none: none}"
    )
    crm.run()
    types = crm.rows(
        "select column_name::text, data_type::text from information_schema.columns "
        "where table_name = 'thing' order by ordinal_position"
    )
    assert dict(types) == {
        "id": "bigint",
        "rate": "numeric",
        "is_on": "boolean",
        "mixed": "text",
        "tags": "jsonb",
        "none": "text",
    }
    assert crm.rows() == [
        (1, 1, True, "1", [1], None),
        (2, pytest.approx(2.5), None, "x", {"a": None}, None),
    ]
    assert "no record has a value for none: are the paths right?" in crm.events()


PAGES = {1: [{"id": 1}, {"id": 2}], 2: [{"id": 3}, {"id": 4}], 3: [{"id": 5}]}
IDS = [(1,), (2,), (3,), (4,), (5,)]


def test_pages_by_number(server: MisbehavingServer, crm: Crm) -> None:
    server.on("/v1/list", lambda asked: {"data": PAGES.get(int(asked.get("p")), [])})
    crm.has(COLUMNS + "pages: {by: page, parameter: p, size: 50, size_parameter: per_page}")
    crm.run()
    assert crm.rows() == IDS
    assert [(a.get("p"), a.get("per_page")) for a in server.asked] == [
        ("1", "50"),
        ("2", "50"),
        ("3", "50"),
        ("4", "50"),
    ]


def test_pages_by_number_end_where_the_body_says_so(server: MisbehavingServer, crm: Crm) -> None:
    server.on(
        "/v1/list",
        lambda asked: {
            "data": PAGES[int(asked.get("page")) + 1],
            "page": int(asked.get("page")),
            "of": 3,
        },
    )
    crm.has(COLUMNS + "pages: {by: page, first: 0, more: 'page + `1` < of'}")
    message = crm.is_refused()
    assert "is not a JMESPath expression" in message
    crm.has(COLUMNS + "pages: {by: page, first: 0, more: 'page < `2`'}")
    crm.run()
    assert crm.rows() == IDS
    assert len(server.asked) == 3


def test_a_server_that_answers_404_after_the_last_page(server: MisbehavingServer, crm: Crm) -> None:
    server.on(
        "/v1/list",
        lambda asked: (
            {"data": PAGES[int(asked.get("page"))], "count": 5}
            if int(asked.get("page")) in PAGES
            else Reply({"detail": "Invalid page."}, 404)
        ),
    )
    crm.has(COLUMNS + "pages: {by: page}")
    message = crm.fails()
    assert "page=4: 404 Not Found" in message
    assert "Invalid page." in message
    assert "say with `more` or `total` below `pages` how to know the last page" in message
    crm.has(COLUMNS + "pages: {by: page, total: count}")
    crm.run()
    assert crm.rows() == IDS


def test_pages_by_offset_go_on_where_the_server_stopped(
    server: MisbehavingServer, crm: Crm
) -> None:
    """It gives fewer records than it was asked for."""
    ids = [{"id": number} for number in range(1, 6)]
    server.on("/v1/list", lambda asked: {"data": ids[int(asked.get("skip")) :][:2]})
    crm.has(
        COLUMNS + "pages: {by: offset, parameter: skip, size: 100, size_parameter: take}",
    )
    crm.run()
    assert crm.rows() == IDS
    assert [a.get("skip") for a in server.asked] == ["0", "2", "4", "5"]


@pytest.mark.parametrize(("claimed", "says"), [(6, "there are 6"), (4, "there are 4")])
def test_a_total_that_does_not_come_is_an_error(
    server: MisbehavingServer, crm: Crm, claimed: int, says: str
) -> None:
    server.on(
        "/v1/list",
        lambda asked: {
            "data": [*PAGES[1], *PAGES[2], *PAGES[3]] if asked.get("page") == "1" else [],
            "total": claimed,
        },
    )
    crm.has(COLUMNS + "pages: {by: page, total: total}")
    message = crm.fails()
    assert f"5 records came, and by `total: total` {says}; nothing was kept" in message


def test_pages_by_cursor(server: MisbehavingServer, crm: Crm) -> None:
    server.on(
        "/v1/list",
        lambda asked: {
            "data": PAGES[int(asked.get("after", "1"))],
            "meta": {"next": {"1": 2, "2": 3}.get(asked.get("after", "1"))},
        },
    )
    crm.has(COLUMNS + "pages: {by: cursor, cursor: meta.next, parameter: after}")
    crm.run()
    assert crm.rows() == IDS
    assert [a.query for a in server.asked] == [{}, {"after": ["2"]}, {"after": ["3"]}]


def test_a_cursor_in_the_body_of_a_question(server: MisbehavingServer, crm: Crm) -> None:
    def answer(asked: Asked) -> Any:
        after = json.loads(asked.body)["variables"]["after"] or 1
        return {"data": PAGES[after], "next": after + 1 if after < 3 else None}

    server.on("/v1/list", answer)
    crm.has(
        COLUMNS + "method: POST\nbody: {query: 'query { customers { id } }', "
        "variables: {after: null, size: 2}}\n"
        "pages: {by: cursor, cursor: next, parameter: variables.after, into: body}"
    )
    crm.run()
    assert crm.rows() == IDS
    assert json.loads(server.asked[2].body) == {
        "query": "query { customers { id } }",
        "variables": {"after": 3, "size": 2},
    }
    assert server.asked[0].headers["Content-Type"] == "application/json"


MISSPELT = [
    ("by: cursor, cursor: nextt, parameter: p", "`cursor: nextt` is not in the body"),
    ("by: cursor, cursor: meta.next, parameter: p", "`cursor: meta.next` is not in the body"),
    ("by: next_url, next_url: nextt", "`next_url: nextt` is not in the body"),
    ("by: page, more: moree", "`more: moree` is not in the body"),
    ("by: page, more: 'pge < pages'", "`more: pge < pages` compares what is not a number"),
    ("by: cursor, cursor: none, parameter: p, more: pages", "there is a further page, and nothing"),
]


@pytest.mark.parametrize(("paging", "says"), MISSPELT)
def test_a_misspelt_path_to_the_next_page_is_an_error(
    server: MisbehavingServer, crm: Crm, paging: str, says: str
) -> None:
    server.on("/v1/list", {"data": PAGES[1], "next": "2", "none": None, "pages": 3})
    crm.has(COLUMNS + f"pages: {{{paging}}}")
    assert says in crm.fails()


def test_a_page_may_be_without_the_path_to_the_next(server: MisbehavingServer, crm: Crm) -> None:
    server.on("/v1/list", {"data": PAGES[1], "links": []})
    crm.has(COLUMNS + "pages: {by: next_url, next_url: \"next || ''\"}")
    assert "2 rows" in crm.run()
    crm.has(COLUMNS + "pages: {by: next_url, next_url: 'links[?rel==`\"next\"`].href | [0]'}")
    assert "2 rows" in crm.run()
    assert "finds nothing on page 1, which is taken for the last" in "".join(crm.events())


@pytest.mark.parametrize("paging", ["{by: link}", "{by: next_url, next_url: links.next}"])
def test_pages_by_address(server: MisbehavingServer, crm: Crm, paging: str) -> None:
    def answer(asked: Asked) -> Reply:
        number = int(asked.get("n", "1"))
        url = f"list?n={number + 1}&kind=a%20b"
        link = {"Link": f'<{server.url}/x>; rel="prev", <{url}>; rel="next"'} if number < 3 else {}
        links = {"next": f"{server.url}/v1/{url}" if number < 3 else None}
        body = {"data": PAGES[number], "links": links}
        return Reply(body, headers=link if paging == "{by: link}" else {})

    server.on("/v1/list", answer)
    crm.has(COLUMNS + f"parameters: {{kind: a b}}\npages: {paging}")
    crm.run()
    assert crm.rows() == IDS
    assert all(asked.query["kind"] == ["a b"] for asked in server.asked)


def test_a_further_page_that_nobody_asks_for_is_an_error(
    server: MisbehavingServer, crm: Crm
) -> None:
    server.on("/v1/list", Reply({"data": PAGES[1]}, headers={"Link": '</v1/list?p=2>; rel="next"'}))
    crm.has(COLUMNS)
    assert "has a further page (its header Link says so)" in crm.fails()


def test_a_loop_of_next_links_ends_in_an_error(server: MisbehavingServer, crm: Crm) -> None:
    following = {"1": "2", "2": "3", "3": "2"}
    server.on(
        "/v1/list",
        lambda asked: {
            "data": [{"id": len(server.asked)}],
            "next": f"/v1/list?p={following[asked.get('p', '1')]}",
        },
    )
    crm.has(COLUMNS + "pages: {by: next_url, next_url: next}")
    message = crm.fails()
    assert "page 4 is asked for like page 2" in message
    assert "nothing was kept" in message
    assert not crm.has_table()
    assert len(server.asked) == 3


def test_a_page_that_repeats_ends_in_an_error(server: MisbehavingServer, crm: Crm) -> None:
    """The server does not know the parameter, and always gives the first page."""
    server.on("/v1/list", lambda _: {"data": PAGES[1], "at": len(server.asked)})
    crm.has(COLUMNS + "pages: {by: page}")
    assert "page 2 has the same records as page 1: the server does not page" in crm.fails()
    crm.has(COLUMNS + "pages: {by: offset}")
    assert "page 2 has the same records as page 1" in crm.fails()
