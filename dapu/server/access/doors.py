"""Logging in and out, and who may pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from dapu.components import steering
from dapu.components.steering import Operator
from dapu.errors import DapuError
from dapu.pages.login import LoginPage
from dapu.server.access import passwords
from dapu.server.access.asking import asking
from dapu.server.access.attempts import Attempt, network_of, one_at_a_time
from dapu.server.access.forms import Form, address_of, local
from dapu.server.access.oidc import Provider
from dapu.server.access.people import People
from dapu.server.bodies import Refused
from dapu.server.pages import Pages
from dapu.warehouse.login_settings import Role

_TOO_MANY = "too many logins failed: wait for a quarter of an hour"
_LONGEST = 1000  # characters of a password


class LoginNeeded(Exception):
    """Who asks is not known."""


def needs(role: Role) -> Callable[[], None]:
    """Lets somebody pass who may do what a role may."""

    def guard() -> None:
        person = asking().person
        if person is None:
            raise LoginNeeded
        if not person.may(role):
            raise Refused(403, f"this needs {role}, and {person.name} is {person.role} here")

    return guard


def add(app: FastAPI, pages: Pages, people: People) -> None:
    """Adds the pages by which one logs in and out."""
    app.add_exception_handler(LoginNeeded, _ask_to_log_in)
    _add_login(app, pages, people)
    if people.section.oidc:
        back = f"{people.section.url}/login/back"
        _add_oidc(app, pages, people, Provider(people.section.oidc, back))


def _ask_to_log_in(request: Request, _: Exception) -> Response:
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": "/login"})
    if "text/html" in request.headers.get("accept", ""):
        is_form = request.method == "POST"
        then = _page_of_form(request) if is_form else address_of(request)
        return RedirectResponse(f"/login?next={quote(then, safe='')}", 303)
    return JSONResponse(
        {"ok": False, "error": "log in, or give a known token: Authorization: Bearer …"},
        401,
        headers={"WWW-Authenticate": "Bearer"},
    )


def _page_of_form(request: Request) -> str:
    """The page whose form was sent: who has logged in finds it there again."""
    try:
        sent_from = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return "/"
    if sent_from.netloc != request.headers.get("host"):
        return "/"
    return local(sent_from.path + (f"?{sent_from.query}" if sent_from.query else ""))


def _add_login(app: FastAPI, pages: Pages, people: People) -> None:
    def page(then: str, status: int = 200, fault: str | None = None) -> Response:
        section = people.section
        shown = LoginPage(bool(section.logins), bool(people.tokens), section.oidc is not None,
                          local(then), fault)  # fmt: skip
        answer = pages.answer("login.html", "", shown)
        answer.status_code = status
        return answer

    @app.get("/login", tags=["logins"], response_class=HTMLResponse)
    def login(next: str = "/") -> Response:  # noqa: A002 - as the address has it
        """The page on which one logs in; who has, is sent on."""
        return page(next) if asking().person is None else RedirectResponse(local(next), 303)

    @app.post(
        "/login",
        tags=["logins"],
        response_class=HTMLResponse,
        openapi_extra=_form("name", "password", "token", "next", "csrf"),
        responses={303: {"description": "Logged in"}, 429: {"description": _TOO_MANY}},
    )
    def log_in(form: Form) -> Response:
        """Logs in: by name and password, or by a token."""
        then = (form.get("next") or ["/"])[0]
        name, password, token = (
            (form.get(key) or [""])[0] for key in ("name", "password", "token")
        )
        status = _try(pages, people, name, password, token)
        if status == 200:
            return RedirectResponse(local(then), 303)
        fault = (
            _TOO_MANY
            if status == 429
            else "this name with this password, or this token, is not known"
        )
        return page(then, status, fault)

    @app.post(
        "/logout",
        tags=["logins"],
        response_class=HTMLResponse,
        openapi_extra=_form("csrf"),
        responses={303: {"description": "Logged out"}},
    )
    def log_out(_: Form) -> Response:
        """Ends the session of this browser."""
        asking().request.scope["session"].clear()
        return RedirectResponse("/login", 303)


def _form(*fields: str) -> dict[str, Any]:
    """A form of these fields, for the description of requests."""
    schema = {"type": "object", "properties": {field: {"type": "string"} for field in fields}}
    content = {"application/x-www-form-urlencoded": {"schema": schema}}
    return {"requestBody": {"content": content}}


def _try(pages: Pages, people: People, name: str, password: str, token: str) -> int:
    """Tries a login: 200 when it holds, 401 when not, 429 without a look after too many."""
    request = asking().request
    known = people.login(name)
    address = network_of(request.client.host if request.client else None)
    attempt = Attempt(address, known.name if known else None)
    with one_at_a_time, pages.writing() as cursor:
        if attempt.is_one_too_many(cursor, pages.registry):
            return 429
        way, found = "login", name
        if token:
            stored = people.tokens.find(token)
            way, found = "token", people.token_name(stored) if stored else ""
        elif len(password) > _LONGEST or not _fits(people, name, password):
            found = ""
        if not found:
            attempt.failed(cursor, pages.registry)
            return 401
        by = Operator(found, way)
        steering.log(cursor, pages.registry, f"{by} logged in from {address}", by)
    people.remember(request.scope["session"], way, found, [])
    return 200


def _fits(people: People, name: str, password: str) -> bool:
    known = people.login(name)
    if known is None:
        return passwords.fits_nobody(password)
    return passwords.fits(password, known.password.get_secret_value())


def _add_oidc(app: FastAPI, pages: Pages, people: People, provider: Provider) -> None:
    @app.get("/login/oidc", include_in_schema=False)
    async def oidc(request: Request, next: str = "/") -> Response:  # noqa: A002 - see above
        for key in [key for key in request.session if key.startswith("_state_")]:
            del request.session[key]  # of logins that were begun and left: a cookie has 4 kB
        request.session["then"] = local(next)
        return await provider.send(request)

    @app.get("/login/back", include_in_schema=False)
    async def back(request: Request) -> Response:
        try:
            known = await provider.known(request)
        except DapuError as error:
            raise Refused(401, str(error)) from None
        if people.role_of(known.name, known.groups) is None:
            raise Refused(403, f"{known.name} may not use this server: see `roles` of its settings")
        then = local(str(request.session.get("then", "/")))
        await run_in_threadpool(_log_oidc, pages, Operator(known.name, "oidc"))
        people.remember(request.session, "oidc", known.name, _that_count(people, known.groups))
        return RedirectResponse(then, 303)


def _that_count(people: People, groups: list[str]) -> list[str]:
    """The groups that the settings name: a cookie has 4 kB."""
    return [group for group in groups if f"group:{group}" in people.section.roles]


def _log_oidc(pages: Pages, by: Operator) -> None:
    with pages.writing() as cursor:
        steering.log(cursor, pages.registry, f"{by} logged in", by)
