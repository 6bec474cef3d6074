"""The endpoints: what they take, and what they answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

from dapu.components.steering import Operator
from dapu.errors import DapuError
from dapu.pages.described import described
from dapu.server import access, actions, answers, metrics, pages, reading, table_pages
from dapu.server.access import doors
from dapu.server.access.asking import asking
from dapu.server.access.doors import needs
from dapu.server.access.people import People
from dapu.server.bodies import ConfigBody, ReadBody, Refused, document, read_body
from dapu.server.desk import Asked, Desk, is_scheduled
from dapu.server.known import Known
from dapu.server.pages import Pages
from dapu.server.parameters import CancelQuery, CheckQuery, DiscoverQuery, ReadQuery, SpecQuery
from dapu.server.paths import OneSlash
from dapu.server.tokens import Tokens
from dapu.version import __version__

_BEARER = HTTPBearer(auto_error=False)
_Body = Annotated[bytes, Depends(read_body)]


class Accepted(BaseModel):
    """The request was taken: its job is in the agenda."""

    ok: bool = True


class SpecAccepted(Accepted):
    """The request was taken. Its answer in `source_spec` is no older than `startedAt`."""

    started_at: int = Field(
        serialization_alias="startedAt", description="When, in seconds since 1970"
    )


def make_app(desk: Desk, tokens: Tokens, wake: Callable[[], None]) -> FastAPI:
    """The application. wake: called when there is something to do for a worker."""
    shown = Pages(desk.warehouse)
    known = Known(shown)
    app = FastAPI(
        title="dapu server",
        lifespan=known.kept_fresh,
        version=__version__,
        description="Has connectors run as jobs of a warehouse's agenda.",
        responses=answers.DOCUMENTED,
        docs_url=None,  # its page wants scripts of others
        redoc_url=None,
    )
    app.state.is_over = lambda: False  # whoever runs the server knows when it is to end
    answers.handle_errors(app, shown.fault)
    people = People(desk.warehouse.settings.server, tokens, desk.seal)
    access.protect(app, people)
    app.add_middleware(OneSlash)
    guard = [Depends(_guard(people))]
    viewer = [Depends(needs("viewer"))]
    _add_health(app, desk)
    _add_commands(app, desk, wake, guard)
    _add_read(app, desk, wake, guard)
    metrics.add(app, desk, viewer)
    app.include_router(reading.router_of(shown, known, viewer))
    pages.add_assets(app)
    table_pages.add(app, shown, known, viewer)
    actions.add(app, shown, known.forget)
    doors.add(app, shown, people)

    @app.get("/docs", include_in_schema=False)
    def docs() -> Response:
        return shown.answer("described.html", "", described(app.openapi()))

    return app


def _guard(people: People) -> Callable[..., None]:
    def guard(
        request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
    ) -> None:
        if people.is_open:
            # Some of what changes is a GET: no other site may send a browser here.
            if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
                raise Refused(403, "another site asked for this")
        elif given is None or not people.tokens.know(given.credentials):
            raise Refused(401, "give a known token: Authorization: Bearer …")

    return guard


def _add_health(app: FastAPI, desk: Desk) -> None:
    @app.get("/healthz", responses={503: {"description": "The warehouse cannot be used"}})
    @app.get("/health", responses={503: {"description": "The warehouse cannot be used"}})
    def health(response: Response) -> dict[str, str]:
        """Whether the warehouse can be reached and is of this version. Needs no token."""
        try:
            desk.check_ready()
        except DapuError:
            response.status_code = 503
            return {"status": "fail"}
        return {"status": "pass"}


def _add_commands(app: FastAPI, desk: Desk, wake: Callable[[], None], guard: list[Any]) -> None:
    @app.get("/spec", dependencies=guard)
    def spec(query: Annotated[SpecQuery, Query()]) -> SpecAccepted:
        """Has a connector say what it wants. The answer comes into `source_spec`."""
        started = int(time.time())
        desk.ask(Asked("spec", query.package, query.version), {})
        wake()
        return SpecAccepted(started_at=started)

    @app.post("/check", dependencies=guard, openapi_extra=answers.body(ConfigBody))
    def check(body: _Body, query: Annotated[CheckQuery, Query()]) -> Accepted:
        """Has a configuration tried. The answer comes into `source_check`."""
        asked = Asked("check", query.package, query.version, query.storage_key)
        desk.ask(asked, document(body, ConfigBody))
        wake()
        return Accepted()

    @app.post("/discover", dependencies=guard, openapi_extra=answers.body(ConfigBody))
    def discover(body: _Body, query: Annotated[DiscoverQuery, Query()]) -> Accepted:
        """Has the streams listed. The answer comes into `source_catalog`."""
        asked = Asked(
            "discover",
            query.package,
            query.version,
            query.storage_key,
            query.sync_id or None,
            query.task_id or None,
            query.started_by,
            query.then_run,
            query.workspace_id or None,
            query.full_sync,
        )
        desk.ask(asked, document(body, ConfigBody))
        wake()
        return Accepted()


def _add_read(app: FastAPI, desk: Desk, wake: Callable[[], None], guard: list[Any]) -> None:
    @app.post("/read", dependencies=guard, openapi_extra=answers.body(ReadBody))
    def read(body: _Body, query: Annotated[ReadQuery, Query()]) -> Accepted:
        """Has streams read into tables. How it goes stands in `source_task`.

        One read of a sync at once: another one is refused, and a scheduled one passed over.
        """
        ids = (query.sync_id, query.task_id, query.started_by)
        asked = Asked("read", query.package, query.version, None, *ids)
        how = query.model_dump(
            by_alias=True,
            include={"namespace", "table_name_prefix", "to_same_case", "add_meta", "deduplicate"}
            | {"debug"},
        )
        is_delayed = is_scheduled(query.started_by) and not query.nodelay
        content = document(body, ReadBody)
        desk.read(asked, content, how, full=query.full_sync, is_delayed=is_delayed)
        wake()
        return Accepted()

    @app.get("/cancel", dependencies=guard)
    def cancel(query: Annotated[CancelQuery, Query()]) -> Accepted:
        """Ends a read, also one that is not known. What it has committed stays."""
        person = asking().person
        by = person.operator() if person else Operator("somebody", "no login")
        desk.cancel(query.sync_id, query.task_id, by)
        return Accepted()
