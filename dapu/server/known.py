"""What several pages need of all tasks, kept from one request to the next."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.concurrency import run_in_threadpool

from dapu.agents.installed import definition_reader
from dapu.lineage.kept_graph import KeptGraph
from dapu.pages.all_tasks import AllTasks, read_all_tasks
from dapu.pages.frame import prepare_templates
from dapu.pages.kept import Kept
from dapu.server.pages import Pages

_RENEWED = 20.0  # seconds from one look at all tasks to the next, when nobody asks
_PATIENCE = 5.0  # seconds for the SQL of all tasks, before the server listens
_LOOKS = 30  # of them from one look at the files to the next


class Known:
    """What several pages need of all tasks; at most a few seconds old while somebody asks."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._tasks = Kept(self._read_tasks, seconds=3, oldest=60)
        self.graph = KeptGraph(pages.warehouse, definition_reader)

    def tasks(self) -> AllTasks:
        """All tasks."""
        return self._tasks.get()

    def forget(self) -> None:
        """Who asks next waits until they are read anew: something was done to them."""
        self._tasks.forget()

    @asynccontextmanager
    async def kept_fresh(self, _: object) -> AsyncIterator[None]:
        """While the server runs, the first who asks waits no longer than others do."""
        over = threading.Event()
        await run_in_threadpool(self._prepare)
        threading.Thread(target=self._keep, args=(over,), daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def _prepare(self) -> None:
        prepare_templates()
        self._tasks.keep_fresh()
        self._look_at_files(_PATIENCE)

    def _look_at_files(self, patience: float) -> None:
        with suppress(Exception):  # who asks for lineage gets the error
            self.graph.get(patience)

    def _keep(self, over: threading.Event) -> None:
        looks = 0
        while not over.wait(_RENEWED):
            looks += 1
            self._tasks.keep_fresh()
            if looks % _LOOKS == 0:
                self._look_at_files(0)

    def _read_tasks(self) -> AllTasks:
        with self._pages.reading() as cursor:
            return read_all_tasks(cursor, self._pages.registry, self._pages.warehouse.settings)
