"""The pages that only read: which address shows what."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from dapu.pages.frame import Reading, render
from dapu.pages.jobs import Filter, events_page, job_page, jobs_page
from dapu.pages.now import NowPage, now_page
from dapu.pages.rendered import rendered_page
from dapu.pages.task import task_page
from dapu.pages.tasks import tasks_page
from dapu.server.bodies import Refused
from dapu.server.known import Known
from dapu.server.live import stream
from dapu.server.pages import Pages

_BIGINT = 2**63 - 1
Text = Annotated[str, Query(max_length=500)]
Number = Annotated[int | None, Query(ge=0, le=_BIGINT)]


def router_of(pages: Pages, known: Known, guard: list[Any]) -> APIRouter:
    """The addresses. guard: what lets a person in."""
    router = APIRouter(dependencies=guard, include_in_schema=False)
    _add_now(router, pages, known)
    _add_tasks(router, pages, known)
    _add_jobs(router, pages)
    return router


def _found(page: Any, what: str) -> Any:
    if page is None:
        raise Refused(404, f"there is no {what}")
    return page


def _add_now(router: APIRouter, pages: Pages, known: Known) -> None:
    @router.get("/")
    def now() -> HTMLResponse:
        tasks = known.tasks()
        return pages.show("now.html", "now", lambda reading: now_page(reading, tasks))

    @router.get("/live")
    async def live(request: Request) -> StreamingResponse:
        def look() -> str:
            frame = pages.frame("now")
            tasks = known.tasks()
            with pages.reading() as cursor:
                reading = Reading(cursor, pages.registry, pages.warehouse, frame)
                page: NowPage = now_page(reading, tasks)
            return render("now_live.html", frame, page)

        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(
            stream(request, "now", look), media_type="text/event-stream", headers=headers
        )


def _add_tasks(router: APIRouter, pages: Pages, known: Known) -> None:
    @router.get("/tasks")
    def tasks(q: Text = "", state: Text = "", after: Text = "") -> HTMLResponse:
        settings = pages.warehouse.settings
        page = tasks_page(known.tasks(), settings, q, state, after)
        return pages.answer("tasks.html", "tasks", page)

    @router.get("/tasks/{task}")
    def task(task: str) -> HTMLResponse:
        return pages.show(
            "task_page.html",
            "tasks",
            lambda reading: _found(task_page(reading, task), f"task `{task}`"),
        )

    @router.get("/tasks/{task}/sql")
    def sql(task: str) -> HTMLResponse:
        return pages.answer("rendered.html", "tasks", rendered_page(pages.warehouse, task))


def _add_jobs(router: APIRouter, pages: Pages) -> None:
    @router.get("/jobs")
    def jobs(
        task: Text = "", status: Text = "", since: Text = "", before: Number = None
    ) -> HTMLResponse:
        asked = Filter(task, status, since, before)
        return pages.show("jobs.html", "jobs", lambda reading: jobs_page(reading, asked))

    @router.get("/jobs/{job}")
    def job(job: int) -> HTMLResponse:
        if not 0 <= job <= _BIGINT:
            raise Refused(404, f"there is no job {job}")
        return pages.show(
            "job.html", "jobs", lambda reading: _found(job_page(reading, job), f"job {job}")
        )

    @router.get("/events")
    def events(
        task: Text = "", status: Text = "", since: Text = "", before: Number = None
    ) -> HTMLResponse:
        asked = Filter(task, status, since, before)
        return pages.show("events.html", "events", lambda reading: events_page(reading, asked))
