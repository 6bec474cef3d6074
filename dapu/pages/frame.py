"""What stands around every page, and how a page becomes HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from psycopg2.extensions import cursor as Cursor

from dapu.durations import show_duration
from dapu.pages.assets import assets
from dapu.registry.store import Registry
from dapu.warehouse.warehouse import Warehouse

_TO_ROUTES = re.compile(r"/[^\s:]+/routes/(?=[^\s/]+/[^\s/]+/)")
_TEMPLATES = Path(__file__).parent / "templates"


class Links:
    """The addresses of pages on the server."""

    def asset(self, name: str) -> str:
        """A file of the folder `static`."""
        return f"/static/{assets()[name].name}"

    def to(self, *parts: object, **query: object) -> str:
        """`/part/part?name=value`, quoted; values that are None or empty are left out."""
        path = "/" + "/".join(quote(str(part), safe="") for part in parts)
        given = {name: value for name, value in query.items() if value not in (None, "", False)}
        return f"{path}?{urlencode(given, doseq=True)}" if given else path


@dataclass(frozen=True)
class Frame:
    """What every template knows beside its page.

    here: the entry of the navigation that the page belongs to. at: when what it shows was read.
    extra: what the server adds, such as who looks.
    """

    warehouse: str
    zone: tzinfo
    here: str
    links: Links = field(default_factory=Links)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    is_site: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def when(self, at: datetime | None) -> str:
        """A time as a person reads it here: `14:05:09` today, else with its date."""
        if at is None:
            return ""
        local, today = at.astimezone(self.zone), self.at.astimezone(self.zone).date()
        return f"{local:%H:%M:%S}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"

    def exact(self, at: datetime | None) -> str:
        """A time to the second, with its zone, for programs and tooltips."""
        return at.astimezone(self.zone).isoformat(" ", "seconds") if at is not None else ""

    def ago(self, at: datetime | None) -> str:
        """How long a time is past or ahead: `5 min ago`, `in 2 h`."""
        if at is None:
            return ""
        seconds = (self.at - at).total_seconds()
        said = roughly(abs(seconds))
        return f"{said} ago" if seconds >= 0 else f"in {said}"


@dataclass(frozen=True)
class Reading:
    """What a page is prepared from: one state of the registry, and the warehouse's files."""

    cursor: Cursor
    registry: Registry
    warehouse: Warehouse
    frame: Frame


@dataclass(frozen=True)
class Fault:
    """A page that cannot be shown, and why."""

    title: str
    message: str


def roughly(seconds: float) -> str:
    """A length of time in its largest unit: `48 s`, `5 min`, `3 h`, `12 days`."""
    for size, unit in ((86400 * 2, "days"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / (86400 if unit == 'days' else size):.0f} {unit}"
    return f"{seconds:.0f} s"


def render(template: str, frame: Frame, page: object) -> str:
    """The HTML of a page. page: what the template shows."""
    return _environment().get_template(template).render(frame=frame, page=page, links=frame.links)


def prepare_templates() -> None:
    """Compiles all, so that the first page does not have to."""
    for name in _environment().list_templates(extensions=["html"]):
        _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["number"] = _number
    environment.filters["took"] = _took
    environment.filters["brief"] = _brief
    environment.filters["as_sentence"] = _as_sentence
    return environment


def _number(value: float | None) -> str:
    return f"{value:,}" if value is not None else ""


def _brief(message: str | None) -> str:
    """A message for a list: files by their names in the warehouse directory."""
    return _TO_ROUTES.sub("routes/", message or "")


def _as_sentence(text: str) -> str:
    """A text with a great first letter where it begins with a word: an id or a name stays."""
    return text[:1].upper() + text[1:] if text.partition(" ")[0].isalpha() else text


def _took(value: timedelta | float | None) -> str:
    if value is None:
        return ""
    length = value if isinstance(value, timedelta) else timedelta(seconds=value)
    return show_duration(length)
