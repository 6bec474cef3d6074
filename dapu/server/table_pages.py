"""The pages of tables: lineage and catalogue."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from dapu.errors import ConfigurationError
from dapu.pages.catalogue import CataloguePage, catalogue_page, catalogue_tables
from dapu.pages.frame import Reading
from dapu.pages.lineage import LineageStart, lineage_page, lineage_start
from dapu.server.bodies import Refused
from dapu.server.known import Known
from dapu.server.pages import Pages
from dapu.server.parameters import Text
from dapu.server.paths import page_router
from dapu.server.reading import After, Search, Task

_PATIENCE = 2.0  # seconds for SQL that was never read
Column = Annotated[Text, Query(description="A column: what depends on it")]


def add(app: FastAPI, pages: Pages, known: Known, guard: list[Any]) -> None:
    """Adds them to the server. guard: what lets a person in."""
    router = page_router(guard)
    _add_lineage(router, pages, known)
    _add_catalogue(router, pages, known)
    app.include_router(router)


def _add_lineage(router: APIRouter, pages: Pages, known: Known) -> None:
    @router.get("/lineage")
    def start(q: Search = "") -> Response:
        """Tables to begin with, those in trouble first; of one that fits alone, its lineage."""
        tasks = known.tasks()
        try:
            page = lineage_start(tasks, q)
        except ConfigurationError as error:
            page = LineageStart(q, [], 0, str(error))
        if q and page.total == 1:
            return RedirectResponse(pages.frame("").links.to("lineage", page.found[0].task), 303)
        return pages.answer("lineage_start.html", "lineage", page, tasks.at)

    @router.get("/lineage/{task}")
    def lineage(task: Task, column: Column = "") -> HTMLResponse:
        """What a table is made of, what is made of it, and what of that failed or is late."""
        graph, tasks = known.graph.get(_PATIENCE), known.tasks()
        if graph is None:
            page = LineageStart(task, [], 0, is_reading=True)
            return pages.answer("lineage_start.html", "lineage", page)
        return pages.show(
            "lineage.html",
            "lineage",
            lambda reading: found(lineage_page(reading, graph, tasks, task, column), task),
            tasks.at,
        )


def _add_catalogue(router: APIRouter, pages: Pages, known: Known) -> None:
    @router.get("/catalogue")
    def catalogue(q: Search = "", after: After = "") -> HTMLResponse:
        """The tables of all tasks."""
        tasks = known.tasks()

        def prepare(reading: Reading) -> CataloguePage:
            try:
                return catalogue_page(reading.cursor, tasks, q, after)
            except ConfigurationError as error:
                return CataloguePage([], 0, q, None, str(error))

        return pages.show("catalogue.html", "catalogue", prepare, tasks.at)

    @router.get("/catalogue/{task}")
    def table(task: Task) -> HTMLResponse:
        """What a table is: its columns, owner, freshness and checks."""
        graph, tasks = known.graph.get(_PATIENCE), known.tasks()

        def prepare(reading: Reading) -> object:
            cursor, registry = reading.cursor, reading.registry
            return found(next(catalogue_tables(cursor, registry, tasks, graph, [task]), None), task)

        return pages.show("catalogue_table.html", "catalogue", prepare, tasks.at)


def found(page: object, task: str) -> object:
    """The page. Raises Refused where there is none."""
    if page is None:
        raise Refused(404, f"there is no task `{task}`")
    return page
