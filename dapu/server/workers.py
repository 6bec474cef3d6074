"""The server's own workers: processes that are started when requests wait, and end when none does.

They are ordinary workers, and those that cron starts take requests as well.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg2

from dapu.errors import DapuError

_LOOK = 2.0  # seconds between looks for requests that wait
_GRACE = 25.0  # seconds that a worker has to give its job back


class Workers:
    """Keeps up to `most` workers running while there is something for them.

    due: how many jobs could start now. complain: gets a line about what goes wrong.
    """

    def __init__(
        self, folder: Path, most: int, due: Callable[[], int], complain: Callable[[str], None]
    ) -> None:
        self._folder, self._most, self._due, self._complain = folder, most, due, complain
        self._running: list[subprocess.Popen[bytes]] = []
        self._wake, self._is_over = threading.Event(), threading.Event()
        self._last_fault = ""
        self._thread = threading.Thread(target=self._keep, name="dapu-workers", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        if self._most:
            self._thread.start()

    def wake(self) -> None:
        """Lets it look now."""
        self._wake.set()

    def stop(self) -> None:
        """Lets the workers give back what they have, and waits for them."""
        self._is_over.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        for worker in self._running:
            worker.terminate()
        for worker in self._running:
            try:
                worker.wait(_GRACE)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    def _keep(self) -> None:
        while not self._is_over.is_set():
            self._running = [worker for worker in self._running if worker.poll() is None]
            self._look()
            self._wake.wait(_LOOK)
            self._wake.clear()

    def _look(self) -> None:
        try:
            wanted = min(self._due(), self._most - len(self._running))
        except (DapuError, psycopg2.Error) as error:
            if str(error) != self._last_fault:
                self._complain(f"no workers are started: {error}")
            self._last_fault = str(error)
            return
        self._last_fault = ""
        command = [sys.executable, "-m", "dapu", "worker", str(self._folder)]
        for _ in range(wanted):
            # In a group of its own: a terminal's Ctrl-C comes to the server, which then asks it.
            self._running.append(subprocess.Popen(command, start_new_session=True))
