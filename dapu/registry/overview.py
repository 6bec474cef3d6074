"""How tasks are: each in a line, with its last runs and its next one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.registry.store import Registry
from dapu.registry.why import next_in
from dapu.warehouse.clock import day_part_starts
from dapu.warehouse.settings import Settings

_ENDINGS = {name[0]: name for name in ("done", "failed", "skipped", "lost", "cancelled")}
RUNS = 10  # of a task, that its line shows

FAILED = ("faulty", "failed", "lost", "retrying")
# All that `condition` says; those that need somebody come first.
CONDITIONS = (
    *FAILED,
    *("late", "running", "waiting", "upgrading", "blacklisted"),
    *("cancelled", "skipped", "new", "done"),
)


class Overview(NamedTuple):
    """A task as `status` shows it.

    now, next_try_at, tries, now_message: of the job that is waiting or running.
    corrected_masters: those whose past changed, which the task has not read again.
    renamed: a column of the source (old, new), until the task's files change.
    reason, due_from, day_parts: why the Manager does not queue it, see `readiness`.
    due_since: since when it is due or its job waits, while nothing but its turn holds it back.
    run_endings, run_seconds: the first letters of how its last runs ended, and how long each took;
    the newest first.
    """

    task: str
    route: str
    state: str
    fault: str | None
    description: str | None
    now: str | None
    next_try_at: datetime | None
    tries: int
    now_message: str | None
    last_status: str | None
    last_ended_at: datetime | None
    took: timedelta | None
    rows: int | None
    message: str | None
    blacklisted: bool
    corrected_masters: list[str]
    renamed: dict[str, str] | None
    last_done_at: datetime | None
    last_job: int | None
    reason: str | None
    due_from: datetime
    day_parts: list[str]
    due_since: datetime | None
    late_after: timedelta
    fresh_until: datetime | None
    run_endings: str | None
    run_seconds: list[float] | None

    def runs(self) -> list[dict[str, Any]]:
        """How its last runs ended, and how many seconds each took; the newest last."""
        pairs = zip(self.run_endings or "", self.run_seconds or [], strict=True)
        return [
            {"status": _ENDINGS[letter], "seconds": seconds}
            for letter, seconds in reversed([*pairs])
        ]

    def late_since(self, at: datetime) -> tuple[str, datetime] | None:
        """Why it is late at a time, in two words, and since when; None when it is not."""
        if self.due_since is not None and self.due_since + self.late_after < at:
            return "due since", self.due_since
        if self.fresh_until is not None and self.fresh_until < at:
            return "not fresh since", self.fresh_until
        return None

    def is_late(self, at: datetime) -> bool:
        """Whether it should have run before a time."""
        return self.late_since(at) is not None

    def condition(self, at: datetime) -> str:
        """How it is, in one word of CONDITIONS."""
        words: list[tuple[str, object]] = [
            ("faulty", self.state == "faulty"),
            ("retrying", self.now == "waiting" and self.tries),
            ("running", self.now == "running"),
            ("failed", self.last_status == "failed"),
            ("lost", self.last_status == "lost"),
            ("late", self.is_late(at)),
            ("waiting", self.now == "waiting"),
            ("upgrading", self.state == "upgrading"),
            ("blacklisted", self.blacklisted),
        ]
        last = self.last_status or ("done" if self.last_done_at else "new")
        return next((word for word, holds in words if holds), last)

    def next_run(self, settings: Settings, at: datetime) -> datetime | None:
        """When it runs next, as far as the clock decides that."""
        if self.now is not None:
            return self.next_try_at
        if self.reason is None:
            return at
        if self.reason not in ("day_part", "cron", "pause"):
            return None
        return next_in(self.day_parts, self.due_from, settings)


def sorted_tasks(tasks: Sequence[Overview], at: datetime) -> list[Overview]:
    """Those that need somebody first."""
    ranks = {word: rank for rank, word in enumerate(CONDITIONS)}
    return sorted(tasks, key=lambda one: (ranks[one.condition(at)], one.task))


def overview(
    cursor: Cursor, registry: Registry, settings: Settings, at: datetime, task: str | None = None
) -> list[Overview]:
    """All tasks, or one, in the order of their names."""
    starts = day_part_starts(settings, at)
    rows = registry.rows(
        cursor,
        "overview.tasks",
        now=at,
        parts=list(starts),
        part_starts=json.dumps({name: str(start) for name, start in starts.items()}),
        runs=RUNS,
        task=task,
    )
    return [Overview(*row) for row in rows]
