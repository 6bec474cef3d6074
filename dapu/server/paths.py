"""Requests as callers write them: two slashes are one, and a page may be asked for its headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, StreamingResponse
from fastapi.routing import APIRoute
from starlette.routing import Match

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


def page_router(guard: list[Any]) -> APIRouter:
    """For the addresses of pages. guard: what lets a person in."""
    return APIRouter(
        dependencies=guard,
        tags=["pages"],
        default_response_class=HTMLResponse,
        route_class=_PageRoute,
    )


class _PageRoute(APIRoute):
    """A page: HEAD is answered as GET is, but for the content, which uvicorn leaves out."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As Starlette's."""
        return super().matches(self._with_content(scope))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As Starlette's."""
        await super().handle(self._with_content(scope), receive, send)

    def _with_content(self, scope: Scope) -> Scope:
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        is_endless = self.response_class is StreamingResponse
        return {**scope, "method": "GET"} if is_head and not is_endless else scope
