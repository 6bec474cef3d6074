"""The pages that only read: which address shows what."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
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
from dapu.server.parameters import BIGINT, Text
from dapu.server.paths import page_router

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Ends after ten minutes at most"}
}
Task = Annotated[Text, Path(description="Its id, as `erp.staging.invoice`")]
Search = Annotated[Text, Query(description="Words of names and descriptions, or selectors")]
State = Annotated[Text, Query(description="How tasks are, as `failed`")]
After = Annotated[Text, Query(description="The last task of the page before")]
Tasks = Annotated[Text, Query(description="A task, or selectors with blanks between")]
Status = Annotated[Text, Query(description="Of jobs, as `failed`; of events, as `error`")]
Since = Annotated[Text, Query(description="A time, `yesterday`, or `2 hours`: ago")]
Before = Annotated[
    int | None, Query(ge=0, le=BIGINT, description="The last number of the page before")
]


def router_of(pages: Pages, known: Known, guard: list[Any]) -> APIRouter:
    """The addresses. guard: what lets a person in."""
    router = page_router(guard)
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
        """What runs, waits, is due next, ended last, and needs somebody."""
        tasks = known.tasks()
        return pages.show("now.html", "now", lambda reading: now_page(reading, tasks))

    @router.get("/live", response_class=StreamingResponse, responses=_STREAM)
    async def live(request: Request) -> StreamingResponse:
        """The same again as it changes: server-sent events `now`, each with HTML."""

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
    def tasks(q: Search = "", state: State = "", after: After = "") -> HTMLResponse:
        """Tasks, those that need somebody first."""
        tasks = known.tasks()
        page = tasks_page(tasks, pages.warehouse.settings, q, state, after)
        return pages.answer("tasks.html", "tasks", page, tasks.at)

    @router.get("/tasks/{task}")
    def task(task: Task) -> HTMLResponse:
        """All that is known of a task."""
        return pages.show(
            "task_page.html",
            "tasks",
            lambda reading: _found(task_page(reading, task), f"task `{task}`"),
        )

    @router.get("/tasks/{task}/sql")
    def sql(task: Task) -> HTMLResponse:
        """A task's SQL as a run would send it now; the source may be asked for a watermark."""
        return pages.answer("rendered.html", "tasks", rendered_page(pages.warehouse, task))


def _add_jobs(router: APIRouter, pages: Pages) -> None:
    @router.get("/jobs")
    def jobs(
        task: Tasks = "", status: Status = "", since: Since = "", before: Before = None
    ) -> HTMLResponse:
        """Jobs, the newest first."""
        asked = Filter(task, status, since, before)
        return pages.show("jobs.html", "jobs", lambda reading: jobs_page(reading, asked))

    @router.get("/jobs/{job}")
    def job(job: int) -> HTMLResponse:
        """A job, with its error in full."""
        if not 0 <= job <= BIGINT:
            raise Refused(404, f"there is no job {job}")
        return pages.show(
            "job.html", "jobs", lambda reading: _found(job_page(reading, job), f"job {job}")
        )

    @router.get("/events")
    def events(
        task: Tasks = "", status: Status = "", since: Since = "", before: Before = None
    ) -> HTMLResponse:
        """Events, the newest first."""
        asked = Filter(task, status, since, before)
        return pages.show("events.html", "events", lambda reading: events_page(reading, asked))
