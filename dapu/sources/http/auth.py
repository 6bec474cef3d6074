"""The credentials of a connection: how a request shows who sends it."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus, urlencode

from requests import PreparedRequest
from requests.auth import AuthBase

from dapu.errors import FaultyDocument, JobError
from dapu.secrets import remember
from dapu.sources.documents import exact_json
from dapu.sources.http.messages import Request
from dapu.warehouse.connection_kinds import ApiKeyAuth, BasicAuth, BearerAuth, OAuth2Auth

_USED_UP = 0.9  # of a token's life, after which a new one is fetched


class Credentials(AuthBase):
    """Nothing to prove. requests would otherwise look for a password in ~/.netrc.

    header: the header that must not go to another server.
    """

    header: str | None = None

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Called by requests: adds the credentials to a request."""
        return request

    def make_ready(self) -> None:
        """Called before each request."""

    def renew(self) -> bool:
        """Called when the server does not accept what was sent; whether there is hope."""
        return False


class _Header(Credentials):
    def __init__(self, header: str, value: str) -> None:
        self.header = header
        self._value = value

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers[self.header or ""] = self._value.encode()
        return request


class _Parameter(Credentials):
    def __init__(self, name: str, value: str) -> None:
        self._name, self._value = name, value

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.prepare_url(str(request.url), {self._name: self._value})
        return request


class _ClientCredentials(Credentials):
    """A token of OAuth 2.0, fetched with client credentials: RFC 6749, section 4.4."""

    header = "Authorization"

    def __init__(self, auth: OAuth2Auth, ask: Callable[[Request], bytes]) -> None:
        self._auth, self._ask = auth, ask
        self._token = ""
        self._good_until = 0.0

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def make_ready(self) -> None:
        if not self._token or time.monotonic() > self._good_until:
            self._fetch()

    def renew(self) -> bool:
        self._token = ""
        return True

    def _fetch(self) -> None:
        asked = time.monotonic()
        reply = self._read(self._ask(self._request()))
        self._token = str(reply["access_token"])
        remember(self._token)
        try:
            lives = float(reply.get("expires_in") or "inf")
        except ValueError:
            lives = float("inf")
        self._good_until = asked + _USED_UP * lives

    def _request(self) -> Request:
        auth, secret = self._auth, self._auth.client_secret.get_secret_value()
        form = {"grant_type": "client_credentials", **auth.parameters}
        if auth.scope:
            form["scope"] = auth.scope
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if auth.send_in == "body":
            form |= {"client_id": auth.client_id, "client_secret": secret}
        else:  # encoded as section 2.3.1 says
            headers["Authorization"] = _basic(quote_plus(auth.client_id), quote_plus(secret))
        return Request(auth.url, "POST", headers=headers, body=urlencode(form))

    def _read(self, body: bytes) -> dict[str, Any]:
        try:
            reply = exact_json.parse(body)
        except FaultyDocument as error:
            raise JobError(f"the answer of {self._auth.url} {error}") from None
        if not isinstance(reply, dict) or not reply.get("access_token"):
            raise JobError(f"the answer of {self._auth.url} has no access_token")
        return reply


def credentials(auth: Any, ask: Callable[[Request], bytes]) -> Credentials:
    """For the `auth` of a connection. ask: sends a request without credentials."""
    match auth:
        case BasicAuth():
            password = auth.password.get_secret_value()
            return _Header("Authorization", _basic(auth.username, password))
        case BearerAuth():
            return _Header("Authorization", f"Bearer {auth.token.get_secret_value()}")
        case ApiKeyAuth():
            key = auth.api_key.get_secret_value()
            return (
                _Header(auth.header, key) if auth.header else _Parameter(str(auth.parameter), key)
            )
        case OAuth2Auth():
            return _ClientCredentials(auth, ask)
    return Credentials()


def _basic(username: str, password: str) -> str:
    word = b64encode(f"{username}:{password}".encode()).decode()
    remember(word)  # a server may say what it was sent, and anybody can decode it
    return f"Basic {word}"
