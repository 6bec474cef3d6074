"""Who asks now: for what is drawn around each page."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from dapu.server.access.people import People, Person

SAID = "said"
_asking: ContextVar[Asking | None] = ContextVar("asking", default=None)


@dataclass(frozen=True)
class Asking:
    """A request, and who sent it."""

    request: HTTPConnection
    people: People

    @property
    def person(self) -> Person | None:
        """Who sent it; None when that is not known."""
        return self.people.who(self.request)

    def csrf(self) -> str:
        """What its forms must bring back."""
        return self.people.csrf(self.request)

    def say(self, text: str) -> None:
        """Has the next page say something."""
        self.request.scope["session"][SAID] = text

    def said(self) -> str | None:
        """What this page is to say, once."""
        found: str | None = self.request.scope["session"].pop(SAID, None)
        return found


class Who:
    """Lets what answers a request know who sent it."""

    def __init__(self, app: ASGIApp, people: People) -> None:
        self._app, self._people = app, people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See https://asgi.readthedocs.io/en/stable/specs/main.html."""
        if scope["type"] == "http":
            _asking.set(Asking(HTTPConnection(scope), self._people))
        await self._app(scope, receive, send)


def asking() -> Asking:
    """The request that is being answered."""
    found = _asking.get()
    assert found is not None, "outside of a request"
    return found


def now_asking() -> Asking | None:
    """The same; None outside of a request."""
    return _asking.get()
