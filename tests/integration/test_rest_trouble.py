"""`do: rest` when the server or the network does not do what it should."""

from __future__ import annotations

import gzip
import io
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from dapu.connections import RestConnection
from dapu.errors import JobError, JobInterrupted
from dapu.http.messages import Request
from dapu.http.session import HttpSession
from tests.one_task import OneTask
from tests.services.misbehaving_http import (
    Asked,
    MisbehavingServer,
    Reply,
    misbehaving_http,
    self_signed,
)
from tests.services.rest_task import Crm

pytestmark = pytest.mark.usefixtures("short_waits")

COLUMNS = "path: list\nrecords: data\ncolumns: {id: {path: id, type: integer}}\n"
GOOD = {"data": [{"id": 1}]}


def session_with(server: MisbehavingServer, **keys: Any) -> HttpSession:
    given = {"name": "x", "driver": "rest", "url": server.url, **keys}
    return HttpSession(RestConnection.model_validate(given), lambda text: None)


def fetch(session: HttpSession, url: str) -> bytes:
    body = io.BytesIO()
    session.send(Request(url), body)
    return body.getvalue()


@pytest.fixture
def crm(task: OneTask, server: MisbehavingServer) -> Crm:
    return Crm(task, server)


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
def test_a_server_that_stays_broken_is_told_with_its_own_words(
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
def test_what_no_waiting_mends_is_not_asked_again(server: MisbehavingServer, status: int) -> None:
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


def test_a_bad_value_is_told_by_page_and_record(server: MisbehavingServer, crm: Crm) -> None:
    pages = {"1": [{"id": 1}, {"id": 2}], "2": [{"id": 3}, {"id": "three"}]}
    server.on("/v1/list", lambda asked: {"data": pages.get(asked.get("page"), [])})
    crm.has(COLUMNS + "pages: {by: page}")
    assert 'cannot hold "three" (page 2, record 2)' in crm.fails()
    crm.has(COLUMNS + "pages: {by: page}\non_bad_value: reject")
    assert "1 rows rejected" in crm.run()
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


class Gate:
    """Lets in who has the token of the moment, which is good for so many requests."""

    def __init__(self, server: MisbehavingServer, good_for: int) -> None:
        self.given: list[str] = []
        self.left = 0
        self._good_for = good_for
        server.on("/token", self.token)

    def token(self, asked: Asked) -> Any:
        self.given.append(asked.body.decode() + " " + asked.headers.get("Authorization", ""))
        self.left = self._good_for
        return {"access_token": f"token-{len(self.given)}", "token_type": "Bearer"}

    def guard(self, answer: Callable[[Asked], Any]) -> Callable[[Asked], Any]:
        def guarded(asked: Asked) -> Any:
            self.left -= 1
            if asked.headers.get("Authorization") != f"Bearer token-{len(self.given)}":
                return Reply({"error": "who are you"}, 401)
            return answer(asked) if self.left >= 0 else Reply({"error": "expired"}, 401)

        return guarded


def oauth(server: MisbehavingServer, more: str = "") -> str:
    return (
        f"auth: {{type: oauth2, url: '{server.url}/token', client_id: dapu, "
        f"client_secret: s3cr3t-x y, scope: read{more}}}"
    )


def test_a_token_that_expires_in_mid_way_is_renewed(server: MisbehavingServer, crm: Crm) -> None:
    gate = Gate(server, good_for=2)
    pages = {str(n): [{"id": n}] for n in range(1, 6)}
    server.on("/v1/list", gate.guard(lambda asked: {"data": pages.get(asked.get("page"), [])}))
    crm.has(COLUMNS + "pages: {by: page}", oauth(server))
    crm.run()
    assert crm.rows() == [(n,) for n in range(1, 6)]
    assert len(gate.given) == 3
    # base64 of dapu:s3cr3t-x+y, encoded as RFC 6749 says
    assert gate.given[0] == "grant_type=client_credentials&scope=read Basic ZGFwdTpzM2NyM3QteCt5"


def test_a_token_that_is_never_accepted_is_an_error(server: MisbehavingServer, crm: Crm) -> None:
    gate = Gate(server, good_for=0)
    server.on("/v1/list", gate.guard(lambda asked: GOOD))
    crm.has(COLUMNS, oauth(server, ", send_in: body"))
    message = crm.fails()
    assert "401 Unauthorized" in message
    assert len(gate.given) == 2
    assert gate.given[0].startswith(
        "grant_type=client_credentials&scope=read&client_id=dapu&client_secret=s3cr3t-x+y"
    )


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply({"error": "invalid_client for s3cr3t-x y"}, 401), "invalid_client for ***"),
        ({"token": "x"}, "has no access_token"),
        ("<html>", "is not JSON"),
    ],
)
def test_a_token_that_is_not_given_is_told_without_the_secret(
    server: MisbehavingServer, crm: Crm, reply: Any, says: str
) -> None:
    server.on("/token", reply)
    crm.has(COLUMNS, oauth(server))
    message = crm.fails()
    assert says in message
    assert "s3cr3t" not in message


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ("{type: basic, username: ü, password: 'p:ä'}", "Authorization", "Basic w7w6cDrDpA=="),
        ("{type: bearer, token: t0ken-abc}", "Authorization", "Bearer t0ken-abc"),
        ("{type: api_key, api_key: k-123, header: X-Key}", "X-Key", "k-123"),
    ],
)
def test_each_request_proves_who_asks(
    server: MisbehavingServer, crm: Crm, auth: str, header: str, value: str
) -> None:
    server.on("/v1/list", GOOD)
    crm.has(COLUMNS, f"auth: {auth}\nheaders: {{X-Tenant: '7'}}")
    crm.run()
    assert server.asked[0].headers[header] == value
    assert server.asked[0].headers["X-Tenant"] == "7"


