"""`do: rest`: an answer that cannot be read is reported with its place."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.misbehaving_http import (
    MisbehavingServer,
    Reply,
)
from tests.services.rest_task import COLUMNS, Crm

pytestmark = pytest.mark.usefixtures("short_waits")
FAULTY: list[tuple[Any, str]] = [
    (
        Reply("<html><body>Please log in", headers={"Content-Type": "text/html; charset=utf-8"}),
        "page 1 (URL/v1/list): is text/html, neither JSON nor XML; if it is one, say so with "
        "`format`. It begins: <html><body>Please log in",
    ),
    (Reply('{"data": [{"id": 1},', headers={}), "page 1 (URL/v1/list): is not JSON (Expecting"),
    (Reply(b""), "is not JSON"),
    ('{"data": [{"id": 1, "id": 2}]}', "has the key 'id' twice in one object"),
    ('{"data": [{"id": NaN}]}', "has the number NaN, which JSON has not"),
    (b'{"data": "\xff"}', "is not text of the encoding UTF-8"),
    ("[" * 100_000, "is nested too deeply"),
    (
        {"error": {"code": 17}, "ok": False},
        "`records: data` finds nothing; its keys are: error, ok. Where an answer may be without, "
        "write `records: data || `[]``",
    ),
    ({"data": [{"id": "x1"}]}, 'cannot hold "x1" (record 1): invalid input syntax for type bigint'),
    ({"data": [{"id": {"a": 1.5}}]}, 'cannot hold "{"a":1.5}" (record 1)'),
    ({"data": [{"id": 10**19}]}, "(record 1): value"),
    ({"data": [{"id": "1\0"}]}, "record 1: the column id has a NUL character"),
    ('{"data": [{"id": 1}, {"id": "\\ud800"}]}', "record 2 has half of a character in a text"),
]


@pytest.mark.parametrize(("answer", "says"), FAULTY)
def test_a_faulty_answer_says_what_is_wrong_and_where(
    server: MisbehavingServer, crm: Crm, answer: Any, says: str
) -> None:
    server.on("/v1/list", answer)
    crm.has(COLUMNS)
    assert says.replace("URL", server.url) in crm.fails()
    assert not crm.has_table()


def test_a_bad_value_is_reported_by_page_and_record(server: MisbehavingServer, crm: Crm) -> None:
    pages = {"1": [{"id": 1}, {"id": 2}], "2": [{"id": 3}, {"id": "three"}]}
    server.on("/v1/list", lambda asked: {"data": pages.get(asked.get("page"), [])})
    crm.has(COLUMNS + "pages: {by: page}")
    assert 'cannot hold "three" (page 2, record 2)' in crm.fails()
    crm.has(COLUMNS + "pages: {by: page}\non_bad_value: reject")
    assert "1 row rejected" in crm.run()
    assert crm.rows() == [(1,), (2,), (3,)]


def test_nul_characters_are_left_out_where_that_is_wanted(
    server: MisbehavingServer, crm: Crm
) -> None:
    server.on("/v1/list", '{"data": [{"id": 1, "name": "a\\u0000b", "x": ["\\u0000c\\\\u0000"]}]}')
    crm.has(
        "path: list\nrecords: data\nnul_characters: remove\n"
        "columns: {id: id, name: name, x: {path: x, type: jsonb}}"
    )
    crm.run()
    assert crm.rows() == [(1, "ab", ["c\\u0000"])]
