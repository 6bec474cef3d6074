"""Who asks the server, and what they may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dapu.server.access.asking import Who
from dapu.server.access.middleware import Peer, SafeAnswers, SameSite, Sessions

if TYPE_CHECKING:
    from fastapi import FastAPI

    from dapu.server.access.people import People


def protect(app: FastAPI, people: People) -> None:
    """Puts around an application what holds for each request; the last is the outermost."""
    seconds = int(people.section.session.total_seconds())
    app.add_middleware(Who, people=people)
    app.add_middleware(
        Sessions, key=people.seal.checksum("sessions"), name=people.seal.checksum("name")[:8],
        seconds=seconds,
    )  # fmt: skip
    app.add_middleware(SameSite, people=people)
    app.add_middleware(SafeAnswers)
    app.add_middleware(Peer, people=people)
