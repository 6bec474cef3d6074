"""What is done on pages: a page asks first, and a form does it; a script sends the form alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal, get_args

from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from psycopg2.extensions import cursor as Cursor
from pydantic import BaseModel, Field, ValidationError

from dapu.errors import ConfigurationError
from dapu.pages.confirm import ConfirmPage
from dapu.server.access.asking import asking
from dapu.server.access.doors import LoginNeeded
from dapu.server.access.forms import Form, local
from dapu.server.answers import NotAccepted
from dapu.server.bodies import Refused, first_fault
from dapu.server.pages import Pages
from dapu.server.what_to_do import ACTIONS, Action, Asked, target_of
from dapu.text import counted

Name = Literal[
    "run", "retry", "cancel", "pause", "resume", "blacklist", "unblacklist", "clear-watermark"
]
assert set(get_args(Name)) == set(ACTIONS)
_SHOWN = 20  # lines of a preview


class Done(BaseModel):
    """What was done. done: to how many jobs or tasks; first: the first of them."""

    ok: bool = True
    done: int
    first: list[str] = Field(description="Jobs as `number task`, or tasks")


def add(app: FastAPI, pages: Pages, acted: Callable[[], None]) -> None:
    """Adds the endpoints. acted: called when something was done."""

    @app.get("/actions/{name}", response_class=Response, tags=["actions"])
    def confirm(
        action: Annotated[Action, Depends(_allowed)], asked: Annotated[Asked, Query()]
    ) -> Response:
        """The page that says what an action will do, to how many and which. Does nothing."""
        with _plainly(), pages.reading() as cursor:
            page = _page(pages, cursor, action, asked)
        return pages.answer("confirm.html", "", page)

    described: dict[str, Any] = {
        "requestBody": {
            "content": {"application/x-www-form-urlencoded": {"schema": Asked.model_json_schema()}}
        }
    }

    @app.post(
        "/actions/{name}",
        tags=["actions"],
        openapi_extra=described,
        response_model=Done,
        responses={303: {"description": "Done, for a browser"}, 415: {"model": NotAccepted}},
    )
    def act(request: Request, action: Annotated[Action, Depends(_allowed)], form: Form) -> Any:
        """Does it: an operator's login, or a token. Each is an event that says who did it."""
        asked = _asked(action, form)
        with _plainly(), pages.writing() as cursor:
            target = target_of(cursor, pages.registry, pages.warehouse.settings.zone, action, asked)
            person = asking().person
            assert person is not None
            done = action.act(cursor, pages.registry, target, person.operator())
        acted()
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse(Done(done=len(done), first=done[:_SHOWN]).model_dump())
        asking().say(f"{action.title}: {_said(action, done)}")
        return RedirectResponse(local(asked.next), 303)


def _allowed(name: Name, request: Request) -> Action:
    action, person = ACTIONS[name], asking().person
    if person is None:
        raise LoginNeeded
    if not person.may(action.role):
        raise Refused(403, f"this needs {action.role}, and {person.name} is {person.role} here")
    if request.method == "POST" and request.url.query:
        raise Refused(400, "send the parameters as a form: in the address they are not read")
    _check_names(action, request.query_params)
    return action


def _check_names(action: Action, names: Iterable[str]) -> None:
    """Raises Refused: what is passed over would make more of it than was meant."""
    foreign = [name for name in names if name not in (*action.takes, "next")]
    if foreign:
        takes = ", ".join(f"`{name}`" for name in action.takes)
        raise Refused(400, f"`{action.name}` has no parameter `{foreign[0]}`; it takes {takes}")


def _said(action: Action, done: list[str]) -> str:
    if action.kind == "place":
        return ", ".join(done) or "nothing was to be done"
    return done[0] if len(done) == 1 else counted(len(done), action.kind)


@contextmanager
def _plainly() -> Iterator[None]:
    """A person's mistake is no fault of the warehouse."""
    try:
        yield
    except ConfigurationError as error:
        raise Refused(409, str(error)) from None


def _asked(action: Action, form: dict[str, list[str]]) -> Asked:
    _check_names(action, form)
    lists = ("task", "job", "status")
    values: dict[str, Any] = {
        key: texts if key in lists else texts[-1] for key, texts in form.items()
    }
    try:
        return Asked.model_validate({key: value for key, value in values.items() if value != ""})
    except ValidationError as error:
        raise Refused(400, first_fault(error.errors())) from None


def _page(pages: Pages, cursor: Cursor, action: Action, asked: Asked) -> ConfirmPage:
    target = target_of(cursor, pages.registry, pages.warehouse.settings.zone, action, asked)
    shown = action.preview(cursor, pages.registry, target, _SHOWN)
    fields = [*target.fields(), *shown.bounds]
    given = asked.model_dump(mode="json", exclude_defaults=True, include=set(action.asks))
    what = {"job": "Jobs", "task": "Tasks", "place": ""}[action.kind]
    sentence = action.sentence(target)
    return ConfirmPage(action.name, action.title, sentence, shown.number, what, shown.lines, fields,
                       local(asked.next), action.asks, given, action.is_danger)  # fmt: skip
