"""How many requests the server has had, and how long each took: for `/metrics`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_STREAM = "/live"


class Traffic:
    """Counts requests by the path that the server knows, as `/tasks/{task}`."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._requests = Counter(
            "dapu_http_requests",
            "Requests that were answered",
            ["method", "path", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "dapu_http_request_seconds",
            "From a request to the end of its answer; without streams",
            ["path"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._streams = Gauge(
            "dapu_http_open_streams", "Pages that renew themselves now", registry=registry
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a request on, and counts it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        status, began = 500, time.monotonic()
        is_stream = scope["path"] == _STREAM

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._streams.inc(is_stream)
        try:
            await self._app(scope, receive, counted)
        finally:
            self._streams.dec(is_stream)
            path = getattr(scope.get("route"), "path", "unknown")
            self._requests.labels(_method(scope), path, status).inc()
            if not is_stream:
                self._seconds.labels(path).observe(time.monotonic() - began)


def _method(scope: Scope) -> str:
    """One of those that are asked for; anything else is one word, or callers would name series."""
    method = scope["method"]
    return method if method in ("GET", "POST", "HEAD", "OPTIONS") else "other"
