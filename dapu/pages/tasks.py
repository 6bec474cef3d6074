"""`Tasks`: all of them in a list that is searched and filtered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dapu.errors import ConfigurationError
from dapu.pages.all_tasks import AllTasks
from dapu.pages.strip import Strip, strip_of
from dapu.registry.overview import CONDITIONS, Overview
from dapu.warehouse.settings import Settings

PAGE = 50  # tasks


@dataclass(frozen=True)
class TaskLine:
    """A task in the list. next_run: None where it waits for something else than the clock."""

    task: Overview
    condition: str
    strip: Strip
    next_run: datetime | None
    message: str


@dataclass(frozen=True)
class TasksPage:
    """The list. after: the last task shown, where there are more; fault: of the search."""

    lines: list[TaskLine]
    found: int
    total: int
    counts: list[tuple[str, int]]
    search: str
    condition: str
    after: str | None
    is_first: bool
    fault: str
    paused: frozenset[str]

    @property
    def idle_actions(self) -> frozenset[str]:
        """The actions that would change nothing now; those on a route, where one is searched."""
        if not self.found:
            tasks = ("run", "blacklist", "unblacklist", "clear-watermark")
            return frozenset({*tasks, "pause", "resume"})
        route = self.search.strip().removeprefix("route:")
        return frozenset({"pause" if route in self.paused else "resume"})


def tasks_page(
    known: AllTasks, settings: Settings, search: str, condition: str, after: str
) -> TasksPage:
    """A page of the list. after: a task that stands before the first one."""
    condition = condition if condition in CONDITIONS else ""
    try:
        found, fault = known.chosen(search, condition), ""
    except ConfigurationError as error:
        found, fault = [], str(error)
    place = next((i + 1 for i, one in enumerate(found) if one.task == after), 0)
    shown = found[place : place + PAGE]
    has_more = place + PAGE < len(found)
    return TasksPage(
        [_line(one, known, settings) for one in shown],
        len(found),
        len(known.tasks),
        known.counts(),
        search,
        condition,
        shown[-1].task if has_more else None,
        place == 0,
        fault,
        known.paused,
    )


def _line(one: Overview, known: AllTasks, settings: Settings) -> TaskLine:
    runs = [(run["status"], run["seconds"]) for run in one.runs()]
    return TaskLine(
        one,
        known.conditions[one.task],
        strip_of(runs),
        one.next_run(settings, known.at),
        one.fault or one.now_message or one.message or "",
    )
