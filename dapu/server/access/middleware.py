"""What holds for each request and answer: its origin, its session, what browsers are to allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from dapu.server.access.people import brings_token

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from dapu.server.access.people import People

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_LOCAL = ("localhost", "127.0.0.1", "::1")
_OF_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


class Peer:
    """Notes who really asks, before what the proxy says of it is taken for true."""

    def __init__(self, app: ASGIApp, people: People) -> None:
        proxy = people.section.proxy
        self._app: Any = app
        if proxy:
            self._app = ProxyHeadersMiddleware(app, [str(one) for one in proxy.addresses])  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See https://asgi.readthedocs.io/en/stable/specs/main.html."""
        if scope["type"] == "http":
            scope["peer"] = scope["client"][0] if scope.get("client") else None
        await self._app(scope, receive, send)


class Sessions:
    """Signed cookies, which only this warehouse's servers can read, and no script.

    Over TLS the name begins with `__Host-`: a neighbour below the same domain cannot set it.
    """

    def __init__(self, app: ASGIApp, key: str, name: str, seconds: int) -> None:
        self._plain = SessionMiddleware(app, key, f"dapu-{name}", seconds)
        self._secure = SessionMiddleware(
            app, f"{key} tls", f"__Host-dapu-{name}", seconds, https_only=True
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See https://asgi.readthedocs.io/en/stable/specs/main.html."""
        is_secure = scope.get("scheme") == "https"
        await (self._secure if is_secure else self._plain)(scope, receive, send)


def set_safe(headers: MutableHeaders, scope: Scope) -> None:
    """Sets what browsers are to allow, where an answer does not say so itself."""
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-store")
    if scope.get("scheme") == "https":
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")


class SafeAnswers:
    """Sets what browsers are to allow; an answer that says otherwise itself keeps that.

    What a proxy or browser must not keep are all answers but those that say how long they hold.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See https://asgi.readthedocs.io/en/stable/specs/main.html."""

        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                set_safe(MutableHeaders(scope=message), scope)
            await send(message)

        await self._app(scope, receive, safely if scope["type"] == "http" else send)


class SameSite:
    """Refuses what another site has a browser send.

    Who brings a token is no browser. Without logins only this machine's names are answered to:
    a site whose name was changed to point here (DNS rebinding) is not.
    """

    def __init__(self, app: ASGIApp, people: People) -> None:
        self._app, self._people = app, people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See https://asgi.readthedocs.io/en/stable/specs/main.html."""
        fault = self._fault(scope) if scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        answer = PlainTextResponse(f"{fault}\n", 403)
        await answer(scope, receive, send)

    def _fault(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._people.is_open and not _is_local(headers, host):
            return "without logins the server answers to localhost only"
        if brings_token(headers):
            return None
        is_cross = headers.get("sec-fetch-site", "none") in ("cross-site", "same-site")
        is_navigation = headers.get("sec-fetch-mode") == "navigate"
        is_read = scope["method"] in ("GET", "HEAD", "OPTIONS")
        if is_cross and not (is_read and is_navigation):
            return "another site asked for this"
        origin = headers.get("origin")
        if origin is not None and not is_read and origin not in self._origins(scope, host):
            return "another site asked for this (the header Origin)"
        return None

    def _origins(self, scope: Scope, host: str) -> list[str | None]:
        return [self._people.section.url, f"{scope.get('scheme', 'http')}://{host}"]


def _is_local(headers: Headers, host: str) -> bool:
    """Whether this machine is asked by its own name, and not by a proxy for others."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name in _LOCAL and not any(one in headers for one in _OF_PROXIES)
