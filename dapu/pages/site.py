"""`dapu docs build`: the catalogue as files that any web server can serve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from dapu.pages.all_tasks import read_all_tasks
from dapu.pages.assets import assets
from dapu.pages.catalogue import catalogue_page, catalogue_table
from dapu.pages.frame import Frame, Links, render
from dapu.registry.version import check_registry, registry_of
from dapu.warehouse.warehouse import Warehouse

_ASSETS = ("style.css", "icon.svg")


class _SiteLinks(Links):
    """Addresses between the files. up: from a file to the site's folder."""

    def __init__(self, up: str) -> None:
        self._up = up

    def asset(self, name: str) -> str:
        return f"{self._up}static/{assets()[name].name}"

    def to(self, *parts: object, **query: object) -> str:  # noqa: ARG002 - a file takes none
        if len(parts) == 2 and parts[0] == "catalogue":
            return f"{self._up}tables/{quote(file_name(str(parts[1])))}"
        return f"{self._up}index.html"


def file_name(task: str) -> str:
    """The file of a task's table: no name of a task can lead out of the folder."""
    return quote(task, safe=" ").replace("%", "~") + ".html"


def build(warehouse: Warehouse, out: Path, say: Callable[[str], None]) -> int:
    """Writes the site into a folder, which is made; returns how many tables it has."""
    registry = registry_of(warehouse)
    (out / "tables").mkdir(parents=True, exist_ok=True)
    (out / "static").mkdir(exist_ok=True)
    for name in _ASSETS:
        (out / "static" / assets()[name].name).write_bytes(assets()[name].content)
    with warehouse.session("docs") as session, session.cursor() as cursor:
        session.set_session("repeatable read", readonly=True)
        check_registry(cursor, registry)
        known = read_all_tasks(cursor, registry, warehouse.settings)
        frame = Frame(warehouse.name, warehouse.settings.zone, "catalogue", _SiteLinks(""),
                      known.at, is_site=True)  # fmt: skip
        page = catalogue_page(known, "", "", most=len(known.tasks))
        _write(out / "index.html", render("catalogue.html", frame, page))
        below = replace(frame, links=_SiteLinks("../"))
        for entry in page.entries:
            table = catalogue_table(cursor, registry, known, entry.task)
            html = render("catalogue_table.html", below, table)
            _write(out / "tables" / file_name(entry.task), html)
    say(f"{out}: {len(page.entries):,} tables")
    return len(page.entries)


def _write(path: Path, html: str) -> None:
    """Replaces a file in one step: who reads it meanwhile has the old or the new one."""
    beside = path.with_suffix(".new")
    beside.write_text(html, "utf-8")
    beside.replace(path)
