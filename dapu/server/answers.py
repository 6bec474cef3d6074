"""What is answered when a request is not carried out, always `{"ok": false, "error": …}`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg2
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from dapu.errors import ConfigurationError, DapuError
from dapu.secrets import redact
from dapu.server.access.middleware import set_safe
from dapu.server.bodies import Refused, first_fault


class NotAccepted(BaseModel):
    """Nothing was done."""

    ok: bool = False
    error: str


_WHY = {
    400: "A parameter or the body is not as it must be",
    401: "No token, or one that is not known",
    408: "The body did not come within a minute",
    404: "There is no such thing",
    403: "The role is not enough, or another site asked for it",
    409: "Another read of this sync waits or runs",
    413: "The body is too long",
    503: "The warehouse does not answer",
}
_NOT_ACCEPTED = {
    "application/json": {"schema": NotAccepted.model_json_schema()},
    "text/html": {"schema": {"type": "string", "description": "A page, for who asks for one"}},
}
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    status: {"content": _NOT_ACCEPTED, "description": why} for status, why in _WHY.items()
}


def body(model: type[BaseModel]) -> dict[str, Any]:
    """The body of an endpoint, for its description."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema = _in_place(schema, schema.pop("$defs", {}))
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def handle_errors(app: FastAPI, page: Callable[[int, str], str]) -> None:
    """Lets each error be answered in one form, without secrets.

    page: the HTML of a status and what is wrong, for who asks with a browser.
    """

    def answer(request: Request, status: int, error: str, headers: Any = None) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(page(status, error), status, headers=headers)
        return _answer(status, error, headers)

    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return answer(request, error.status, error.message)

    def faulty(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        return answer(request, 400, first_fault([first | {"loc": first["loc"][1:]}]))

    def failed(request: Request, error: Exception) -> Response:
        is_lasting = isinstance(error, ConfigurationError)
        return answer(request, 500 if is_lasting else 503, redact(str(error)).strip())

    def other(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = {"Allow": _methods(app, request)} if error.status_code == 405 else error.headers
        return answer(request, error.status_code, str(error.detail), headers)

    def unforeseen(request: Request, _: Exception) -> Response:
        """Answered outside of all else, so with those headers; the log has the error."""
        found = answer(request, 500, "this is a fault of dapu: the server's log has more of it")
        set_safe(found.headers, request.scope)
        found.headers["Connection"] = "close"  # uvicorn ends it
        return found

    app.add_exception_handler(Exception, unforeseen)
    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(RequestValidationError, faulty)
    app.add_exception_handler(DapuError, failed)
    app.add_exception_handler(psycopg2.OperationalError, failed)
    app.add_exception_handler(HTTPException, other)


def _answer(status: int, error: str, headers: Any = None) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else headers
    return JSONResponse(NotAccepted(error=error).model_dump(), status, headers=headers)


def _methods(app: FastAPI, request: Request) -> str:
    """What may be done at a path; Starlette names only the first endpoint that has it."""
    here = [one for one in app.routes if one.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted({name for one in here for name in getattr(one, "methods", ())}))


def _in_place(schema: Any, known: dict[str, Any]) -> Any:
    """A JSON Schema with the parts that it refers to in their places."""
    if isinstance(schema, list):
        return [_in_place(part, known) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _in_place(known[schema["$ref"].rpartition("/")[2]], known)
    return {key: _in_place(part, known) for key, part in schema.items()}
