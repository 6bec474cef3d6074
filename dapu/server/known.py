"""What several pages need of all tasks, kept from one request to the next."""

from __future__ import annotations

from dapu.agents.installed import definition_reader
from dapu.lineage.kept_graph import KeptGraph
from dapu.pages.all_tasks import AllTasks, read_all_tasks
from dapu.pages.kept import Kept
from dapu.server.pages import Pages


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
