"""`do: rest` with `repeat`: one question a row of a query or of a list."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.services.misbehaving_http import Asked, MisbehavingServer
from tests.services.rest_task import Crm

pytestmark = pytest.mark.usefixtures("short_waits")


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
