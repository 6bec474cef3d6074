"""`do: rest`: each request proves who asks, and nobody else sees how."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.services.misbehaving_http import (
    Asked,
    MisbehavingServer,
    Reply,
    misbehaving_http,
)
from tests.services.rest_task import COLUMNS, GOOD, Crm, fetch, session_with

pytestmark = pytest.mark.usefixtures("short_waits")


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
def test_a_token_that_is_not_given_is_reported_without_the_secret(
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


def test_a_password_file_of_the_user_is_not_used(
    server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.on("/", GOOD)
    fetch(session_with(server), server.url)
    assert "Authorization" not in server.asked[0].headers
