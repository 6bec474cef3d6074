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
from dapu.server.access.people import Person
from dapu.server.what_to_do import ACTIONS

_OF_TASK = ("run", "blacklist", "unblacklist", "clear-watermark")
_OF_JOBS = ("retry", "cancel")
_TASK = re.compile(r"/tasks/([^/]+\.[^/]+\.[^/]+)")
_JOB = re.compile(r"/jobs/(\d+)")


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
    names, given, word = _offers(request)
    idle: frozenset[str] = getattr(page, "idle_actions", frozenset())
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    query = urlencode({**given, "next": here})
    return [
        Button(f"{action.title}{word}", f"/actions/{name}?{query}", action.is_danger)
        for name in names
        if name not in idle and person and person.may((action := ACTIONS[name]).role)
    ]


def _fits(name: str, status: str) -> bool:
    """Whether an action does something to jobs of a status; empty: of any."""
    return not status or status in ACTIONS[name].statuses


def _offers(request: HTTPConnection) -> tuple[Sequence[str], dict[str, str], str]:
    """The actions, to what, and what is to be read behind their titles."""
    path, asked = request.url.path, request.query_params
    if path == "/":
        return ("pause", "resume"), {}, ""
    if match := _TASK.fullmatch(path):
        return _OF_TASK, {"task": match[1]}, ""
    if match := _JOB.fullmatch(path):
        return _OF_JOBS, {"job": match[1]}, ""
    if path == "/jobs" and any(asked.get(key) for key in ("task", "status", "since")):
        names = asked.get("task", "").split()
        key = "task" if is_one_task(names) else "select"  # as the list takes it
        given = {key: " ".join(names), "status": asked.get("status", "")}
        given["since"] = asked.get("since", "")
        fits = [name for name in _OF_JOBS if _fits(name, given["status"])]
        return fits, {key: value for key, value in given.items() if value}, " all of these"
    if path == "/tasks" and is_selectors(asked.get("q", "")) and not asked.get("state"):
        return _OF_TASK, {"select": asked["q"]}, " (all of these)"
    return (), {}, ""
