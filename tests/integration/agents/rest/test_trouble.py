"""`do: rest` when the server or the network does not do what it should."""

from __future__ import annotations

import gzip
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from dapu.errors import JobError, JobInterrupted
from tests.services.misbehaving_http import (
    Asked,
    MisbehavingServer,
    Reply,
    misbehaving_http,
    self_signed,
)
from tests.services.rest_task import COLUMNS, GOOD, Crm, fetch, session_with

pytestmark = pytest.mark.usefixtures("short_waits")


def test_an_answer_cut_in_mid_body_is_asked_for_again(server: MisbehavingServer, crm: Crm) -> None:
    server.in_turn("/v1/list", Reply(GOOD, missing=10), GOOD)
    crm.has(COLUMNS)
    crm.run()
    assert crm.rows() == [(1,)]
    assert any("the answer broke off" in event for event in crm.events())


def test_of_an_answer_that_is_always_cut_nothing_is_kept(
    server: MisbehavingServer, crm: Crm
) -> None:
    """What came would be JSON: only the length tells that it is not all."""
    server.on(
        "/v1/list",
        lambda asked: Reply(GOOD, missing=0 if asked.get("page") == "1" else 3),
    )
    crm.has(COLUMNS + "pages: {by: page}", "retries: 2")
    message = crm.fails()
    assert "page=2: the answer broke off (IncompleteRead" in message
    assert "it was the last try" in message
    assert len(server.asked) == 1 + 3
    assert not crm.has_table()


def test_an_answer_in_chunks_that_breaks_off_is_an_error(
    server: MisbehavingServer, crm: Crm
) -> None:
    chunk = b'1a\r\n{"data": [{"id": 1}], "a":\r\n'
    headers = {"Transfer-Encoding": "chunked", "Content-Length": "", "Connection": "close"}
    server.on("/v1/list", Reply(chunk, headers=headers))
    crm.has(COLUMNS, "retries: 0")
    assert "the answer broke off" in crm.fails()


def test_a_storm_of_429_passes_with_growing_waits(server: MisbehavingServer, crm: Crm) -> None:
    busy = Reply("slow down", 429)
    server.in_turn("/v1/list", busy, busy, busy, busy, busy, GOOD)
    crm.has(COLUMNS)
    crm.run()
    waits = [float(e.split("asks again in ")[1][:-2]) for e in crm.events() if "asks again" in e]
    assert len(waits) == 5
    assert waits[0] < 0.02 < 0.09 < waits[4] < 0.3


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_that_stays_broken_is_reported_with_its_own_words(
    server: MisbehavingServer, status: int
) -> None:
    page = "<html><style>p {}</style><p>Down for   maintenance &\n back soon</p></html>"
    server.on("/list", Reply(page, status, {"Content-Type": "text/html"}))
    with pytest.raises(JobError) as error:
        fetch(session_with(server, retries=1), f"{server.url}/list")
    assert f"GET {server.url}/list: {status} " in str(error.value)
    assert "Down for maintenance & back soon; it was the last try" in str(error.value)
    assert len(server.asked) == 2


@pytest.mark.parametrize("kind", ["seconds", "date"])
def test_retry_after_is_honoured(server: MisbehavingServer, kind: str) -> None:
    later = datetime.now(UTC) + timedelta(seconds=2)
    value = "1" if kind == "seconds" else format_datetime(later, usegmt=True)
    server.in_turn("/list", Reply("busy", 503, {"Retry-After": value}), GOOD)
    started = time.monotonic()
    fetch(session_with(server), f"{server.url}/list")
    assert time.monotonic() - started > 0.9


def test_who_asks_to_come_again_much_later_fails_the_try(
    server: MisbehavingServer, crm: Crm
) -> None:
    server.on("/v1/list", Reply("quota used up", 429, {"Retry-After": "7200"}))
    crm.has(COLUMNS)
    message = crm.fails()
    assert "429 Too Many Requests: quota used up; it asks to come again in 2 h 0 min" in message
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 410, 422])
def test_what_no_waiting_fixes_is_not_asked_again(server: MisbehavingServer, status: int) -> None:
    server.on("/list", Reply({"error": "no such list"}, status))
    with pytest.raises(JobError, match=f"/list: {status} "):
        fetch(session_with(server), f"{server.url}/list")
    assert len(server.asked) == 1


