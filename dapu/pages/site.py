"""`dapu docs build`: the catalogue as files that any web server can serve."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from psycopg2.extensions import cursor as Cursor

from dapu.lineage.kept_graph import read_graph
from dapu.lineage.warehouse_facts import MakeReader
from dapu.pages.all_tasks import read_all_tasks
from dapu.pages.assets import assets
from dapu.pages.catalogue import catalogue_page, catalogue_tables
from dapu.pages.frame import Frame, Links, render
from dapu.registry.version import check_registry, registry_of
from dapu.warehouse.warehouse import Warehouse

_ASSETS = ("style.css", "icon.svg")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-.")
_LONGEST = 150  # characters of a file's name


class SiteLinks(Links):
    """Addresses between the files. up: from a file to the site's folder."""

    def __init__(self, up: str) -> None:
        self._up = up

    def asset(self, name: str) -> str:
        """A file of the folder `static`."""
        return f"{self._up}static/{assets()[name].name}"

    def to(self, *parts: object, **query: object) -> str:  # noqa: ARG002 - a file takes none
        """The file of a task's table; of all else the list."""
        if len(parts) > 1:
            return f"{self._up}tables/{quote(file_name(str(parts[1])))}"
        return f"{self._up}index.html"


def file_name(task: str) -> str:
    """The file of a task's table: its id, with a checksum where a file system may not have it."""
    if set(task) <= _PLAIN and len(task) <= _LONGEST and not task.startswith("."):
        return f"{task}.html"
    plain = "".join(letter if letter in _PLAIN else "-" for letter in task[:_LONGEST]).strip("-.")
    return f"{plain}-{hashlib.sha256(task.encode()).hexdigest()[:12]}.html"


def build(warehouse: Warehouse, make_reader: MakeReader, out: Path) -> int:
    """Writes the site into a folder, which is made; returns how many tables it has.

    Files of tables that no task makes any more are deleted.
    """
    graph = read_graph(warehouse, make_reader)
    registry = registry_of(warehouse)
    tables, static = out / "tables", out / "static"
    for folder in (tables, static):
        folder.mkdir(parents=True, exist_ok=True)
    for name in _ASSETS:
        (static / assets()[name].name).write_bytes(assets()[name].content)
    with _reading(warehouse) as cursor:
        check_registry(cursor, registry)
        known = read_all_tasks(cursor, registry, warehouse.settings)
        zone, links = warehouse.settings.zone, SiteLinks("")
        frame = Frame(warehouse.name, zone, "catalogue", links, known.at, is_site=True)
        page = catalogue_page(cursor, known, "", "", most=max(len(known.tasks), 1))
        below, tasks = replace(frame, links=SiteLinks("../")), [one.task for one in page.entries]
        for table in catalogue_tables(cursor, registry, known, graph, tasks):
            html = render("catalogue_table.html", below, table)
            _write(tables / file_name(table.overview.task), html)
    _write(out / "index.html", render("catalogue.html", frame, page))
    wanted = {file_name(task) for task in tasks}
    for path in tables.glob("*.html"):
        if path.name not in wanted:
            path.unlink()
    return len(tasks)


@contextmanager
def _reading(warehouse: Warehouse) -> Iterator[Cursor]:
    with warehouse.session("docs") as session:
        session.set_session("repeatable read", readonly=True)
        with session.cursor() as cursor:
            yield cursor


def _write(path: Path, html: str) -> None:
    """Replaces a file in one step: who reads it meanwhile has the old or the new one."""
    beside = path.with_suffix(".new")
    beside.write_text(html, "utf-8")
    beside.replace(path)
