"""A task that reads a web service of the tests, and a session with one."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from dapu.sources.http.messages import Request
from dapu.sources.http.session import HttpSession
from dapu.warehouse.connection_kinds import RestConnection
from tests.services.misbehaving_http import MisbehavingServer
from tests.support.one_task import OneTask

COLUMNS = "path: list\nrecords: data\ncolumns: {id: {path: id, type: integer}}\n"
GOOD = {"data": [{"id": 1}]}


class Crm:
    """A task whose definitions say only what a test is about."""

    def __init__(self, task: OneTask, server: MisbehavingServer) -> None:
        self._task, self._server = task, server
        self.run, self.fails, self.is_refused = task.run, task.fails, task.is_refused
        self.rows, self.types, self.events = task.rows, task.types, task.events
        self.has_table, self.execute = task.has_table, task.execute

    def has(
        self,
        action: str,
        connection: str = "",
        files: dict[str, str] | None = None,
        run: str = "",
    ) -> None:
        """Writes the definitions. action: the keys beside `do`. connection: those beside `url`."""
        keys = f"driver: rest\nurl: {self._server.url}/v1\n{connection}"
        self._task.has(keys, f"do: rest\n{action}", files, run)

    @property
    def folder(self) -> Path:
        """The warehouse directory."""
        return self._task.folder


def session_with(server: MisbehavingServer, **keys: Any) -> HttpSession:
    """A session. keys: those of its connection."""
    given = {"name": "x", "driver": "rest", "url": server.url, **keys}
    return HttpSession(RestConnection.model_validate(given), lambda text: None)


def fetch(session: HttpSession, url: str) -> bytes:
    """The body of an answer."""
    body = io.BytesIO()
    session.send(Request(url), body)
    return body.getvalue()
