"""`do: rest`: an answer that says that there is more is never taken for all."""

from __future__ import annotations

from typing import Any

import pytest

from dapu.sources.http.links import next_link
from tests.services.misbehaving_http import Asked, MisbehavingServer, Reply
from tests.services.rest_task import Crm

pytestmark = pytest.mark.usefixtures("short_waits")
LIST = "path: list\nrecords: data\ncolumns: {id: id}\n"


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ('<a>; rel="next"', "a"),
        ('<a>; Rel="next"', "a"),
        ("<a>; rel=Next", "a"),
        ('<a>; rel="last next"', "a"),
        ('<a;b=1,c>; title="x; rel=\\"prev\\", <y>"; rel="next"', "a;b=1,c"),
        ('<p>; rel="prev", <a> ; rel = "next"', "a"),
        ("<p>;rel=prev,,<a>;crossorigin;rel=next", "a"),
        ('<a>; rel="prev"; rel="next"', None),  # the first counts
        ('<a>; rel="next"; anchor="#other"', None),
        ('<a>; rel="nextish"', None),
        ('<>; rel="next"', ""),
        ("", None),
        ("no link", None),
    ],
)
def test_links(header: str, address: str | None) -> None:
    assert next_link(header) == address


@pytest.mark.parametrize(
    ("beside", "sign"),
    [
        ({"next": "/v1/list?page=2"}, "next: /v1/list?page=2"),
        ({"links": {"next": {"href": "/x"}}}, "links.next"),
        ({"_links": [{"rel": "self"}, {"rel": "next", "href": "/x"}]}, "_links[rel=next]: /x"),
        ({"has_more": True}, "has_more: True"),
        ({"pageInfo": {"hasNextPage": True, "endCursor": "x"}}, "pageInfo.hasNextPage: True"),
        ({"total": 3}, "total: 3"),
        ({"meta": {"pagination": {"total-count": "3"}}}, "meta.pagination.total-count: 3"),
        ({"@odata.nextLink": "https://x"}, "@odata.nextLink: https://x"),
        ({"response_metadata": {"next_cursor": "dXNl"}}, "response_metadata.next_cursor"),
        ({"cursor": "abc"}, "cursor: abc"),
        ({"last": False}, "last: False"),
        ({"offset": "itrXYZ/rec1"}, "offset: itrXYZ/rec1"),
        ({"tree": "x", "truncated": True}, "truncated: True"),
        ({"done": False, "totalSize": 2}, "done: False"),
        ({"page": 1, "total_pages": 2}, "total_pages: 2"),
    ],
)
def test_an_answer_that_says_that_there_is_more_is_not_all(
    server: MisbehavingServer, crm: Crm, beside: dict[str, Any], sign: str
) -> None:
    server.on("/v1/list", {"data": [{"id": 1}, {"id": 2}], **beside})
    crm.has(LIST)
    message = crm.fails()
    assert f"`{sign}" in message
    assert "`pages: none`" in message
    crm.has(f"{LIST}pages: none")
    crm.run()
    assert crm.rows() == [(1,), (2,)]


@pytest.mark.parametrize(
    "beside",
    [
        {"next": None, "previous": "/x", "count": 2, "total_pages": 1},
        {"has_more": False, "next_cursor": "last"},
        {"pageInfo": {"hasNextPage": False, "endCursor": "x"}},
        {"links": {"next": "", "self": "/v1/list"}, "response_metadata": {"next_cursor": ""}},
        {"last": True, "next": 2, "offset": "0"},
        {"page_number": 7, "sum": 100, "total": 12.5},
    ],
)
def test_an_answer_that_is_all_is_read(
    server: MisbehavingServer, crm: Crm, beside: dict[str, Any]
) -> None:
    """What is in the records says nothing of others."""
    server.on("/v1/list", {"data": [{"id": 1, "next": 5, "total": 9}, {"id": 2}], **beside})
    crm.has(LIST)
    crm.run()
    assert crm.rows() == [(1,), (2,)]


def test_xml_says_it_too(server: MisbehavingServer, crm: Crm) -> None:
    text = "<l><more>true</more><i><id>1</id></i><i><id>2</id></i></l>"
    server.on("/v1/list", Reply(text.encode(), headers={"Content-Type": "text/xml"}))
    crm.has("path: list\nrecords: l.i\ncolumns: {id: id}")
    assert "`l.more: true`" in crm.fails()


def numbered(server: MisbehavingServer, total: int | None, end: Reply, own: bool = False) -> None:
    """Three pages of two records, and then `end`."""

    def answer(asked: Asked) -> Reply:
        page = int(asked.get("page"))
        if page > 3:
            return end
        body: dict[str, Any] = {"data": [{"id": 2 * page - 1}, {"id": 2 * page}]}
        return Reply(body | {"total": 2 if own else total})

    server.on("/v1/list", answer)


@pytest.mark.parametrize(
    "end",
    [Reply({"data": [], "total": 6}), Reply({"data": []}), Reply({"data": [], "total": 0}),
     Reply(status=404), Reply(status=204)],
)  # fmt: skip
def test_a_total_that_was_reached_is_proved_by_a_page_more(
    server: MisbehavingServer, crm: Crm, end: Reply
) -> None:
    numbered(server, 6, end)
    crm.has(f"{LIST}pages: {{by: page, total: total}}")
    crm.run()
    assert len(crm.rows()) == 6
    assert len(server.asked) == 4


@pytest.mark.parametrize(("total", "own"), [(2, False), (4, False), (7, False), (None, True)])
def test_a_total_that_is_a_pages_own_or_wrong_fails(
    server: MisbehavingServer, crm: Crm, total: int | None, own: bool
) -> None:
    numbered(server, total, Reply({"data": [], "total": 0}), own)
    crm.has(f"{LIST}pages: {{by: page, total: total}}")
    assert "6 records came, and by `total: total` there are" in crm.fails()
    assert not crm.has_table()


def test_a_cursor_goes_on_after_a_total_that_is_too_low(
    server: MisbehavingServer, crm: Crm
) -> None:
    def answer(asked: Asked) -> Reply:
        number = int(asked.get("after") or 0)
        marks = {"next": str(number + 1)} if number < 2 else {"next": None}
        return Reply({"data": [{"id": number}], "total": 1, **marks})

    server.on("/v1/list", answer)
    crm.has(f"{LIST}pages: {{by: cursor, cursor: next, parameter: after, total: total}}")
    assert "3 records came, and by `total: total` there are 1" in crm.fails()
