"""Paths as callers write them: two slashes are one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_SLASHES = re.compile(r"/{2,}")


class OneSlash:
    """Hands each request on with single slashes in its path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See https://asgi.readthedocs.io/en/stable/specs/main.html."""
        if scope["type"] == "http":
            scope["path"] = _SLASHES.sub("/", scope["path"])
        await self._app(scope, receive, send)
