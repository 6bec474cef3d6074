"""`do: rest` asks only for what is new: watermarks, and answers that are unchanged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from tests.services.misbehaving_http import Asked, MisbehavingServer, Reply
from tests.services.rest_task import Crm

pytestmark = pytest.mark.usefixtures("short_waits")


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


def test_an_initial_value_and_a_backfill(server: MisbehavingServer, crm: Crm) -> None:
    changes = Changes(server)
    changes.records = [{"id": n, "at": f"2024-01-0{n}T00:00:00Z"} for n in range(1, 5)]
    crm.has(WATERMARK + "watermark: {column: at, initial: 2024-01-02}")
    crm.run()
    crm.run(backfill={"from": "2024-01-03T00:00:00Z", "to": None})
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


def test_a_date_too_young_to_show_every_change_is_not_trusted(
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
