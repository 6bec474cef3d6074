"""The pages of tables: lineage and catalogue."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from dapu.agents.installed import definition_reader
from dapu.errors import ConfigurationError
from dapu.lineage.kept_graph import KeptGraph
from dapu.pages.all_tasks import AllTasks, read_all_tasks
from dapu.pages.kept import Kept
from dapu.pages.lineage import LineageStart, lineage_page, lineage_start
from dapu.server.bodies import Refused
from dapu.server.pages import Pages

_PATIENCE = 2.0  # seconds for SQL that was never read
Text = Annotated[str, Query(max_length=500)]


class Known:
    """What several pages need of all tasks; at most a few seconds old."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._tasks = Kept(self._read_tasks, seconds=3, oldest=60)
        self.graph = KeptGraph(pages.warehouse, definition_reader)

    def tasks(self) -> AllTasks:
        """All tasks."""
        return self._tasks.get()

    def _read_tasks(self) -> AllTasks:
        with self._pages.reading() as cursor:
            return read_all_tasks(cursor, self._pages.registry, self._pages.warehouse.settings)


def add(app: FastAPI, pages: Pages, guard: list[Any]) -> None:
    """Adds them to the server. guard: what lets a person in."""
    router = APIRouter(dependencies=guard, include_in_schema=False)
    _add_lineage(router, pages, Known(pages))
    app.include_router(router)


def _add_lineage(router: APIRouter, pages: Pages, known: Known) -> None:
    @router.get("/lineage")
    def start(q: Text = "") -> Response:
        try:
            page = lineage_start(known.tasks(), q)
        except ConfigurationError as error:
            page = LineageStart(q, [], 0, str(error))
        if q and page.total == 1:
            return RedirectResponse(pages.frame("").links.to("lineage", page.found[0].task), 303)
        return pages.answer("lineage_start.html", "lineage", page)

    @router.get("/lineage/{task}")
    def lineage(task: str, column: Text = "") -> HTMLResponse:
        graph, tasks = known.graph.get(_PATIENCE), known.tasks()
        if graph is None:
            page = LineageStart(task, [], 0, is_reading=True)
            return pages.answer("lineage_start.html", "lineage", page)
        return pages.show(
            "lineage.html",
            "lineage",
            lambda reading: found(lineage_page(reading, graph, tasks, task, column), task),
        )


def found(page: object, task: str) -> object:
    """The page. Raises Refused where there is none."""
    if page is None:
        raise Refused(404, f"there is no task `{task}`")
    return page
