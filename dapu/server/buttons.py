"""What may be done from a page: by its address, and by who looks at it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.requests import HTTPConnection

from dapu.pages.all_tasks import is_selectors
from dapu.pages.frame import Fault
from dapu.registry.selectors import is_one_task
from dapu.server.access.forms import address_of
from dapu.server.access.people import Person
from dapu.server.what_to_do import ACTIONS

_OF_TASK = ("run", "blacklist", "unblacklist", "clear-watermark")
_OF_JOBS = ("retry", "cancel")
_TASK = re.compile(r"/tasks/([^/]+\.[^/]+\.[^/]+)")
_JOB = re.compile(r"/jobs/(\d+)")
_ROUTE = re.compile(r"route:([^\s,*+]+)")
_OF_PLACE = ("pause", "resume")


class Offer(NamedTuple):
    """Actions, to what, and what is to be read behind their titles."""

    names: Sequence[str]
    given: dict[str, str]
    word: str = ""


class Button(NamedTuple):
    """A link to the page that asks before something is done."""

    title: str
    address: str
    is_danger: bool


def buttons(request: HTTPConnection, person: Person | None, page: object) -> list[Button]:
    """Those of the page that is asked for, which the person may use and which would do something.

    page: what it shows; its `idle_actions`, if it has them, would change nothing now.
    """
    if isinstance(page, Fault):  # there is nothing to which it could be done
        return []
    idle: frozenset[str] = getattr(page, "idle_actions", frozenset())
    here = address_of(request)
    return [
        button
        for offer in _offers(request)
        for name in offer.names
        if name not in idle and (button := _button(person, name, offer, here))
    ]


def resume_route(person: Person | None, route: str) -> Button | None:
    """The end of a route's pause, from the page of now; None for who may not."""
    return _button(person, "resume", Offer((), {"route": route}, f" the route {route}"), "/")


def _button(person: Person | None, name: str, offer: Offer, here: str) -> Button | None:
    action = ACTIONS[name]
    if person is None or not person.may(action.role):
        return None
    query = urlencode({**offer.given, "next": here})
    return Button(f"{action.title}{offer.word}", f"/actions/{name}?{query}", action.is_danger)


def _fits(name: str, status: str) -> bool:
    """Whether an action does something to jobs of a status; empty: of any."""
    return not status or status in ACTIONS[name].statuses


def _offers(request: HTTPConnection) -> list[Offer]:
    path, asked = request.url.path, request.query_params
    if path == "/":
        return [Offer(_OF_PLACE, {})]
    if match := _TASK.fullmatch(path):
        of_task = Offer(("run", "cancel", *_OF_TASK[1:]), {"task": match[1]})
        return [of_task, _of_route(match[1].partition(".")[0])]
    if match := _JOB.fullmatch(path):
        return [Offer(_OF_JOBS, {"job": match[1]})]
    if path == "/jobs" and any(asked.get(key) for key in ("task", "status", "since")):
        names = asked.get("task", "").split()
        key = "task" if is_one_task(names) else "select"  # as the list takes it
        given = {key: " ".join(names), "status": asked.get("status", "")}
        given["since"] = asked.get("since", "")
        fits = [name for name in _OF_JOBS if _fits(name, given["status"])]
        given = {key: value for key, value in given.items() if value}
        return [Offer(fits, given, " all of these")]
    if path == "/tasks" and is_selectors(asked.get("q", "")) and not asked.get("state"):
        of_tasks = Offer(_OF_TASK, {"select": asked["q"]}, " (all of these)")
        route = _ROUTE.fullmatch(asked["q"].strip())
        return [of_tasks, *([_of_route(route[1])] if route else [])]
    return []


def _of_route(route: str) -> Offer:
    return Offer(_OF_PLACE, {"route": route}, f" the route {route}")