def test_a_server_that_is_not_there(server: MisbehavingServer, crm: Crm) -> None:
    crm.has(COLUMNS, "retries: 1")
    connections = crm.folder / "connections.yaml"
    text = connections.read_text().replace(server.url, "http://127.0.0.1:9")
    connections.write_text(text)
    message = crm.fails()
    assert "GET http://127.0.0.1:9/v1/list: there is no answer" in message
    assert "Connection refused" in message


def test_a_server_that_says_nothing_for_too_long(server: MisbehavingServer, crm: Crm) -> None:
    server.on("/v1/list", Reply(GOOD, waits=3))
    crm.has(COLUMNS, "timeout: 0.2 s\nretries: 1")
    assert "there is no answer (ReadTimeoutError" in crm.fails()


def test_a_slow_request_ends_when_the_job_does(server: MisbehavingServer, crm: Crm) -> None:
    server.on("/v1/list", Reply(GOOD, waits=20))
    crm.has(COLUMNS, run=", timeout: 1 s")
    started = time.monotonic()
    assert crm.fails() == "timed out: it ran longer than 1.0 s"
    assert time.monotonic() - started < 6


@pytest.mark.parametrize("moment", ["before the answer", "in its middle", "while it waits"])
def test_stop_ends_a_request_at_once(server: MisbehavingServer, moment: str) -> None:
    replies = {
        "before the answer": Reply(GOOD, waits=20),
        "in its middle": Reply(b"[" + b" " * 100_000, missing=100),
        "while it waits": Reply("busy", 503, {"Retry-After": "60"}),
    }
    reply = replies[moment]

    def answer(_: Asked) -> Reply:
        threading.Timer(0.2, session.stop).start()
        return reply

    server.on("/slow", answer)
    session = session_with(server)
    started = time.monotonic()
    with pytest.raises(JobInterrupted):
        fetch(session, f"{server.url}/slow")
    assert time.monotonic() - started < 3


def test_gzip_is_unpacked_and_broken_gzip_is_not_taken(server: MisbehavingServer, crm: Crm) -> None:
    packed = gzip.compress(b'{"data": [{"id": 7}]}')
    server.on("/v1/list", Reply(packed, headers={"Content-Encoding": "gzip"}))
    crm.has(COLUMNS, "retries: 0")
    crm.run()
    assert crm.rows() == [(7,)]
    server.on("/v1/list", Reply(b"not gzip", headers={"Content-Encoding": "gzip"}))
    assert "the answer broke off" in crm.fails()
    server.on("/v1/list", Reply(packed[:-14], headers={"Content-Encoding": "gzip"}))
    assert "is not JSON" in crm.fails()
    assert crm.rows() == [(7,)]


def test_a_question_with_a_body_is_not_sent_on(server: MisbehavingServer, crm: Crm) -> None:
    with misbehaving_http("127.0.0.2") as other:
        server.on("/v1/list", Reply(status=307, headers={"Location": f"{other.url}/there"}))
        crm.has(COLUMNS + "method: POST\nbody: {a: 1}")
        assert f"it sends the question on to {other.url}/there" in crm.fails()
        assert other.asked == []


@pytest.mark.parametrize("paging", ["{by: link}", "{by: next_url, next_url: next}"])
def test_next_pages_on_another_server_are_not_asked_for(
    server: MisbehavingServer, crm: Crm, paging: str
) -> None:
    away = "http://127.0.0.2:1/v1/list?page=2"
    reply = Reply(GOOD | {"next": away}, headers={"Link": f'<{away}>; rel="next"'})
    server.on("/v1/list", reply)
    crm.has(COLUMNS + f"pages: {paging}", "auth: {type: bearer, token: t0ken}")
    message = crm.fails()
    assert f"page 1: the next page is said to be at {away}, on another server" in message


def test_redirects_in_a_circle(server: MisbehavingServer, crm: Crm) -> None:
    server.on("/v1/list", Reply(status=302, headers={"Location": "/v1/list"}))
    crm.has(COLUMNS)
    assert "Exceeded 10 redirects" in crm.fails()


def test_requests_keep_to_the_rate(server: MisbehavingServer) -> None:
    server.on("/", GOOD)
    session = session_with(server, rate_limit={"requests": 10, "per": "1 s"})
    started = time.monotonic()
    for _ in range(4):
        fetch(session, server.url)
    assert 0.3 <= time.monotonic() - started < 2


def test_a_certificate_that_is_not_trusted_is_not_asked_again(tmp_path: Path) -> None:
    with misbehaving_http(certificate=self_signed(tmp_path)) as server:
        with pytest.raises(JobError, match="certificate verify failed"):
            fetch(session_with(server), server.url)
        assert server.asked == []
