"""The pages: which address shows what. What they show is prepared in `dapu.pages`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from psycopg2.extensions import cursor as Cursor

from dapu.pages.assets import assets_by_hashed_name
from dapu.pages.frame import Fault, Frame, Reading, render
from dapu.registry.store import Registry
from dapu.registry.version import check_registry, registry_of
from dapu.server.access.asking import now_asking
from dapu.server.bodies import Refused
from dapu.server.buttons import buttons, resume_route
from dapu.warehouse.warehouse import Warehouse

_FOR_EVER = "public, max-age=31536000, immutable"


_TITLES = {
    401: "Please log in",
    403: "This is not allowed",
    404: "There is no such page",
    500: "This cannot be shown",
    503: "The warehouse does not answer",
}


class Pages:
    """What the pages of a warehouse need: its registry, read in one snapshot each."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.registry: Registry = registry_of(warehouse)

    def frame(self, here: str, at: datetime | None = None) -> Frame:
        """What stands around a page. at: when its data was read, where that is not now."""
        zone = self.warehouse.settings.zone
        return Frame(self.warehouse.name, zone, here, at=at or datetime.now(UTC), extra=_extra())

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """A cursor on one state of the registry, which cannot be changed by it."""
        with self.warehouse.session("pages") as session:
            session.set_session("repeatable read", readonly=True)
            with session.cursor() as cursor:
                check_registry(cursor, self.registry)
                yield cursor

    def show(
        self,
        template: str,
        here: str,
        prepare: Callable[[Reading], object],
        at: datetime | None = None,
    ) -> HTMLResponse:
        """A page. prepare: reads what the template shows. at: of what was read before."""
        frame = self.frame(here, at)
        with self.reading() as cursor:
            page = prepare(Reading(cursor, self.registry, self.warehouse, frame))
        return HTMLResponse(render(template, frame, page))

    @contextmanager
    def writing(self) -> Iterator[Cursor]:
        """A cursor on the registry, whose changes are committed at the end."""
        with self.warehouse.session("pages") as session, session, session.cursor() as cursor:
            check_registry(cursor, self.registry)
            yield cursor

    def answer(
        self, template: str, here: str, page: object, at: datetime | None = None
    ) -> HTMLResponse:
        """A page whose content is there. at: when it was read, where that is not now."""
        return HTMLResponse(render(template, self.frame(here, at), page))

    def fault(self, status: int, error: str) -> str:
        """The page of a request that is not carried out."""
        title = _TITLES.get(status, "This does not work")
        return render("fault.html", self.frame(""), Fault(title, error))


def _extra() -> dict[str, Any]:
    """Who looks, what is to be said once, and what may be done from here."""
    found = now_asking()
    if found is None:
        return {}
    person = found.person
    return {
        "person": person,
        "said": found.said,
        "csrf": found.csrf,
        "buttons": partial(buttons, found.request, person),
        "resume_route": partial(resume_route, person),
    }


def add_assets(app: FastAPI) -> None:
    """Adds the files that pages name; anybody may have them."""

    @app.get("/static/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        asset = assets_by_hashed_name().get(name)
        if asset is None:
            raise Refused(404, "there is no such file")
        headers = {"Cache-Control": _FOR_EVER}
        return Response(asset.content, media_type=asset.media_type, headers=headers)
