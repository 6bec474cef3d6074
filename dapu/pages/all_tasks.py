"""All tasks as they are, for the pages that list them or walk from one to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from psycopg2.extensions import cursor as Cursor

from dapu.registry import control
from dapu.registry.overview import CONDITIONS, FAILED, Overview, overview, sorted_tasks
from dapu.registry.selectors import Selectable, select, selectable
from dapu.registry.store import Registry
from dapu.warehouse.settings import Settings

BAD = (*FAILED, "late")


@dataclass(frozen=True)
class AllTasks:
    """The tasks, those that need somebody first. at: when they were read.

    paused: the routes that somebody paused.
    """

    tasks: list[Overview]
    selectable: list[Selectable]
    at: datetime
    paused: frozenset[str] = frozenset()

    @cached_property
    def conditions(self) -> dict[str, str]:
        """How each is, in a word."""
        return {one.task: one.condition(self.at) for one in self.tasks}

    @cached_property
    def by_name(self) -> dict[str, Overview]:
        """The tasks by their ids."""
        return {one.task: one for one in self.tasks}

    def counts(self) -> list[tuple[str, int]]:
        """How many tasks are how, in the order of CONDITIONS."""
        found = Counter(self.conditions.values())
        return [(word, found[word]) for word in CONDITIONS if found[word]]

    def chosen(self, search: str, condition: str) -> list[Overview]:
        """Those that are searched for and are so. search: selectors, or a part of a name or text.

        Raises ConfigurationError for a selector that names none.
        """
        names = self._named(search.split()) if is_selectors(search) else None
        words = search.lower().split() if names is None else []
        return [
            one
            for one in self.tasks
            if (not condition or self.conditions[one.task] == condition)
            and (names is None or one.task in names)
            and all(word in f"{one.task} {one.description or ''}".lower() for word in words)
        ]

    def _named(self, selectors: Sequence[str]) -> set[str]:
        return set(select(selectors, self.selectable))


def is_selectors(search: str) -> bool:
    """Whether a text has a mark of selectors: `+`, `:` or `*`."""
    return bool(set(search) & set("+:*"))


def read_all_tasks(cursor: Cursor, registry: Registry, settings: Settings) -> AllTasks:
    """Reads them."""
    now = datetime.now(UTC)
    tasks = sorted_tasks(overview(cursor, registry, settings, now), now)
    paused = frozenset(route for route, by in control.routes(cursor, registry).items() if by)
    return AllTasks(tasks, selectable(cursor, registry), now, paused)