def test_a_password_is_never_shown_as_it_is_sent(server: MisbehavingServer, crm: Crm) -> None:
    server.on("/v1/list", lambda asked: Reply(f"\0you sent {asked.headers['Authorization']}", 400))
    crm.has(COLUMNS, "auth: {type: basic, username: joe, password: pw-s3cr3t}")
    assert "you sent Basic ***" in crm.fails()


def test_an_api_key_in_the_address_is_never_shown(server: MisbehavingServer, crm: Crm) -> None:
    def answer(asked: Asked) -> Any:
        return Reply({"error": f"bad key {asked.get('apikey')}"}, 403)

    server.on("/v1/list", answer)
    crm.has(COLUMNS, "auth: {type: api_key, api_key: 'k3y/1 2+ü', parameter: apikey}")
    message = crm.fails()
    assert server.asked[0].get("apikey") == "k3y/1 2+ü"
    assert "bad key ***" in message
    assert not any("k3y" in event for event in crm.events())


def test_credentials_do_not_follow_to_another_server(server: MisbehavingServer, crm: Crm) -> None:
    with misbehaving_http("127.0.0.2") as other:
        other.on("/there", GOOD)
        server.on("/v1/list", Reply(status=302, headers={"Location": f"{other.url}/there"}))
        crm.has(
            COLUMNS,
            "auth: {type: api_key, api_key: k-123, header: X-Key}\nheaders: {X-Other: h-456}",
        )
        crm.run()
        sent = other.asked[0].headers
    assert crm.rows() == [(1,)]
    assert "X-Key" not in sent
    assert "X-Other" not in sent


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


def test_a_password_file_of_the_user_is_not_used(
    server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.on("/", GOOD)
    fetch(session_with(server), server.url)
    assert "Authorization" not in server.asked[0].headers


def test_a_certificate_that_is_not_trusted_is_not_asked_again(tmp_path: Path) -> None:
    with misbehaving_http(certificate=self_signed(tmp_path)) as server:
        with pytest.raises(JobError, match="certificate verify failed"):
            fetch(session_with(server), server.url)
        assert server.asked == []
